// A profile changed as little as possible so that it refuses one way to make a step of an exploit:
// the call with the argument values that the step needs, or the whole call.
//
// What comes out is a proposal. Whether the filter that a runtime makes of it refuses the way is
// for the caller to check (review/closing.h does): rules can say more than libseccomp compiles.
#pragma once

#include <string>
#include <vector>

#include "filter/compile.h"
#include "profile/profile.h"
#include "review/exploits.h"

namespace whittle::review {

struct Refusal {
  profile::Profile profile;           // all of it, with the change
  std::vector<std::string> pointers;  // the rules that allow the call now: "/syscalls/3"
  std::vector<profile::Rule> rules;   // those of the call that come in their place; may be none
  std::string text;                   // the change in words
};

// Refuses the call when it has the arguments of the way; a way without requirements is the whole
// call. Also of a profile whose default allows.
Refusal refuse(const profile::Profile& profile, filter::Flavour flavour, const Way& way);
// Refuses the call whatever its arguments. clone3 is answered ENOSYS, so that C libraries fall back
// to clone.
Refusal refuse_whole(const profile::Profile& profile, const std::string& syscall);

}  // namespace whittle::review
