#include "trial/watch.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <tuple>
#include <utility>

#include "base/clock.h"
#include "base/text.h"
#include "filter/compile.h"
#include "filter/survey.h"
#include "record/refusals.h"
#include "record/signals.h"
#include "syscalls/table.h"
#include "trial/judge.h"
#include "trial/watch_drift.h"
#include "trial/watch_rule.h"

namespace whittle::trial {

namespace {

using profile::Action;
using syscalls::Arch;
using Filters = std::vector<filter::Program>;

constexpr profile::Verdict kNoSuchCall = {Action::kErrno, ENOSYS};

// A profile with the ENOSYS rules of filters whose profile is not known: what they refuse most
// calls with is its default.
profile::Profile fallbacks_of(const Filters& filters) {
  std::map<std::pair<Action, unsigned>, std::size_t> answers;
  profile::Rule rule;
  rule.verdict = kNoSuchCall;
  for (const filter::SurveyedCall& call : filter::survey(filters, syscalls::host_arch())) {
    const auto verdict = call.decision.constant();
    if (!verdict || verdict->allows()) continue;
    ++answers[{verdict->action, verdict->data}];
    if (*verdict == kNoSuchCall) rule.names.emplace_back(call.name);
  }
  profile::Profile::Parts parts;
  std::size_t most = 0;
  for (const auto& [answer, calls] : answers) {
    if (calls <= most) continue;
    most = calls;
    parts.default_verdict = {answer.first, static_cast<std::uint16_t>(answer.second)};
  }
  for (const Arch arch : {Arch::kX86_64, Arch::kX86, Arch::kX32}) {
    parts.architectures.emplace_back(syscalls::oci_arch(arch));
  }
  if (!rule.names.empty()) parts.rules.push_back(std::move(rule));
  return profile::Profile(std::move(parts));
}

// Whether all refusals are answers that the recorder keeps before it knows the filter
// (EbpfRecorder::judge_unknown).
bool answers_as_most(const Filters& filters) {
  for (const Arch arch : {Arch::kX86_64, Arch::kX86, Arch::kX32}) {
    for (const filter::SurveyedCall& call : filter::survey(filters, arch)) {
      for (const filter::Path& path : call.decision.paths) {
        const unsigned answer = path.verdict.data;
        const bool usual = answer == EPERM || answer == EACCES || answer == ENOSYS;
        if (path.verdict.action == Action::kErrno && !usual) return false;
      }
    }
  }
  return true;
}

class Watcher {
 public:
  explicit Watcher(const WatchSpec& spec) : spec_(spec), log_(spec.show) {
    if (spec.evidence) drift_.emplace(*spec.evidence);
  }

  Result<WatchReport> run() {
    if (!record::may_use_ebpf()) {
      return environment_error(
          "watching what runs already needs root (CAP_BPF and CAP_PERFMON for eBPF, CAP_SYS_ADMIN "
          "to read its filter back)",
          {},
          "run as root; without it `whittle verify --runtime none --profile P -- CMD` shows the "
          "denials of a command that it starts");
    }
    if (spec_.profile) {
      const bool process = spec_.target.kind == record::Target::Kind::kProcess;
      TRY_ASSIGN(filter::Compiled compiled,
                 filter::compile(*spec_.profile,
                                 process ? filter::Flavour::kNative : filter::Flavour::kRunc));
      program_ = {std::move(compiled.program)};
      profile_specs_ = record::judge_specs(program_.front());
    }
    const double began = monotonic_seconds();
    if (spec_.time_limit) deadline_ = began + *spec_.time_limit;
    do {
      ++round_;
      TRY(follow());
    } while (spec_.target.wait && !over());
    log_.flush(monotonic_seconds(), true);
    if (log_.untold() != 0) lost_["sightings"] += log_.untold();
    WatchReport report;
    report.denials = log_.totals(SightingKind::kDenial);
    report.drifts = log_.totals(SightingKind::kDrift);
    report.fallbacks = log_.totals(SightingKind::kFallback);
    report.fallback_calls = log_.calls(SightingKind::kFallback);
    report.lost = lost_;
    report.lives = lives_;
    report.seconds = monotonic_seconds() - began;
    return report;
  }

 private:
  bool over() const {
    return closed_ || record::SignalCatcher::caught() > 0 ||
           (deadline_ && monotonic_seconds() >= *deadline_);
  }

