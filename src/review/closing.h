// Which rules would close the exploits that a profile leaves open, and what the workload loses by
// them.
//
// For each open exploit one of its steps is chosen and refused by the smallest change (refuse.h):
// preferably a step that the workload is not seen to make, one that takes no whole call away, and
// one that closes many exploits at once. Each suggestion is tried: the changed profile is compiled,
// the step is then refused over all argument values, and nothing is looser than before.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "evidence/evidence.h"
#include "filter/compile.h"
#include "profile/profile.h"
#include "review/exploits.h"
#include "syscalls/arch.h"

namespace whittle::review {

// What evidence says of one way to make a step.
enum class Use : std::uint8_t {
  kNotAsked,  // no evidence was given
  kNotSeen,
  kUntold,  // the call is made; whether with these arguments is not known
  kSeen,
};
Use use_of(const evidence::Evidence& evidence, const Way& way);

struct ClosedWay {
  std::string syscall;
  std::string suggestion;             // "refuse clone with CLONE_NEWUSER: allow it only when ..."
  std::vector<std::string> pointers;  // the rules of the profile that allow the call now
  std::vector<profile::Rule> rules;   // those of the call that come in their place; may be none
  Use use = Use::kNotAsked;
  std::string loses;  // what that means for the workload; empty without evidence
};

struct Closing {
  std::string step;
  std::string what;               // the step in words
  std::vector<ClosedWay> ways;    // every way that is open; all of them must go
  std::vector<std::string> cves;  // the exploits that this is suggested for
};

struct Closings {
  syscalls::Arch arch = syscalls::Arch::kX86_64;  // the ABI for which the exploits are judged
  std::vector<Closing> closings;                  // those that close most first
  std::vector<std::string> without;  // open exploits for which no closing rule was found
  std::size_t blocked_then = 0;      // exploits that the profile stops with all closings together
};

// `evidence` may be null. Errors: those of compile().
Result<Closings> closings(const profile::Profile& profile, filter::Flavour flavour,
                          const evidence::Evidence* evidence);

}  // namespace whittle::review
