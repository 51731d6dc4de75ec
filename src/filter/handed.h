// What a runtime hands to libseccomp: the rules of a profile call by call, after what runc and crun
// do to them on the way (docs/runtimes.md). compile() does the same to the whole profile; this is
// the part that can be asked about single calls, without libseccomp.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "filter/compile.h"
#include "profile/profile.h"

namespace whittle::filter {

struct HandedRule {
  profile::Verdict verdict;
  std::vector<profile::Condition> args;
  // Where it comes from: profile.rules()[rule].names[name].
  std::size_t rule = 0;
  std::size_t name = 0;
};

class Handed {
 public:
  // kRunc and kCrun: rules equal to the default are left out, and a rule with a repeated index is
  // one rule for each of its conditions. `profile` must outlive this.
  Handed(const profile::Profile& profile, Flavour flavour);

  const profile::Profile& profile() const { return *profile_; }
  // The rules of a call, in order; empty when the profile has none for it.
  std::span<const HandedRule> rules(std::string_view call) const;
  // The calls that the profile names, in the order in which it names them; also those of which no
  // rule is left.
  const std::vector<std::string_view>& calls() const { return calls_; }

  // The verdict when it depends on no argument: no rule, or an unconditional one.
  const profile::Verdict* constant(std::string_view call) const;

  // A profile with the rules of these calls alone, one rule a handed rule, in the order of the
  // document.
  profile::Profile only(std::span<const std::string_view> calls) const;

 private:
  const profile::Profile* profile_;
  std::vector<std::string_view> calls_;
  std::unordered_map<std::string_view, std::vector<HandedRule>> rules_;
};

// True for rules of one call of which libseccomp makes what they say, on every architecture that
// whittle knows. A criterion of their form, sure but not sharp: rules for which it is false may be
// compiled well too. In it are:
//  - one unconditional rule among any others (the first of them wins, here as there);
//  - one rule with conditions, each on another argument;
//  - rules of one verdict with one condition each, all on one argument, all values below 2^32;
//  - rules of one verdict whose conditions are EQ or MASKED_EQ on the same arguments under the same
//    masks, all values below 2^32.
// facts: libseccomp 2.5.4 and 2.6.1 merge other sets wrongly; handed_test.cc tries these.
bool compiled_as_written(std::span<const HandedRule> rules);

}  // namespace whittle::filter
