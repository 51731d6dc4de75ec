#include "profile/verdict.h"

#include <array>

#include "base/errno_name.h"
#include "base/text.h"

namespace whittle::profile {

std::string_view action_name(Action action) {
  constexpr std::array<std::string_view, 8> kNames = {
      "kill_process", "kill_thread", "trap", "errno", "notify", "trace", "log", "allow"};
  return kNames[static_cast<std::size_t>(action)];
}

std::string verdict_text(const Verdict& verdict) {
  std::string name(action_name(verdict.action));
  if (verdict.action == Action::kErrno) {
    const std::string error = errno_name(verdict.data);
    return format("{} {}", name, errno_from_name(error) ? error : std::to_string(verdict.data));
  }
  if (verdict.data != 0) return format("{} {}", name, verdict.data);
  return name;
}

}  // namespace whittle::profile
