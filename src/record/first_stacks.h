// Who made each call first, and each of its argument values first: which stacks a ptrace recording
// keeps.
//
// A stack is taken when a call begins, since execve, rt_sigreturn and exit do not come back as they
// went, and kept when it has ended: of a refused call only as that of the call's first occurrence,
// for its values are no values of the observation. Not thread-safe.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "evidence/evidence.h"
#include "record/collector.h"
#include "record/stacks.h"

namespace whittle::record {

class FirstStacks {
 public:
  // What was taken of a call that has begun.
  struct Taken {
    std::vector<evidence::Stack> stacks;  // the same frames, for each thing that was new
  };

  // Takes the stack of a task that is in a ptrace stop at the entry of the call. nullopt: nothing
  // of it is new, or the room for it is used up.
  std::optional<Taken> take(const Call& call);
  void keep(const Call& call, Taken taken);

  // Those that are kept, into the observations that they belong to.
  void give(std::vector<evidence::Observation>& observations) const;

 private:
  using Values = std::pair<std::vector<unsigned>, std::vector<std::uint64_t>>;
  struct Entry {
    std::map<Values, evidence::Stack> kept;
    std::map<std::vector<unsigned>, std::size_t> kept_of_unit;
    std::size_t taken = 0;
  };

  StackResolver resolver_;
  std::map<std::pair<syscalls::Arch, std::uint32_t>, Entry> entries_;
};

}  // namespace whittle::record
