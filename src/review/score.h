// What a filter is worth against attacks that are known: how many calls it lets through, and which
// public kernel exploits it stops. The exploits are data (data/exploits.json, docs/exploits.md).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "filter/program.h"
#include "syscalls/arch.h"

namespace whittle::review {

struct ArchScore {
  syscalls::Arch arch;
  std::size_t allowed = 0;  // named calls with some argument vector that gets through
};

// A step of exploits: whether some way to make it gets through, as published and when adapted.
struct StepScore {
  std::string name;
  std::string what;          // the step in words
  std::size_t exploits = 0;  // how many need it
  bool open = false;
  bool open_adapted = false;      // true when `open` is
  std::vector<std::string> ways;  // the open ones: "clone with CLONE_NEWUSER"
};

struct Score {
  std::vector<ArchScore> arches;
  std::vector<StepScore> steps;   // all, in the order of the data
  std::size_t total = 0;          // exploits that are known
  std::vector<std::string> open;  // CVEs of those that the filter does not stop, sorted by age
  // Stopped as they were published: native programs with clean arguments. But let in when adapted,
  // by another ABI of the family that the filter covers (int 0x80, x32), or by bits above the 32
  // that the kernel looks at, which a filter that compares 64 does not. Not part of `open`.
  std::vector<std::string> open_adapted;

  std::size_t blocked() const { return total - open.size(); }
};

// An exploit is stopped when one of the steps that it can't do without is: when the filter refuses
// every way to make that step, over all argument values. What can't be told counts as open.
// `filters` is newest first; `arches` are the ABIs to look at, all of one family.
Result<Score> score(std::span<const filter::Program> filters,
                    std::span<const syscalls::Arch> arches);

}  // namespace whittle::review
