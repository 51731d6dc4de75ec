// Any bytes as what a person has in hand: read, searched for every known failure, and what is kept
// of a line stands in it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "deploy/known_failures.h"
#include "deploy/symptoms.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto known = whittle::deploy::known_failures();
  if (!known) std::abort();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto symptoms = whittle::deploy::read_symptoms(text, "input");
  if (!symptoms) return 0;
  for (const auto& match : whittle::deploy::match_failures(*known, symptoms->lines)) {
    if (match.shown.empty()) std::abort();
    for (const auto& shown : match.shown) {
      if (shown.line == 0 || shown.line > symptoms->lines.size()) std::abort();
    }
    for (const auto& [name, kept] : match.captures) {
      bool stands = false;
      for (const auto& shown : match.shown) stands |= shown.text.find(kept) != std::string::npos;
      if (!stands) std::abort();
    }
  }
  return 0;
}
