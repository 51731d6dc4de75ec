// What evidence says that a workload needs, in the words of every architecture that is written.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "evidence/evidence.h"
#include "generate/generate.h"
#include "syscalls/arch.h"

namespace whittle::generate {

// The observed values of one ArgumentSpec of a call.
struct SeenValues {
  bool closed = true;  // false: a run did not keep them all, or kept none
  std::set<std::vector<std::uint64_t>> values;
};

struct Need {
  std::vector<Reason> why;
  std::map<std::vector<std::uint8_t>, SeenValues> values;  // by the indexes of the spec
  // True when something needs the call whose argument values are not known (the rule floor, a
  // counterpart): the arguments stay at the base's level.
  bool any_values = false;
};

struct Needs {
  std::map<std::string, Need> calls;  // without clone3
  // Never did anything but return ENOSYS -> how often.
  std::map<std::string, std::uint64_t> only_enosys;
  std::set<syscalls::Arch> abis;        // of `considered`, those with a needed call
  std::set<syscalls::Arch> other_abis;  // needed calls of other ABIs: not in `calls`
  std::set<std::string> nameless;       // "syscall_463": needed, but no rule can name it
  std::vector<std::string> notes;
};

// `considered`: the ABIs whose observations count. Calls of x86_64 bring what C libraries call on
// aarch64 in their place, and the other way round (syscalls::legacy_calls()), for those that are in
// `written`. clone3 with flags F and exit signal S counts as clone(F|S). REQUIRES: the runs are
// sorted as evidence::merge() leaves them.
Needs collect_needs(const evidence::Evidence& evidence, const std::set<syscalls::Arch>& considered,
                    const std::set<syscalls::Arch>& written);

}  // namespace whittle::generate
