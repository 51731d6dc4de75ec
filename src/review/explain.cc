#include "review/explain.h"

#include <algorithm>
#include <optional>
#include <set>

#include "base/text.h"
#include "filter/library.h"
#include "filter/survey.h"
#include "review/dangerous.h"
#include "review/exploits.h"
#include "review/steps.h"
#include "syscalls/table.h"

namespace whittle::review {

namespace {

using evidence::Observation;
using generate::Because;
using generate::Reason;
using profile::Profile;
using syscalls::Arch;

// A rule for a name that this libseccomp does not know is passed over by a runtime that uses it:
// the verdict of the program is then not what the document says.
void note_unknown_name(const Profile& profile, const std::string& call, Verdict& verdict) {
  const auto& rules = profile.rules();
  const bool named = std::any_of(rules.begin(), rules.end(), [&call](const profile::Rule& rule) {
    return std::find(rule.names.begin(), rule.names.end(), call) != rule.names.end();
  });
  if (!named || filter::libseccomp_knows(call)) return;
  verdict.text += format(" (libseccomp {} here does not know the name, so its rule is passed over)",
                         filter::libseccomp().version);
}

bool opens(const Verdict& verdict) { return verdict.answer != Answer::kRefused; }

// The exploits' steps that one profile lets through on the ABIs of one family.
class Exploitable {
 public:
  Exploitable(const Exploits& known, const filter::Program& program, std::vector<Arch> arches)
      : known_(known), program_(program), arches_(std::move(arches)) {
    const StepJudge judge({&program_, 1}, arches_);
    for (const Step& step : known_.steps) open_.push_back(judge.is_open(step));
  }

  void add_to(const std::string& call, Arch arch, std::vector<Exposure>& exposes) const {
    const StepJudge judge({&program_, 1}, arches_);
    for (std::size_t i = 0; i < known_.steps.size(); ++i) {
      for (const Way& way : known_.steps[i].ways) {
        if (way.syscall == call && judge.passes(way, arch)) add_step(i, way, exposes);
      }
    }
  }

 private:
  void add_step(std::size_t step, const Way& way, std::vector<Exposure>& exposes) const {
    for (const Exploit& exploit : known_.exploits) {
      const auto& needs = exploit.needs;
      if (std::find(needs.begin(), needs.end(), step) == needs.end()) continue;
      Exposure one;
      one.kind = Exposure::Kind::kExploit;
      one.text = way.args.empty() ? known_.steps[step].what
                                  : values_text(way) + ": " + known_.steps[step].what;
      one.cve = exploit.cve;
      one.step = known_.steps[step].name;
      one.open =
          std::all_of(needs.begin(), needs.end(), [this](std::size_t s) { return open_[s]; });
      exposes.push_back(std::move(one));
    }
  }

  const Exploits& known_;
  const filter::Program& program_;
  std::vector<Arch> arches_;
  std::vector<bool> open_;
};

void add_notable(const Explanation& one, std::vector<Exposure>& exposes) {
  if (one.purpose == nullptr) return;
  if (const auto* group = syscalls::group(one.purpose->group)) {
    exposes.push_back({Exposure::Kind::kSubsystem, std::string(group->subsystem), {}, {}, {}, {}});
  }
  if (!one.purpose->exposes.empty()) {
    exposes.push_back(
        {Exposure::Kind::kNotable, std::string(one.purpose->exposes), {}, {}, {}, {}});
  }
  if (const Dangerous* danger = dangerous_call(one.syscall)) {
    exposes.push_back(
        {Exposure::Kind::kDanger, std::string(danger->why), danger->severity, {}, {}, {}});
  }
}

// The calls that the evidence needs, that the base refuses, and that the profile allows all the
// same: whoever made it gave --allow, or wrote the rule by hand.
std::set<std::string> allowed_beyond(const generate::Outcome& outcome, const Profile& profile) {
  std::set<std::string> calls;
  for (const generate::LeftOut& entry : outcome.left_out) {
    if (!entry.fix.starts_with("--allow ")) continue;
    const bool named = std::any_of(
        profile.rules().begin(), profile.rules().end(), [&entry](const profile::Rule& rule) {
          return rule.verdict.allows() &&
                 std::find(rule.names.begin(), rule.names.end(), entry.syscall) != rule.names.end();
        });
    if (named) calls.insert(entry.syscall);
  }
  return calls;
}

// What generate would do with the evidence. Without evidence: what it puts in every profile.
Result<generate::Outcome> generated(const ExplainQuestion& question) {
  const evidence::Evidence none;
  const evidence::Evidence& evidence = question.evidence == nullptr ? none : *question.evidence;
  TRY_ASSIGN(generate::Outcome outcome, generate::generate(evidence, question.options));
  if (question.profile == nullptr) return outcome;
  generate::Options options = question.options;
  const auto beyond = allowed_beyond(outcome, *question.profile);
  if (beyond.empty()) return outcome;
  options.allow.insert(beyond.begin(), beyond.end());
  return generate::generate(evidence, options);
}

class Explainer {
 public:
  Explainer(const ExplainQuestion& question, const Profile& profile,
            const generate::Outcome& outcome, const Exploits& exploits)
      : question_(question), profile_(profile), outcome_(outcome), exploits_(exploits) {}

