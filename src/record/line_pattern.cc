#include "record/line_pattern.h"

#include <regex.h>

#include <array>

namespace whittle::record {

struct LinePattern::Compiled {
  Compiled() = default;
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
  ~Compiled() {
    if (valid) ::regfree(&regex);
  }
  regex_t regex = {};
  bool valid = false;
};

LinePattern::LinePattern(std::unique_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}
LinePattern::LinePattern(LinePattern&&) noexcept = default;
LinePattern& LinePattern::operator=(LinePattern&&) noexcept = default;
LinePattern::~LinePattern() = default;

Result<LinePattern> LinePattern::compile(const std::string& pattern) {
  auto compiled = std::make_unique<Compiled>();
  const int error = ::regcomp(&compiled->regex, pattern.c_str(), REG_EXTENDED | REG_NOSUB);
  if (error != 0) {
    std::array<char, 200> message{};
    ::regerror(error, &compiled->regex, message.data(), message.size());
    return input_error(message.data());
  }
  compiled->valid = true;
  return LinePattern(std::move(compiled));
}

bool LinePattern::matches(const std::string& line) const {
  return ::regexec(&compiled_->regex, line.c_str(), 0, nullptr, 0) == 0;
}

}  // namespace whittle::record
