// From observed argument values to sets of values that a rule can allow: what `--arguments` and
// `--headroom` mean for each call.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "generate/generate.h"
#include "generate/meaning.h"
#include "syscalls/arguments.h"

namespace whittle::generate {

// A set of argument values, of the form that libseccomp compiles faithfully: all patterns of one
// call have conditions on the same arguments.
struct Pattern {
  Region region;
  std::string text;      // the values in words: "AF_INET, SOCK_STREAM, IPPROTO_IP"
  bool sibling = false;  // headroom: not observed
  // Why these values need --allow whatever the base says; empty for harmless ones.
  std::string danger;
};

// One pattern for each distinct region, in order of the regions. `values` are those of one
// ArgumentSpec of the call (the first of its specs that has a level), each as long as its indexes.
//
//   socket, socketpair   close-on-exec and non-blocking free; AF_INET and AF_INET6 are one family,
//                        protocol 0 and the type's own protocol are one
//   clone                free: the flags that only say where thread ids and the TLS pointer go
//   mmap, mprotect       by PROT_WRITE and PROT_EXEC alone
//   pipe2                free: close-on-exec, non-blocking, and packets (O_DIRECT)
//   others               the value itself, in the bits that the kernel looks at; close-on-exec and
//                        the like are free
//
// With headroom the harmless siblings of data/value-siblings.tsv come with them.
std::vector<Pattern> patterns(const syscalls::ArgumentSpec& spec,
                              const std::set<std::vector<std::uint64_t>>& values,
                              Headroom headroom);

// Calls between which timing and sizes choose: data/call-siblings.tsv.
struct CallSiblings {
  std::vector<std::string> seen;  // once one of these is needed ...
  std::vector<std::string> also;  // ... these may be, too
};
const std::vector<CallSiblings>& call_siblings();

// The calls that the C library makes when the vDSO cannot answer (clock source, time name space).
const std::set<std::string>& vdso_calls();

}  // namespace whittle::generate
