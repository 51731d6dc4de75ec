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

// "EPERM" for 1; the number itself for one without a name. The numbers are those that x86 and Arm
// share (include/uapi/asm-generic/errno.h).
std::string errno_text(std::uint16_t number);
// 1 for "EPERM"; the second names too (EWOULDBLOCK, EDEADLOCK, ENOTSUP).
std::optional<std::uint16_t> errno_from_text(std::string_view name);

}  // namespace whittle::profile
