// What a profile refused a workload, and what could not be told. Value types.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "evidence/evidence.h"
#include "profile/verdict.h"
#include "syscalls/arch.h"

namespace whittle::trial {

// What is known of one occurrence: the first of its kind.
struct Occurrence {
  std::array<std::uint64_t, 6> args{};
  std::uint8_t known = 0;              // bit i: args[i] was seen, and is a parameter of the call
  pid_t thread = 0;                    // in our pid namespace; 0: not known
  std::string executable;              // the path that the process runs; empty: not known
  std::optional<double> time;          // seconds since the start of the trial
  std::vector<evidence::Frame> stack;  // innermost first; empty: not known
};

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
  Occurrence first;
};

// The call in words: "socket(AF_ALG, SOCK_SEQPACKET, 0)". An argument that was not seen is "_".
std::string call_text(const Denial& denial);

// The frame that says whose call it is: the innermost outside the C library, which makes most calls
// in the name of others; else the innermost. nullptr: nothing is known.
const evidence::Frame* origin(const Denial& denial);
// "make_cache in /usr/bin/app+0x1189", "/usr/bin/app+0x2b", "0x7f12".
std::string frame_text(const evidence::Frame& frame);

// How many parameters' registers mean something: on ABIs where it is known, that many; else six.
unsigned meaningful_arguments(syscalls::Arch arch, const std::string& syscall);

// Occurrences of a call of which it is not known whether the filter refused them. Never a pass.
struct Undecided {
  syscalls::Arch arch = syscalls::Arch::kX86_64;
  std::string syscall;
  std::uint32_t nr = 0;
  std::uint64_t count = 0;
  std::string why;  // one line
};

}  // namespace whittle::trial
