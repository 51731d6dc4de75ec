// Any bytes as YAML. It is read within its limits or refused with a place; what reads well is
// written as JSON and as YAML, and both read again as the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace json = whittle::json;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  json::Limits limits;
  limits.values = 10'000;
  limits.depth = 32;
  const auto documents = whittle::yaml::parse_all(text, "input", limits);
  if (!documents) {
    if (documents.error().message.empty() || documents.error().place.empty()) std::abort();
    return 0;
  }
  for (const json::Value& document : *documents) {
    const std::string written = json::dump_compact(document);
    const auto again = json::parse(written, "written");
    if (!again || json::dump_compact(*again) != written) std::abort();
    const auto block = whittle::yaml::parse(whittle::yaml::dump(document), "written", limits);
    if (!block || json::dump_compact(*block) != written) std::abort();
  }
  return 0;
}
