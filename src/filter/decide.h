// What a program can answer for one (ABI, number), over all argument values.
//
//   const Decision decision = decide(program, Arch::kX86_64, 56);    // clone
//   allowed_with(decision, {{.index = 0, .mask = CLONE_NEWUSER, .nonzero = true}}).args
//
// Exact for programs that compare argument words, or such words under a mask, with constants: all
// that libseccomp and the other known compilers emit. Other arithmetic on arguments, comparing two
// of them and looking at the instruction pointer give `decided` false. So does a program made to
// take for ever: the work is bounded, and what was not finished is never guessed.
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

// A set of argument vectors: words 2*i and 2*i+1 are the low and high half of argument i.
using Words = std::array<WordConstraint, 12>;

// One way through the program.
struct Path {
  Words words;
  profile::Verdict verdict;
};

// The vectors in both sets; nullopt when there are none, or when `work` (see word.h) runs out.
std::optional<Words> intersection(const Words& a, const Words& b, std::uint64_t& work);
// The smallest vector of the set; nullopt as above.
std::optional<Arguments> witness(const Words& words, std::uint64_t& work);

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

// A step is an instruction run, or an exclusion looked at, on one path.
struct Bounds {
  std::size_t most_paths = 4096;
  std::uint64_t most_steps = 5'000'000;          // of one decision
  std::uint64_t most_steps_in_all = 20'000'000;  // of all decisions of one Decider
};

// Decides many numbers of one program, which must outlive it.
class Decider {
 public:
  explicit Decider(std::span<const sock_filter> program, const Bounds& bounds = {});

  Decision decide(syscalls::Arch arch, std::uint32_t nr) {
    return decide_from(arch, nr, nr).decision;
  }

  // The decision of `first` and of all numbers after it up to `last`, which have the same.
  struct Range {
    std::uint32_t last = 0;
    Decision decision;
  };
  // Looks no further than `last`. The range is not always the longest: the next one may have the
  // same decision.
  Range decide_from(syscalls::Arch arch, std::uint32_t first, std::uint32_t last);
  // The same for any value of seccomp_data's `arch`.
  Range decide_audit(std::uint32_t audit_arch, std::uint32_t first, std::uint32_t last);

 private:
  std::span<const sock_filter> program_;
  Bounds bounds_;
  bool loads_;  // check() passed
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
