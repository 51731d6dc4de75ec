// A change between two filters in the words of a reviewer.
//
//   subject_text(change) + ": " + headline(change)     // "socket: AF_ALG now allowed"
#pragma once

#include <string>

#include "filter/compare.h"

namespace whittle::filter {

// "socket", "numbers 472 to 1073741823", "the whole ABI".
std::string subject_text(const Change& change);

// What the change means, by the symbols of the call's arguments where they tell it: "AF_ALG now
// allowed", "CLONE_NEWUSER no longer refused", "now refused (errno EPERM)".
std::string headline(const Change& change);

// What was and what is answered, as decision_text() has it; "closed (kill_thread)" and "open" of a
// whole ABI.
std::string before_text(const Change& change);
std::string after_text(const Change& change);

}  // namespace whittle::filter
