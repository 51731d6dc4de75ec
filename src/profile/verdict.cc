#include "profile/verdict.h"

#include <array>
#include <cstring>

#include "base/text.h"

namespace whittle::profile {

std::string_view action_name(Action action) {
  constexpr std::array<std::string_view, 8> kNames = {
      "kill_process", "kill_thread", "trap", "errno", "notify", "trace", "log", "allow"};
  return kNames[static_cast<std::size_t>(action)];
}

std::string verdict_text(const Verdict& verdict) {
  std::string name(action_name(verdict.action));
  if (verdict.action == Action::kErrno) return name + " " + errno_text(verdict.data);
  if (verdict.data != 0) return format("{} {}", name, verdict.data);
  return name;
}

std::string errno_text(std::uint16_t number) {
  const char* name = number == 0 ? nullptr : ::strerrorname_np(number);
  return name == nullptr ? format("{}", number) : name;
}

std::optional<std::uint16_t> errno_from_text(std::string_view name) {
  constexpr std::uint16_t kLast = 133;  // EHWPOISON
  for (std::uint16_t number = 1; number <= kLast; ++number) {
    if (errno_text(number) == name) return number;
  }
  if (name == "EWOULDBLOCK") return 11;  // EAGAIN
  if (name == "EDEADLOCK") return 35;    // EDEADLK
  if (name == "ENOTSUP") return 95;      // EOPNOTSUPP
  return std::nullopt;
}

}  // namespace whittle::profile
