// Bytes as what another tool recorded. The first byte picks the format, 'a' is the one that the
// rest looks like; the others follow in the order of import_formats(). What is imported must be
// evidence that reads back; that takes longer than to import it, and is seen to for one length in
// eight.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "evidence/evidence.h"
#include "record/import.h"

namespace {

// Seeds are about that long. What a long input finds a short one does, too, and sooner.
constexpr std::size_t kMost = 4096;

std::string format_of(std::uint8_t byte) {
  static const auto formats = whittle::record::import_formats();
  const std::size_t number = static_cast<std::uint8_t>(byte - 'a') % (formats.size() + 1);
  return number == 0 ? std::string() : std::string(formats[number - 1].name);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace whittle;
  if (size == 0 || size > kMost) return 0;
  record::ImportOptions options;
  options.format = format_of(data[0]);
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto imported = record::import_text(text, "input", options);
  if (!imported || size % 8 != 0) return 0;
  evidence::Evidence evidence;
  evidence.runs.push_back(imported->run);
  if (!evidence::read(evidence::write(evidence), "written")) std::abort();
  return 0;
}
