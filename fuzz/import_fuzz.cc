// Any bytes as what another tool recorded, by what they look like and as each of the formats. What
// is imported must be evidence that reads back.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "evidence/evidence.h"
#include "record/import.h"

namespace {

void check(std::string_view text, std::string format) {
  using namespace whittle;
  record::ImportOptions options;
  options.format = std::move(format);
  const auto imported = record::import_text(text, "input", options);
  if (!imported) return;
  evidence::Evidence evidence;
  evidence.runs.push_back(imported->run);
  if (!evidence::read(evidence::write(evidence), "written")) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check(text, "");
  for (const auto& [name, summary] : whittle::record::import_formats())
    check(text, std::string(name));
  return 0;
}