  // One recording of the target: of what runs, or of all starts from now on.
  Result<void> follow() {
    record::Target target = spec_.target;
    target.doing = "watching";
    target.lives = target.wait ? UINT64_MAX : 1;
    bool attached = false;
    target.attached = [&](const std::string& text) {
      attached = true;
      spec_.say(text);
    };
    target.to_judge = [this](std::vector<record::JudgeSpec> of_filter) {
      return to_judge(std::move(of_filter));
    };
    target.watch = [this](const record::TargetView& view) { return look(view); };
    record::RecordSpec spec;
    spec.backend = record::Backend::kEbpf;
    if (deadline_) spec.time_limit = std::max(0.001, *deadline_ - monotonic_seconds());
    auto runs = record::record_target(target, spec);
    if (failure_) return tl::unexpected(*std::move(failure_));
    if (!runs) {
      // Waiting that ends without a start is an end like any other.
      if (attached && target.wait && over()) return {};
      return tl::unexpected(std::move(runs).error());
    }
    for (const evidence::Run& run : *runs) {
      if (run.part == "exec") continue;  // its losses are the same
      for (const auto& [kind, count] : run.lost) {
        const bool of_evidence = kind == "late_start" || kind == "refusals";
        if (!of_evidence && count != 0) lost_[kind] += count;
      }
    }
    return {};
  }

  std::vector<record::JudgeSpec> to_judge(std::vector<record::JudgeSpec> specs) const {
    specs.insert(specs.end(), profile_specs_.begin(), profile_specs_.end());
    if (drift_) specs.insert(specs.end(), drift_->specs().begin(), drift_->specs().end());
    specs = record::unite(specs);
    // So that the rule that would allow a call knows with which values it was made.
    for (record::JudgeSpec& spec : specs) {
      const std::string name = syscalls::display_name(spec.arch, spec.nr);
      const std::uint8_t more = rule_arguments(spec.arch, name);
      if (more == 0) continue;
      spec.arguments = static_cast<std::uint8_t>(spec.arguments | more);
      spec.never_allowed = false;
    }
    return specs;
  }

  // ---- at each view

  // What a life is judged by: once, when it begins.
  bool begin_life(const record::TargetView& view) {
    const std::pair id = {round_, view.life};
    if (id == life_) return true;
    life_ = id;
    ++lives_;
    looked_at_.clear();
    told_of_others_ = false;
    const bool known = view.filters.has_value();
    const bool as_before = !known && !spec_.profile && view.from_start && !in_force_.empty();
    if (!as_before) in_force_ = known ? *view.filters : program_;
    fallbacks_ = spec_.profile;
    if (!fallbacks_ && !in_force_.empty()) fallbacks_ = fallbacks_of(in_force_);
    if (view.from_start && !in_force_.empty() && !answers_as_most(in_force_)) {
      spec_.say(
          "its filter answers with errnos that are not usual: until it was read those were "
          "not told");
      lost_["early"] += 1;
    }
    if (as_before) {
      spec_.say(format("its filter cannot be read back ({}): judged by that of the start before",
                       view.unreadable));
    } else if (!known && !spec_.profile) {
      const std::string text = "its filter cannot be read back: " + view.unreadable;
      if (!drift_ && !view.from_start) {
        return fail(environment_error(text, {}, "give the profile: --profile P"));
      }
      spec_.say(text + (drift_ ? "; only drift is told" : "; with --profile P it would be judged"));
      lost_["filter"] += 1;
    } else if (!known) {
      spec_.say(
          format("its filter cannot be read back ({}): judged by the profile, as far as "
                 "results tell",
                 view.unreadable));
    } else if (in_force_.empty() && program_.empty() && !drift_) {
      return fail(input_error("it is under no filter: nothing is refused", {},
                              "--profile P tells what a profile would refuse, --evidence E what "
                              "is new"));
    } else if (in_force_.empty()) {
      spec_.say("it is under no filter: only drift is told");
    } else {
      std::vector<std::string> sizes;
      for (const filter::Program& program : in_force_)
        sizes.push_back(format("{}", program.size()));
      spec_.say(format("judged by {} in force, of {} instructions",
                       plural(in_force_.size(), "filter"), join(sizes, " and ")));
    }
    return true;
  }

  bool fail(tl::unexpected<Error> error) {
    failure_ = std::move(error.value());
    return false;
  }

