// Healing a profile: a workload is run under it in log mode, what was missing is added, and so on
// until nothing is; then it has to hold in enforce mode. docs/heal.md.
//
//   HealSpec spec{.trial = trial, .options = options, .never = dangerous};
//   TRY_ASSIGN(const Healing healing, heal(spec));
//   healing.pass(), healing.profile, healing.added
//
// It writes nothing. A call is added with the rules that generate() makes of its evidence
// (generate/additions.h): never looser than the base but for options.allow.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "evidence/evidence.h"
#include "generate/additions.h"
#include "trial/denial.h"
#include "trial/trial.h"

namespace whittle::trial {

struct HealSpec {
  TrialSpec trial;            // `mode` is not looked at; `profile` is where it starts
  generate::Options options;  // the base, and how rules are made; `arches` those of the profile
  std::vector<generate::LeftOut> never;  // calls that are not added, each with the reason
  unsigned rounds = 5;                   // at most so often something is added
  std::function<void(const std::string&)> progress;  // what it does now
};

// A call that was added, with those that other architectures make in its place.
struct Healed {
  Denial cause;                               // the first refusal
  std::uint64_t count = 0;                    // refusals of the call in that round, all together
  std::vector<generate::Addition> additions;  // the call's own first, when it has one
  unsigned round = 0;                         // from 1
};

// A refused call that was not added.
struct NotHealed {
  Denial cause;
  std::string value;  // the argument values in words; empty: the whole call
  std::string why;
  std::string fix;  // "--allow mount"; empty: there is none
};

struct Trial {
  Mode mode = Mode::kLog;
  TrialReport report;
};

struct Healing {
  profile::Profile profile{profile::Profile::Parts{}};
  unsigned rounds = 0;                // runs after which something was added
  std::vector<Healed> added;          // in the order in which they were
  std::vector<NotHealed> not_healed;  // of the last run in which something was refused
  std::vector<evidence::Run> runs;    // what showed that calls are missing, a run for each round
  std::vector<Trial> trials;          // all of them, in order
  std::string left;                   // what keeps it from passing; empty when it does

  // The last trial was one in enforce mode, and passed.
  bool pass() const;
};

// Errors as run_trial() and generate::add_missing() have them.
Result<Healing> heal(const HealSpec& spec);

}  // namespace whittle::trial
