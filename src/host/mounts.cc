#include "host/mounts.h"

#include <algorithm>

#include "base/file_system.h"
#include "base/text.h"

namespace whittle::host {

namespace {

bool is_octal(char c) { return c >= '0' && c <= '7'; }

// Blanks, newlines and backslashes stand as \ooo.
std::string unescape(std::string_view escaped) {
  std::string text;
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    if (escaped[i] == '\\' && i + 3 < escaped.size() && is_octal(escaped[i + 1]) &&
        is_octal(escaped[i + 2]) && is_octal(escaped[i + 3])) {
      text += static_cast<char>((escaped[i + 1] - '0') * 64 + (escaped[i + 2] - '0') * 8 +
                                (escaped[i + 3] - '0'));
      i += 3;
    } else {
      text += escaped[i];
    }
  }
  return text;
}

}  // namespace

std::vector<Mount> parse_mounts(std::string_view mountinfo) {
  std::vector<Mount> result;
  for (const std::string& line : split(mountinfo, '\n')) {
    // id parent major:minor root point options [optional...] - type source super-options
    const auto fields = split(line, ' ');
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    if (dash - fields.begin() < 6 || fields.end() - dash < 4) continue;
    result.push_back({unescape(fields[3]), unescape(fields[4]), dash[1], split(dash[3], ',')});
  }
  return result;
}

Result<std::vector<Mount>> own_mounts() {
  TRY_ASSIGN(const std::string text, read_file("/proc/self/mountinfo", 16U << 20U));
  return parse_mounts(text);
}

}  // namespace whittle::host
