#include "trial/notify_filter.h"

#include <algorithm>

namespace whittle::trial {

namespace {

bool returns(const sock_filter& instruction) { return BPF_CLASS(instruction.code) == BPF_RET; }
bool returns_constant(const sock_filter& instruction) {
  return returns(instruction) && BPF_RVAL(instruction.code) == BPF_K;
}

}  // namespace

filter::Program asking_program(const filter::Program& program) {
  filter::Program out = program;
  for (sock_filter& instruction : out) {
    if (!returns(instruction)) continue;
    if (returns_constant(instruction) && filter::verdict_of(instruction.k).allows()) continue;
    instruction = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
  }
  return out;
}

bool answers_trap(const filter::Program& program) {
  return std::any_of(program.begin(), program.end(), [](const sock_filter& instruction) {
    return returns_constant(instruction) &&
           filter::verdict_of(instruction.k).action == profile::Action::kTrap;
  });
}

}  // namespace whittle::trial
