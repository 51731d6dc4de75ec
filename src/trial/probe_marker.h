// The marker: a filter that refuses the same calls as another, each with one errno that the kernel
// itself never returns. A call that returns the marker was refused by the filter, whatever else
// could have refused it; one that returns anything else was not.
#pragma once

#include <cstdint>
#include <optional>

#include "filter/program.h"
#include "profile/profile.h"

namespace whittle::trial {

// Below the 4095 of include/linux/err.h and above all that include/uapi/asm-generic/errno.h and
// include/linux/errno.h define (the highest is 531).
constexpr std::uint16_t kMarkerErrno = 4000;

// nullopt for a program that computes what it returns; compilers of profiles make none.
std::optional<filter::Program> with_marker(filter::Program program);

// The same of a document, for runtimes that compile it themselves.
profile::Profile with_marker(const profile::Profile& profile);

}  // namespace whittle::trial
