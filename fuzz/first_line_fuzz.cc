// Any bytes as the start of a program file, as the argument of env(1), and as a daemon's TOML: what
// is found stands in the text, within its bounds.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "host/container_places.h"
#include "trial/script.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto check = [text](const std::string& part) {
    if (text.find(part) == std::string_view::npos) std::abort();
  };
  const auto line = whittle::trial::interpreter_line(text);
  if (line.size() > 2) std::abort();
  for (const std::string& word : line) {
    if (word.empty() || word.size() > 254) std::abort();
    check(word);
  }
  check(whittle::trial::env_target(text));
  for (const char* table : {"", "storage"}) {
    const std::string value = whittle::host::toml_text(text, table, "graphroot");
    if (value.size() > 4096) std::abort();
    check(value);
  }
  return 0;
}
