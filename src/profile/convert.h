// A profile in another form, with what that form can't say. docs/convert.md lists it by form.
//
//   TRY_ASSIGN(const Conversion made, convert(document, Target::kSystemd, settings));
//   made.lost.empty()   // else `text` says less: never more than the document lets through
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "profile/document.h"

namespace whittle::profile {

enum class Target : std::uint8_t { kOci, kDocker, kPodman, kSpoV1Beta1, kSpoV1, kSystemd };

// What was said of the setting in which conditions of Docker's dialect are read. A condition on
// what was not said is lost where it can't be written.
struct Said {
  bool caps = false;
  bool kernel = false;
  bool arch = false;
};

struct ConvertSettings {
  Setting setting;
  Said said;
  // A rule whose verdict is the default's is left out by runtimes and counts for nothing. False: as
  // documented, it does.
  bool by_runtime = true;
  std::string name;        // of the object; REQUIRES: is_object_name()
  std::string name_space;  // of the object; empty: none
};

struct Conversion {
  std::string text;
  // The same as a value; for systemd the text.
  json::Value value;
  // What the text means: the profile of the document when nothing is lost.
  Profile meant{Profile::Parts{}};
  std::vector<Loss> lost;
};

// Where a call can't be written with its rules, it is refused altogether. Errors: none for
// documents of read_any(), but for a text that is no UTF-8.
Result<Conversion> convert(const Document& document, Target target,
                           const ConvertSettings& settings);

// What no program of instructions can say: flags and the listener are given when it is loaded.
std::vector<Loss> lost_in_program(const Document& document, const ConvertSettings& settings);

// Settings in which the conditions of a Docker-dialect document come out differently: two documents
// that resolve alike in all of them are the same for these conditions. Of very many the first few
// hundred.
std::vector<Setting> settings_of_interest(const json::Value& object, const Setting& setting);

}  // namespace whittle::profile
