#include "trial/heal.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/text.h"
#include "syscalls/arguments.h"
#include "trial/missing.h"

namespace whittle::trial {

namespace {

using generate::Added;
using generate::Addition;
using generate::LeftOut;

// The call for which an addition is there: itself, or, of a counterpart, the one that was refused.
const Denial* cause_of(const Addition& addition, const std::vector<Denial>& denials) {
  const auto made = [&](const std::string& name) -> const Denial* {
    const auto found = std::find_if(denials.begin(), denials.end(),
                                    [&](const Denial& denial) { return denial.syscall == name; });
    return found == denials.end() ? nullptr : &*found;
  };
  if (const Denial* own = made(addition.syscall)) return own;
  if (addition.syscall == "clone") {
    for (const char* name : {"clone3", "fork", "vfork"}) {
      if (const Denial* other = made(name)) return other;
    }
  }
  for (const syscalls::LegacyCall& pair : syscalls::legacy_calls()) {
    const bool modern =
        std::find(pair.modern.begin(), pair.modern.end(), addition.syscall) != pair.modern.end();
    const Denial* other = modern                            ? made(pair.legacy)
                          : pair.legacy == addition.syscall ? made(pair.modern.front())
                                                            : nullptr;
    if (other != nullptr) return other;
  }
  return nullptr;
}

class Healer {
 public:
  explicit Healer(const HealSpec& spec) : spec_(spec), trial_(spec.trial) {}

  Result<Healing> run() {
    while (true) {
      TRY_ASSIGN(const bool good, try_in(Mode::kLog));
      if (!good) {
        TRY_ASSIGN(const bool more, add_what_is_missing());
        if (more) continue;
        break;
      }
      TRY_ASSIGN(const bool holds, try_in(Mode::kEnforce));
      if (holds) break;
      // What only shows when calls are refused: a path that is taken by chance, or then alone.
      TRY_ASSIGN(const bool more, add_what_is_missing());
      if (!more) break;
    }
    healing_.profile = trial_.profile;
    if (!healing_.pass()) healing_.left = what_is_left();
    return std::move(healing_);
  }

 private:
  const Trial& last() const { return healing_.trials.back(); }

  Result<bool> try_in(Mode mode) {
    if (spec_.progress) {
      spec_.progress(format("run {}, in {} mode", healing_.trials.size() + 1,
                            mode == Mode::kLog ? "log" : "enforce"));
    }
    trial_.mode = mode;
    TRY_ASSIGN(TrialReport report, run_trial(trial_));
    healing_.trials.push_back({mode, std::move(report)});
    return last().report.pass();
  }

  // False when nothing was.
  Result<bool> add_what_is_missing() {
    const TrialReport& report = last().report;
    healing_.not_healed.clear();
    if (report.denials.empty()) return false;
    add_uncovered(report);
    evidence::Evidence missing;
    TRY_ASSIGN(evidence::Run run, missing_calls(report, trial_));
    missing.runs.push_back(run);
    TRY_ASSIGN(Added added,
               generate::add_missing(trial_.profile, missing, spec_.options, spec_.never));
    for (const LeftOut& left : added.left_out) leave_out(left, report.denials);
    if (added.additions.empty()) return false;
    if (healing_.rounds == spec_.rounds) {
      out_of_rounds_ = true;
      return false;
    }
    ++healing_.rounds;
    take(added, report.denials);
    healing_.runs.push_back(evidence_of(report, std::move(run)));
    return true;
  }

  void add_uncovered(const TrialReport& report) {
    std::vector<syscalls::Arch> told;
    for (const Denial& denial : report.denials) {
      if (is_covered(trial_.profile, denial.arch)) continue;
      if (std::find(told.begin(), told.end(), denial.arch) != told.end()) continue;
      told.push_back(denial.arch);
      healing_.not_healed.push_back({denial, "",
                                     format("the profile does not list {}: all of its calls are "
                                            "refused",
                                            syscalls::arch_name(denial.arch)),
                                     ""});
    }
  }

  void leave_out(const LeftOut& left, const std::vector<Denial>& denials) {
    const Denial* cause = cause_of({left.syscall, {}, {}}, denials);
    if (cause == nullptr) return;  // of another architecture's call in its place
    healing_.not_healed.push_back({*cause, left.value, left.why, left.fix});
  }

  void take(Added& added, const std::vector<Denial>& denials) {
    std::map<std::string, Healed> by_call;
    for (Addition& addition : added.additions) {
      const Denial* cause = cause_of(addition, denials);
      if (cause == nullptr) continue;
      Healed& healed = by_call[cause->syscall];
      healed.cause = *cause;
      healed.round = healing_.rounds;
      const bool own = addition.syscall == cause->syscall;
      healed.additions.insert(own ? healed.additions.begin() : healed.additions.end(),
                              std::move(addition));
    }
    for (auto& [name, healed] : by_call) {
      for (const Denial& denial : denials) {
        if (denial.syscall == name) healed.count += denial.count;
      }
      healing_.added.push_back(std::move(healed));
    }
    trial_.profile = std::move(added.profile);
    trial_.profile_json = profile::write_oci(trial_.profile);
  }

  // The whole recording where there is one, else what was missing.
  evidence::Run evidence_of(const TrialReport& report, evidence::Run missing) const {
    if (report.via == Via::kEbpf && trial_.mode == Mode::kLog) return report.run;
    missing.notes.emplace_back("holds nothing but the calls that the profile refused");
    return missing;
  }

  std::string what_is_left() const {
    const TrialReport& report = last().report;
    if (out_of_rounds_) {
      return format("after {} there is still something to add: try more (--rounds)",
                    plural(spec_.rounds, "round"));
    }
    if (!healing_.not_healed.empty()) {
      return plural(healing_.not_healed.size(), "refused call") + " not added";
    }
    if (!report.denials.empty()) return "what was added does not help";
    if (!report.exercised()) {
      return last().mode == Mode::kLog
                 ? "an exercise fails though nothing is refused: it is not for the profile"
                 : "an exercise fails in enforce mode, though nothing was refused";
    }
    if (!report.undecided.empty())
      return "of some calls it cannot be told whether they are refused";
    return "what was seen is incomplete";
  }

  const HealSpec& spec_;
  TrialSpec trial_;
  Healing healing_;
  bool out_of_rounds_ = false;
};

}  // namespace

bool Healing::pass() const {
  return !trials.empty() && trials.back().mode == Mode::kEnforce && trials.back().report.pass();
}

Result<Healing> heal(const HealSpec& spec) { return Healer(spec).run(); }

}  // namespace whittle::trial
