// What a profile refused a workload, and what could not be told. Value types.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "profile/verdict.h"
#include "syscalls/arch.h"

namespace whittle::trial {

// One refused call; occurrences that are alike are one with a count.
struct Denial {
  syscalls::Arch arch = syscalls::Arch::kX86_64;
  std::string syscall;
  std::uint32_t nr = 0;
  std::array<std::uint64_t, 6> args{};  // those that the filter looks at; the others are 0
  profile::Verdict verdict;
  std::string comm;
  std::string phase;  // an exercise's name, "startup", "ready", "stop"; "runtime" for the container
                      // runtime's own calls
  std::uint64_t count = 0;
};

// Occurrences of a call of which it is not known whether the filter refused them. Never a pass.
struct Undecided {
  syscalls::Arch arch = syscalls::Arch::kX86_64;
  std::string syscall;
  std::uint32_t nr = 0;
  std::uint64_t count = 0;
  std::string why;  // one line
};

}  // namespace whittle::trial
