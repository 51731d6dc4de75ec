// The instructions that runc puts in front of what libseccomp made: numbers above the newest call
// that the profile names get ENOSYS, so that programs fall back to older calls instead of seeing
// EPERM (runc: libcontainer/seccomp/patchbpf; docs/runtimes.md).
#pragma once

#include <cstdint>
#include <span>

#include "filter/program.h"

namespace whittle::filter {

// The largest number that a profile names for one ABI; 0 when it names none.
struct NewestCall {
  std::uint32_t audit_arch = 0;
  bool x32 = false;
  std::uint32_t nr = 0;
};

// runc leaves the stub out when the default action lets the call through: allow, log, trace.
bool has_stub(const profile::Verdict& default_verdict);

// As runc 1.1 lays it out for these ABIs; it ends where the filter begins. runc keeps the ABIs in a
// Go map, whose order is random: with two AUDIT_ARCH values or more the sections may come in
// another order, with the same meaning. The order here is the most likely one, that of `newest`.
Program enosys_stub(std::span<const NewestCall> newest);

}  // namespace whittle::filter
