#include "trial/promotion.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <utility>

#include "base/clock.h"
#include "base/text.h"
#include "filter/compile.h"
#include "filter/decide.h"
#include "syscalls/table.h"

namespace whittle::trial {

namespace {

using evidence::Observation;
using profile::Action;
using profile::Profile;
using profile::Rule;
using profile::Verdict;
using syscalls::Arch;

constexpr Verdict kEnosys{Action::kErrno, ENOSYS};
constexpr Verdict kLog{Action::kLog, 0};

// What the log variant answers where the profile answers that.
Verdict lenient(const Profile& profile, const Verdict& verdict) {
  const bool fallback = verdict == kEnosys && profile.default_verdict() != kEnosys;
  return verdict.allows() || fallback ? verdict : kLog;
}

// The unconditional rule of each call that counts: the first.
std::map<std::string, Verdict> unconditional(const Profile& profile) {
  std::map<std::string, Verdict> verdicts;
  for (const Rule& rule : profile.rules()) {
    if (!rule.args.empty()) continue;
    for (const std::string& name : rule.names) verdicts.emplace(name, rule.verdict);
  }
  return verdicts;
}

Result<void> prove_pair(const filter::Decision& before, const filter::Decision& after,
                        const Profile& profile, const std::string& name) {
  std::uint64_t work = 10'000'000;
  const bool told = before.decided && after.decided;
  for (const filter::Path& real : before.paths) {
    for (const filter::Path& logged : after.paths) {
      if (logged.verdict == lenient(profile, real.verdict)) continue;
      if (told && !filter::intersection(real.words, logged.words, work) && work != 0) continue;
      return input_error(
          format("the rules for {} overlap, so that no profile that logs says exactly what this "
                 "one refuses",
                 name),
          {}, format("write the rules for {} so that they do not overlap", name));
    }
  }
  return {};
}

// Under the meaning of crun, which has no answers of its own for numbers without a rule.
Result<void> prove(const Profile& profile, const Profile& variant) {
  TRY_ASSIGN(const filter::Compiled before, filter::compile(profile, filter::Flavour::kCrun));
  TRY_ASSIGN(const filter::Compiled after, filter::compile(variant, filter::Flavour::kCrun));
  for (const Arch arch : filter::covered_arches(profile)) {
    filter::Decider real(before.program);
    filter::Decider logged(after.program);
    for (const auto& entry : syscalls::entries(arch)) {
      TRY(prove_pair(real.decide(arch, entry.nr), logged.decide(arch, entry.nr), profile,
                     std::string(entry.name)));
    }
  }
  return {};
}

// --- evidence of a deployment held against the profile ---

// The recorded values of the arguments that the filter looks at, each as a whole vector; nullopt:
// they were not all kept.
std::optional<std::vector<filter::Arguments>> vectors(const Observation& call,
                                                      std::uint8_t looked_at) {
  std::vector<filter::Arguments> all;
  const auto covers = [&](std::span<const unsigned> indexes) {
    std::uint8_t bits = 0;
    for (const unsigned index : indexes) bits = static_cast<std::uint8_t>(bits | (1U << index));
    return (looked_at & ~bits) == 0;
  };
  for (const evidence::ArgumentValues& argument : call.args) {
    const unsigned index[] = {argument.index};
    if (!argument.closed || argument.values.empty() || !covers(index)) continue;
    for (const std::uint64_t value : argument.values) all.emplace_back().at(index[0]) = value;
    return all;
  }
  for (const evidence::TupleValues& tuple : call.tuples) {
    if (!tuple.closed || tuple.values.empty() || !covers(tuple.indexes)) continue;
    for (const auto& values : tuple.values) {
      filter::Arguments& args = all.emplace_back();
      for (std::size_t i = 0; i < tuple.indexes.size(); ++i) args.at(tuple.indexes[i]) = values[i];
    }
    return all;
  }
  return std::nullopt;
}

bool is_denial(const Profile& profile, const Verdict& verdict) {
  return !verdict.allows() && lenient(profile, verdict) == kLog;
}

// What the profile would refuse of a call that was seen to work, in words; empty: nothing.
std::string refused_text(const Profile& profile, const filter::Program& program,
                         const Observation& call) {
  if (call.needed() == 0) return {};
  const std::string name = format("{} {}", syscalls::arch_name(call.arch), call.name);
  const filter::Decision decision = filter::decide(program, call.arch, call.nr);
  if (decision.always_allows()) return {};
  if (const auto verdict = decision.constant()) {
    return is_denial(profile, *verdict) ? name + " is refused" : "";
  }
  const auto args = vectors(call, decision.decided ? decision.arguments : std::uint8_t{0x3f});
  if (!args) return name + ": its arguments were not all kept, so it may be refused";
  for (const filter::Arguments& each : *args) {
    const auto verdict = filter::evaluate(program, filter::call(call.arch, call.nr, each));
    if (!verdict || is_denial(profile, *verdict)) {
      return format("{} is refused with some of its arguments", name);
    }
  }
  return {};
}

void widen(LogObservation& observed, std::string_view started, double seconds) {
  const auto from = seconds_since_1970(started);
  if (!from) return;
  observed.from = std::min(observed.from.value_or(*from), *from);
  observed.to = std::max(observed.to.value_or(0), *from + seconds);
}

void judge_run(const Profile& profile, const filter::Program& program, const evidence::Run& run,
               LogObservation& observed) {
  const std::string id = run.id.substr(0, 12);
  if (!run.complete) observed.problems.push_back(format("run {} is incomplete", id));
  widen(observed, run.started, run.duration);
  for (const Observation& call : run.syscalls) {
    const std::string text = refused_text(profile, program, call);
    if (!text.empty()) observed.problems.push_back(format("run {}: {}", id, text));
  }
}

void judge_record(const std::optional<TrialRecord>& record, std::string_view sha256,
                  LogObservation& observed) {
  const RecordedTrial* last = record ? record->last(sha256, Mode::kLog) : nullptr;
  if (last == nullptr) return;
  for (const RecordedTrial& trial : record->trials) {
    if (trial.mode == Mode::kLog && trial.sha256 == sha256) {
      widen(observed, trial.started, trial.seconds);
    }
  }
  if (!last->complete) observed.problems.emplace_back("the last trial in log mode is incomplete");
  if (last->denials != 0) {
    observed.problems.push_back(
        format("the last trial in log mode had {} that enforce mode would "
               "refuse",
               plural(last->denials, "call")));
  } else if (last->complete && !last->pass) {
    observed.problems.emplace_back("the last trial in log mode did not pass");
  }
}

}  // namespace

Result<Profile> log_variant(const Profile& profile) {
  Profile::Parts parts = profile.parts();
  parts.default_verdict = lenient(profile, parts.default_verdict);
  const auto first = unconditional(profile);
  for (Rule& rule : parts.rules) {
    // What a rule for the whole call says counts, and nothing else does: such a rule that would
    // become the default, which runtimes drop, takes the others with it.
    std::erase_if(rule.names, [&](const std::string& name) {
      const auto whole = first.find(name);
      return whole != first.end() && lenient(profile, whole->second) == parts.default_verdict;
    });
    rule.verdict = lenient(profile, rule.verdict);
  }
  std::erase_if(parts.rules, [](const Rule& rule) { return rule.names.empty(); });
  Profile variant(std::move(parts));
  TRY(prove(profile, variant));
  return variant;
}

Result<LogObservation> log_observation(const Profile& profile, std::string_view sha256,
                                       const std::optional<TrialRecord>& record,
                                       std::span<const evidence::Evidence> deployed) {
  LogObservation observed;
  judge_record(record, sha256, observed);
  TRY_ASSIGN(const filter::Compiled compiled, filter::compile(profile, filter::Flavour::kCrun));
  for (const evidence::Evidence& evidence : deployed) {
    for (const evidence::Run& run : evidence.runs) {
      judge_run(profile, compiled.program, run, observed);
    }
  }
  if (!observed.from) {
    observed.problems.emplace_back("nothing is known of this profile in log mode");
  }
  return observed;
}

}  // namespace whittle::trial
