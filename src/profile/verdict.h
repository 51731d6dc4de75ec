// What a filter answers for one call.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace whittle::profile {

enum class Action : std::uint8_t {
  kKillProcess,
  kKillThread,
  kTrap,
  kErrno,
  kNotify,
  kTrace,
  kLog,
  kAllow,
};

std::string_view action_name(Action action);  // "kill_process", ..., "errno", "notify", "allow"

struct Verdict {
  Action action = Action::kKillThread;
  std::uint16_t data = 0;  // errno, trap or trace value; 0 else

  bool allows() const { return action == Action::kAllow || action == Action::kLog; }
  bool operator==(const Verdict&) const = default;
};

// "allow", "errno EPERM", "trace 7", "kill_process"
std::string verdict_text(const Verdict& verdict);

}  // namespace whittle::profile