  Result<std::vector<Explanation>> run() {
    TRY_ASSIGN(program_, compiled(profile_));
    for (const auto& [family, base] : question_.options.base) {
      TRY_ASSIGN(bases_[family], compiled(base));
    }
    if (question_.evidence != nullptr) observed_ = question_.evidence->syscalls();
    for (const profile::Rule& rule : profile_.rules()) {
      named_.insert(rule.names.begin(), rule.names.end());
    }
    for (const Arch arch : arches()) explain_arch(arch);
    return std::move(explanations_);
  }

 private:
  Result<filter::Program> compiled(const Profile& profile) const {
    TRY_ASSIGN(filter::Compiled result, filter::compile(profile, question_.flavour));
    return std::move(result.program);
  }

  std::vector<Arch> arches() const {
    if (!question_.arches.empty()) return question_.arches;
    std::set<Arch> arches;
    for (const Arch arch : filter::covered_arches(profile_)) arches.insert(arch);
    for (const Observation& one : observed_) arches.insert(one.arch);
    return {arches.begin(), arches.end()};
  }

  const Observation* observation(Arch arch, std::uint32_t nr) const {
    const auto found =
        std::find_if(observed_.begin(), observed_.end(),
                     [&](const Observation& one) { return one.arch == arch && one.nr == nr; });
    return found == observed_.end() ? nullptr : &*found;
  }

  // What is asked again and again of one ABI.
  struct Abi {
    Arch arch;
    Exploitable exploitable;
    filter::Decider profile;
    std::optional<filter::Decider> base;
  };

  void explain_arch(Arch arch) {
    std::vector<Arch> family;
    for (const Arch covered : filter::covered_arches(profile_)) {
      if (syscalls::native_of(covered) == syscalls::native_of(arch)) family.push_back(covered);
    }
    Abi abi{arch, Exploitable(exploits_, program_, family), filter::Decider(program_), {}};
    const auto base = bases_.find(syscalls::native_of(arch));
    if (base != bases_.end()) abi.base.emplace(base->second);
    for (const syscalls::Entry& entry : syscalls::entries(arch)) {
      explain_call(abi, std::string(entry.name), entry.nr);
    }
    for (const Observation& one : observed_) {  // numbers without a name
      if (one.arch == arch && !syscalls::number(arch, one.name)) {
        explain_call(abi, one.name, one.nr);
      }
    }
  }

  void explain_call(Abi& abi, const std::string& name, std::uint32_t nr) {
    if (!question_.call.empty() && name != question_.call) return;
    Explanation one;
    one.arch = abi.arch;
    one.syscall = name;
    one.nr = nr;
    one.purpose = syscalls::purpose(name);
    const filter::Decision decision = abi.profile.decide(abi.arch, nr);
    one.verdict = verdict_of(decision, abi.arch, name);
    note_unknown_name(profile_, name, one.verdict);
    const Observation* seen = observation(abi.arch, nr);
    const bool wanted =
        !question_.call.empty() || opens(one.verdict) || seen != nullptr || named_.count(name) != 0;
    if (!wanted) return;
    if (abi.base) {
      one.base = verdict_of(abi.base->decide(abi.arch, nr), abi.arch, name);
      note_unknown_name(question_.options.base.at(syscalls::native_of(abi.arch)), name, *one.base);
    }
    if (seen != nullptr) one.seen = seen_in(*question_.evidence, *seen);
    add_reasons(one);
    if (seen != nullptr && !one.missing) one.missing_values = refused_values(*seen, decision);
    if (opens(one.verdict)) {
      add_notable(one, one.exposes);
      abi.exploitable.add_to(name, abi.arch, one.exposes);
    }
    explanations_.push_back(std::move(one));
  }

  void add_reasons(Explanation& one) const {
    const auto known = std::find_if(
        outcome_.reasons.begin(), outcome_.reasons.end(),
        [&one](const generate::CallReasons& entry) { return entry.syscall == one.syscall; });
    const bool answered = named_.count(one.syscall) != 0 || opens(one.verdict);
    if (known != outcome_.reasons.end() && answered) one.reasons = known->why;
    for (const generate::LeftOut& entry : outcome_.left_out) {
      if (entry.syscall == one.syscall) one.left_out.push_back(entry);
    }
    one.missing =
        one.seen && one.seen->needed > 0 && !opens(one.verdict) && one.syscall != "clone3";
  }

  const ExplainQuestion& question_;
  const Profile& profile_;
  const generate::Outcome& outcome_;
  const Exploits& exploits_;
  filter::Program program_;
  std::map<Arch, filter::Program> bases_;  // by native ABI
  std::vector<Observation> observed_;
  std::set<std::string> named_;
  std::vector<Explanation> explanations_;
};

}  // namespace

Result<std::vector<Explanation>> explain(const ExplainQuestion& question) {
  TRY_ASSIGN(const Exploits exploits, known_exploits());
  TRY_ASSIGN(const generate::Outcome outcome, generated(question));
  const Profile& profile = question.profile == nullptr ? outcome.profile : *question.profile;
  return Explainer(question, profile, outcome, exploits).run();
}

}  // namespace whittle::review