  bool look(const record::TargetView& view) {
    if (!begin_life(view)) return false;
    const bool known = view.filters.has_value();
    if (view.otherwise_filtered != 0 && !std::exchange(told_of_others_, true)) {
      spec_.say(format(
          "{} of it {} under other filters than the first: what only those refuse is "
          "not told",
          plural(view.otherwise_filtered, "process"), view.otherwise_filtered == 1 ? "is" : "are"));
      lost_["filters"] += view.otherwise_filtered;
    }
    std::vector<Sighting> sightings;
    if (!in_force_.empty()) {
      Judge judge(*fallbacks_, in_force_, view.kept, Judge::By::kResult);
      for (const record::JudgedCall& call : view.snapshot.judged) judge.add(call);
      const auto against = known ? SightingAgainst::kFilter : SightingAgainst::kProfile;
      take(judge, SightingKind::kDenial, against, sightings);
      if (view.ended) count_undecided(judge, view);
    }
    if (!program_.empty()) {
      Judge judge(*spec_.profile, program_, view.kept, Judge::By::kArguments);
      for (const record::JudgedCall& call : view.snapshot.judged) {
        if (!is_refused(call)) judge.add(call);
      }
      take(judge, SightingKind::kDrift, SightingAgainst::kProfile, sightings);
    }
    if (drift_) {
      auto found = drift_->find(view.snapshot, view.kept, [this](const record::JudgedCall& call) {
        return is_refused(call);
      });
      for (Sighting& sighting : found) {
        add_rule(sighting, sighting.told_by);
        sightings.push_back(std::move(sighting));
      }
    }
    // A life of an earlier recording of the target comes before all of this one.
    log_.update((round_ << 32U) + view.life, view.entered ? 1 : 0, sightings);
    if (!log_.flush(monotonic_seconds(), false)) closed_ = true;
    return !over();
  }

  bool is_refused(const record::JudgedCall& call) const {
    if (in_force_.empty()) return false;
    const auto verdict =
        filter::evaluate_all(in_force_, filter::call(call.arch, call.nr, call.args));
    return verdict && !verdict->allows() && record::answered(*verdict, call);
  }

  void count_undecided(Judge& judge, const record::TargetView& view) {
    const auto lost = view.snapshot.lost.find("judged");
    judge.add_uncounted(view.snapshot.syscalls,
                        lost == view.snapshot.lost.end() ? 0 : lost->second);
    std::uint64_t undecided = 0;
    for (const Undecided& call : judge.undecided()) undecided += call.count;
    if (undecided != 0) lost_["undecided"] += undecided;
  }

  void take(const Judge& judge, SightingKind kind, SightingAgainst against,
            std::vector<Sighting>& into) {
    for (const Denial& denial : judge.denials()) add(denial, kind, against, into);
    for (const Denial& denial : judge.fallbacks()) {
      add(denial, SightingKind::kFallback, against, into);
    }
  }

  void add(const Denial& denial, SightingKind kind, SightingAgainst against,
           std::vector<Sighting>& into) {
    Sighting sighting;
    sighting.kind = kind;
    sighting.against = against;
    sighting.call = denial;
    const Filters& filters = kind == SightingKind::kDenial ? in_force_ : program_;
    if (kind != SightingKind::kFallback) {
      sighting.told_by = static_cast<std::uint8_t>(looked_at(filters, kind, denial) |
                                                   rule_arguments(denial.arch, denial.syscall));
      add_rule(sighting, sighting.told_by);
    }
    into.push_back(std::move(sighting));
  }

  void add_rule(Sighting& sighting, std::uint8_t by) const {
    Denial& call = sighting.call;
    for (unsigned i = 0; i < call.args.size(); ++i) {
      call.args[i] &= argument_mask(call.arch, call.syscall, i);
    }
    const profile::Profile* profile = spec_.profile ? &*spec_.profile : nullptr;
    const bool by_values = sighting.against != SightingAgainst::kEvidence || by != 0;
    sighting.allowance =
        allowance_for(call, by_values ? by : rule_arguments(call.arch, call.syscall), profile);
  }

  // The arguments by which these filters tell calls apart.
  std::uint8_t looked_at(const Filters& filters, SightingKind kind, const Denial& call) {
    const auto key = std::tuple(kind, call.arch, call.nr);
    const auto found = looked_at_.find(key);
    if (found != looked_at_.end()) return found->second;
    std::uint8_t arguments = 0;
    for (const filter::Program& program : filters) {
      const filter::Decision decision = filter::decide(program, call.arch, call.nr);
      arguments |= decision.decided ? decision.arguments : std::uint8_t{0x3f};
    }
    looked_at_[key] = arguments;
    return arguments;
  }

  const WatchSpec& spec_;
  SightingLog log_;
  std::optional<EvidenceDrift> drift_;
  Filters program_;  // of the profile; empty: there is none
  std::vector<record::JudgeSpec> profile_specs_;
  std::optional<double> deadline_;
  bool closed_ = false;  // nobody reads it any more
  std::optional<Error> failure_;
  std::map<std::string, std::uint64_t> lost_;

  std::uint64_t round_ = 0;
  std::uint64_t lives_ = 0;
  std::pair<std::uint64_t, std::uint64_t> life_;  // round, and life in it
  Filters in_force_;                              // in this life
  std::optional<profile::Profile> fallbacks_;     // says which refusals are meant
  bool told_of_others_ = false;
  std::map<std::tuple<SightingKind, Arch, std::uint32_t>, std::uint8_t> looked_at_;
};

}  // namespace

Result<WatchReport> watch(const WatchSpec& spec) { return Watcher(spec).run(); }

}  // namespace whittle::trial
