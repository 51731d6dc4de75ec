// The documented meaning of a profile's rules (profile/profile.h: documented_verdict()) over all
// argument values at once, as a decision like that of a program.
#pragma once

#include <string_view>

#include "filter/decide.h"
#include "profile/profile.h"
#include "syscalls/arch.h"

namespace whittle::filter {

// Of the call of that name on an ABI that the profile covers (covered_arches()). On ABIs of 32 bits
// the high halves of arguments are free.
Decision documented_decision(const profile::Profile& profile, syscalls::Arch arch,
                             std::string_view name, const Bounds& bounds = {});

}  // namespace whittle::filter
