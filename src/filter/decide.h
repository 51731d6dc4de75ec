// What a program can answer for one (ABI, number), over all argument values.
//
//   const Decision decision = decide(program, Arch::kX86_64, 56);    // clone
//   allowed_with(decision, {{.index = 0, .mask = CLONE_NEWUSER, .nonzero = true}}).args
//
// Exact for programs that compare argument words, or such words under a mask, with constants: all
// that libseccomp and the other known compilers emit. Other arithmetic on arguments, comparing two
// of them and looking at the instruction pointer give `decided` false.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "filter/program.h"
#include "filter/word.h"
#include "profile/verdict.h"

namespace whittle::filter {

// One way through the program: words 2*i and 2*i+1 are the low and high half of argument i.
struct Path {
  std::array<WordConstraint, 12> words;
  profile::Verdict verdict;
};

struct Decision {
  // False: `paths` is not the whole, because of more paths than the bound, a branch on what can't
  // be told exactly (see above), or a program that the kernel would not load (check()).
  bool decided = true;
  std::uint8_t arguments = 0;  // bit i: argument i is looked at
  std::vector<Path> paths;     // satisfiable ones, together all argument values, disjoint

  // The verdict when it does not depend on arguments.
  std::optional<profile::Verdict> constant() const;
  bool always_allows() const;
};

Decision decide(std::span<const sock_filter> program, syscalls::Arch arch, std::uint32_t nr,
                std::size_t most_paths = 4096);

// An argument vector allowed (allow or log) by the program for which every `require` holds:
// (argument[index] & mask) == value, or with `nonzero` (argument[index] & mask) != 0.
struct Requirement {
  unsigned index = 0;
  std::uint64_t mask = UINT64_MAX;
  std::uint64_t value = 0;
  bool nonzero = false;
};
// nullopt: none exists, so the filter refuses the whole set. `decided` false when it can't be told.
struct Reachable {
  bool decided = true;
  std::optional<Arguments> args;
};
Reachable allowed_with(const Decision& decision, std::span<const Requirement> requirements);

}  // namespace whittle::filter
