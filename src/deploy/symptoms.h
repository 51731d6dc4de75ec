// What a person has in hand when a pod does not run, as lines that can be searched: any text, or a
// pod, an event or a list of them in JSON or YAML, whose fields become lines "key: value".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace whittle::deploy {

struct Symptoms {
  // Blanks in a row are one, `\"` is `"`: logs quote messages in messages.
  std::vector<std::string> lines;
  // The profiles that it names: values of localhostProfile, as they are written. Each once.
  std::vector<std::string> profiles;
  bool object = false;  // it was JSON or YAML with a kind
};

inline constexpr std::size_t kMostSymptoms = std::size_t{4} << 20U;

// Any text will do. `place` names it in errors. Errors, kind input: larger than kMostSymptoms.
Result<Symptoms> read_symptoms(std::string_view text, std::string_view place);

}  // namespace whittle::deploy
