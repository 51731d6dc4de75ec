#include "generate/generate.h"

#include <linux/sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <optional>

#include "base/text.h"
#include "generate/base_rules.h"
#include "generate/floor.h"
#include "generate/multiplex.h"
#include "generate/needs.h"
#include "generate/patterns.h"
#include "generate/proof.h"
#include "syscalls/table.h"

namespace whittle::generate {

namespace {

using profile::Action;
using profile::Rule;
using profile::Verdict;
using syscalls::Arch;
using syscalls::ArgumentSpec;
using syscalls::Level;

constexpr Verdict kAllow{Action::kAllow, 0};
constexpr Verdict kEnosys{Action::kErrno, ENOSYS};
// More rules than this for one call make filters that are slow to compile and hard to review.
constexpr std::size_t kMostRules = 128;

// Builds the outcome, a call at a time.
class Generator {
 public:
  Generator(const Options& options, const std::set<Arch>& abis)
      : options_(options), abis_(abis), limit_(options.base, abis) {}

  // --- what goes in ---

  void need(const std::string& name, const Need& need) {
    if (!exists(name)) return note_missing(name);
    const bool allowed = options_.allow.count(name) != 0;
    const ArgumentSpec* spec = usable_spec(name, need, allowed);
    const bool written = spec != nullptr
                             ? by_values(name, *spec, need.values.at(spec->indexes), allowed)
                             : at_base_level(name, need, allowed);
    if (!written) return;
    for (const Reason& reason : need.why) give(name, reason);
    if (allowed) give(name, {Because::kAllowed, "--allow " + name});
  }

  // A call that is allowed as far as the base does, whatever its observed values.
  void floor(const std::string& name, Reason reason) {
    if (!exists(name)) return;
    const bool beyond = options_.allow.count(name) != 0 && has_rules(name);
    if (!beyond && !open_at_base_level(name) && !has_rules(name)) {
      note(format("{} ({}) is refused by {}", name, reason.text, options_.base_name));
      return;
    }
    give(name, std::move(reason));
  }

  // A call that is answered ENOSYS, unless something needs it.
  void fallback(const std::string& name, Reason reason) {
    if (!exists(name) || has_rules(name)) return;
    enosys_.insert(name);
    give(name, std::move(reason));
  }

  void leave_out(LeftOut entry) { left_out_.insert(std::move(entry)); }
  void note(std::string text) { outcome_.notes.push_back(std::move(text)); }

  // --- what comes out ---

  Result<Outcome> finish() {
    if (abis_.count(Arch::kX86) != 0) name_multiplexers();
    outcome_.profile = assemble();
    for (const auto& [name, why] : reasons_) outcome_.reasons.push_back({name, why});
    outcome_.left_out.assign(left_out_.begin(), left_out_.end());
    outcome_.enosys.assign(enosys_.begin(), enosys_.end());
    note_arguments(by_architecture_, "values differ by architecture");
    note_arguments(partly_known_, "not all argument values are known");
    TRY(prove());
    return std::move(outcome_);
  }

 private:
  void note_arguments(const std::set<std::string>& names, std::string_view why) {
    if (names.empty()) return;
    note(format("{}: {}, so the arguments are left to {}",
                join(std::vector<std::string>(names.begin(), names.end()), ", "), why,
                options_.base_name));
  }

  bool exists(std::string_view name) const {
    return std::any_of(abis_.begin(), abis_.end(),
                       [name](Arch arch) { return syscalls::number(arch, name).has_value(); });
  }

  bool has_rules(const std::string& name) const {
    return open_.count(name) != 0 || conditional_.count(name) != 0;
  }

  void note_missing(const std::string& name) {
    const auto pairs = syscalls::legacy_calls();
    const bool replaced = std::any_of(pairs.begin(), pairs.end(),
                                      [&name](const auto& pair) { return pair.legacy == name; });
    if (replaced) return;  // its counterpart is needed, and says so
    note(format("{} is needed, but no architecture of the profile has it", name));
  }

  void give(const std::string& name, Reason reason) {
    auto& why = reasons_[name];
    if (std::find(why.begin(), why.end(), reason) == why.end()) why.push_back(std::move(reason));
  }

  bool one_family() const { return options_.arches.size() == 1; }

  // The spec whose observed values become rules; nullptr: the arguments stay at the base's level.
  // What --allow admits beyond the base is admitted in its observed values, whatever the level.
  const ArgumentSpec* usable_spec(const std::string& name, const Need& need, bool allowed) {
    if (need.any_values) return nullptr;
    const bool beyond = allowed && limit_.attitude(name) != BaseLimit::Attitude::kAllows;
    for (const ArgumentSpec& spec : syscalls::argument_specs(name)) {
      const auto seen = need.values.find(spec.indexes);
      if (seen == need.values.end()) continue;
      if (spec.level == Level::kBase || !(beyond || spec.level <= options_.arguments)) continue;
      if (spec.per_architecture && !one_family()) {
        by_architecture_.insert(name);
        continue;
      }
      if (!seen->second.closed) {
        if (!beyond) partly_known_.insert(name);
        continue;
      }
      return &spec;
    }
    return nullptr;
  }

  // True when some rule was written.
  bool by_values(const std::string& name, const ArgumentSpec& spec, const SeenValues& seen,
                 bool allowed) {
    std::set<Region> regions;
    for (const Pattern& pattern : patterns(spec, seen.values, options_.headroom)) {
      if (!pattern.danger.empty() && !allowed) {
        leave_out_value(name, pattern, pattern.danger);
        continue;
      }
      const std::vector<Region> fitting =
          allowed ? std::vector<Region>{pattern.region} : limit_.fit(name, pattern.region);
      if (fitting.empty()) leave_out_value(name, pattern, options_.base_name + " refuses it");
      regions.insert(fitting.begin(), fitting.end());
    }
    if (regions.size() > kMostRules) {
      note(format("{}: more than {} sets of values, so its arguments are left to {}", name,
                  kMostRules, options_.base_name));
      return open_at_base_level(name);
    }
    for (const Region& region : regions) {
      conditional_[name].push_back({{name}, kAllow, conditions_of(region)});
    }
    return !regions.empty();
  }

  void leave_out_value(const std::string& name, const Pattern& pattern, std::string why) {
    if (pattern.sibling) return;  // nothing needs it
    leave_out({name, pattern.text, std::move(why), "--allow " + name});
  }

  bool at_base_level(const std::string& name, const Need& need, bool allowed) {
    if (limit_.attitude(name) == BaseLimit::Attitude::kConditional && !allowed) {
      leave_out_refused_values(name, need);
    }
    const bool partly_known = std::any_of(need.values.begin(), need.values.end(),
                                          [](const auto& seen) { return !seen.second.closed; });
    if (!(allowed && partly_known) && open_at_base_level(name)) return true;
    if (!allowed) {
      leave_out({name, "", options_.base_name + " refuses it", "--allow " + name});
      return false;
    }
    if (partly_known)
      note(name + ": not all argument values are known, so --allow opens all of them");
    open_.insert(name);
    return true;
  }

  // Lists the observed values that the base's conditions do not let through.
  void leave_out_refused_values(const std::string& name, const Need& need) {
    for (const ArgumentSpec& spec : syscalls::argument_specs(name)) {
      const auto seen = need.values.find(spec.indexes);
      if (seen == need.values.end()) continue;
      for (const Pattern& pattern : patterns(spec, seen->second.values, Headroom::kNone)) {
        if (limit_.fit(name, pattern.region).empty()) {
          leave_out_value(name, pattern, options_.base_name + " refuses it");
        }
      }
    }
  }

  // Allows what the base allows; false when it refuses the call.
  bool open_at_base_level(const std::string& name) {
    switch (limit_.attitude(name)) {
      case BaseLimit::Attitude::kRefuses:
        return false;
      case BaseLimit::Attitude::kAllows:
        conditional_.erase(name);
        open_.insert(name);
        return true;
      case BaseLimit::Attitude::kConditional:
        break;
    }
    auto rules = limit_.own_rules(name, options_.default_verdict);
    if (!rules) return false;
    conditional_[name] = *std::move(rules);
    give(name, {Because::kBase, "under the conditions of " + options_.base_name});
    return true;
  }

  // Says what libseccomp opens on x86 by itself, where the base lets it.
  void name_multiplexers() {
    std::set<std::string> allowed = open_;
    for (const auto& [name, rules] : conditional_) allowed.insert(name);
    for (const std::string& name : allowed) {
      const auto call = multiplexed(name);
      if (!call) continue;
      const std::string entry(call->entry);
      if (open_.count(entry) != 0) continue;
      if (limit_.attitude(entry) != BaseLimit::Attitude::kAllows) {
        note(format("libseccomp opens {} on x86 for {}, which {} refuses", entry, name,
                    options_.base_name));
        continue;
      }
      if (refuses_something(name)) {
        // Both an allowing and a refusing rule would become one for the entry, which libseccomp
        // does not take, unless the whole entry is allowed before.
        conditional_.erase(entry);
        open_.insert(entry);
      } else {
        conditional_[entry].push_back(
            {{entry}, kAllow, {{0, call->number, 0, profile::Operator::kEq}}});
      }
      give(entry, {Because::kCounterpart, "libseccomp opens it on x86 for " + name});
    }
  }

  bool refuses_something(const std::string& name) const {
    const auto rules = conditional_.find(name);
    return rules != conditional_.end() &&
           std::any_of(rules->second.begin(), rules->second.end(),
                       [](const Rule& rule) { return !rule.verdict.allows(); });
  }

  profile::Profile assemble() const {
    profile::Profile::Parts parts;
    parts.default_verdict = options_.default_verdict;
    for (const Arch arch : abis_) parts.architectures.emplace_back(syscalls::oci_arch(arch));
    // A given list replaces what runtimes set without one, so SPEC_ALLOW is said too.
    if (options_.log_denials) {
      parts.flags = {"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"};
    }
    if (!open_.empty()) parts.rules.push_back({{open_.begin(), open_.end()}, kAllow, {}});
    if (!enosys_.empty()) parts.rules.push_back({{enosys_.begin(), enosys_.end()}, kEnosys, {}});
    for (const auto& [name, rules] : conditional_) {
      parts.rules.insert(parts.rules.end(), rules.begin(), rules.end());
    }
    return profile::Profile(std::move(parts));
  }

  Result<void> prove() {
    std::set<std::string> names;
    for (const auto& [name, why] : reasons_) {
      if (options_.allow.count(name) == 0) names.insert(name);
    }
    TRY(prove_not_looser(outcome_.profile, names, limit_, options_.base_name));
    TRY_ASSIGN(const auto unknown, prove_faithful(outcome_.profile, limit_));
    if (!unknown.empty()) {
      note("this machine's libseccomp does not know " + join(unknown, ", ") +
           "; runtimes that use it pass over such names");
    }
    return {};
  }

  const Options& options_;
  const std::set<Arch>& abis_;
  BaseLimit limit_;
  std::set<std::string> open_;                            // allowed whatever the arguments
  std::map<std::string, std::vector<Rule>> conditional_;  // not in open_
  std::set<std::string> enosys_;
  std::set<std::string> by_architecture_;  // calls with arguments at the base's level, by reason
  std::set<std::string> partly_known_;
  std::map<std::string, std::vector<Reason>> reasons_;
  std::set<LeftOut> left_out_;
  Outcome outcome_;
};

Result<void> check_options(const Options& options) {
  if (options.arches.empty()) return input_error("no architecture to write the profile for");
  for (const Arch arch : options.arches) {
    if (syscalls::native_of(arch) != arch) {
      return input_error(format("{} is not a native architecture", syscalls::arch_name(arch)), {},
                         "name x86_64 or aarch64; 32-bit calls join when the evidence has them");
    }
    if (options.base.count(arch) == 0) {
      return bug(format("no base for {}", syscalls::arch_name(arch)));
    }
  }
  for (const std::string& name : options.allow) {
    if (name == "clone3") {
      return input_error("--allow clone3: its flags are behind a pointer that no filter can read",
                         {}, "C libraries fall back to clone when clone3 gives ENOSYS");
    }
    if (syscalls::is_known(name)) continue;
    const auto names = syscalls::known_names();
    const auto near = nearest(name, std::vector<std::string>(names.begin(), names.end()));
    return input_error(format("--allow {}: no such system call", printable(name)), {},
                       near ? "did you mean " + *near + "?" : "");
  }
  for (const std::string& runtime : options.runtimes) {
    const auto known = floor_runtimes();
    if (std::find(known.begin(), known.end(), runtime) != known.end()) continue;
    return input_error(format("--runtime {}: not a known runtime", printable(runtime)), {},
                       "known: " + join(known, ", ") + ", none");
  }
  return {};
}

// The ABIs whose observations count: those of the families written that the base lists.
std::set<Arch> admitted_abis(const Options& options) {
  std::set<Arch> admitted = options.arches;
  for (const Arch arch : syscalls::kAllArches) {
    const auto base = options.base.find(syscalls::native_of(arch));
    const bool written = options.arches.count(syscalls::native_of(arch)) != 0;
    if (written && base->second.lists(arch)) admitted.insert(arch);
  }
  // What was seen on the native ABI of a family that is not written still says what is needed.
  admitted.insert({Arch::kX86_64, Arch::kAarch64});
  return admitted;
}

// The ABIs that the profile lists.
std::set<Arch> written_abis(const Options& options, const Needs& needs) {
  std::set<Arch> abis = options.arches;
  for (const Arch arch : needs.abis) {
    if (options.arches.count(syscalls::native_of(arch)) != 0) abis.insert(arch);
  }
  return abis;
}

void add_floor(Generator& generator, const Options& options) {
  for (const auto& [name, runtimes] : rule_floor(options.runtimes)) {
    const std::vector<std::string> who(runtimes.begin(), runtimes.end());
    const bool always = runtimes.count("always") != 0;
    generator.floor(name, {Because::kFloor, always ? "every process needs it"
                                                   : "rule floor of " + join(who, " and ")});
  }
}

void add_siblings(Generator& generator, const Needs& needs) {
  for (const std::string& name : vdso_calls()) {
    generator.floor(name, {Because::kSibling,
                           "the vDSO falls back to it when it cannot read the clock itself"});
  }
  for (const CallSiblings& siblings : call_siblings()) {
    const auto seen =
        std::find_if(siblings.seen.begin(), siblings.seen.end(),
                     [&](const std::string& name) { return needs.calls.count(name) != 0; });
    if (seen == siblings.seen.end()) continue;
    for (const std::string& name : siblings.also) {
      if (needs.calls.count(name) != 0) continue;
      generator.floor(
          name, {Because::kSibling, "timing and sizes decide whether it comes with " + *seen});
    }
  }
}

void add_needs(Generator& generator, const Options& options, const Needs& needs) {
  for (const auto& [name, need] : needs.calls) generator.need(name, need);
  for (const std::string& name : options.allow) {
    if (needs.calls.count(name) != 0) continue;
    Need asked;
    asked.why.push_back({Because::kAllowed, "--allow " + name});
    generator.need(name, asked);
  }
}

void add_fallbacks(Generator& generator, const Needs& needs) {
  generator.fallback("clone3", {Because::kFallback,
                                "its flags are behind a pointer that no filter can read; C "
                                "libraries fall back to clone"});
  for (const auto& [name, count] : needs.only_enosys) {
    generator.fallback(name, {Because::kFallback, format("returned ENOSYS all {} times", count)});
  }
}

void add_refused_abis(Generator& generator, const Options& options, const Needs& needs) {
  for (const std::string& name : needs.nameless) {
    generator.leave_out({name, "", "the number has no name that a rule could use", ""});
  }
  for (const Arch arch : needs.other_abis) {
    const std::string name(syscalls::arch_name(arch));
    if (options.arches.count(syscalls::native_of(arch)) != 0) {
      generator.leave_out({name, "", format("{} does not list the ABI", options.base_name), ""});
    } else {
      generator.note(
          format("calls of {} are passed over: the profile is not for that family", name));
    }
  }
}

void add_notes(Generator& generator, const evidence::Evidence& evidence, const Options& options,
               const Needs& needs) {
  for (const std::string& text : needs.notes) generator.note(text);
  if (!evidence.complete()) {
    generator.note(
        "the evidence is incomplete: the profile may lack calls that the workload needs");
  }
  const bool perturbed = std::any_of(evidence.runs.begin(), evidence.runs.end(),
                                     [](const auto& run) { return run.timing == "perturbed"; });
  const bool native = std::any_of(evidence.runs.begin(), evidence.runs.end(),
                                  [](const auto& run) { return run.timing != "perturbed"; });
  if (perturbed && !native) {
    generator.note(
        "all runs were recorded with perturbed timing (ptrace): at full speed the workload may "
        "take "
        "other paths");
  }
  if (options.log_denials && options.runtimes.count("runc") != 0) {
    generator.note(
        "runc before 1.2 does not start containers whose profile has flags (log-denials)");
  }
  if (options.default_verdict.allows()) {
    generator.note(
        "a default of log refuses nothing: the profile is for watching, not for defence");
  }
}

}  // namespace

std::string_view because_name(Because because) {
  switch (because) {
    case Because::kEvidence:
      return "evidence";
    case Because::kCounterpart:
      return "counterpart";
    case Because::kFloor:
      return "floor";
    case Because::kSibling:
      return "sibling";
    case Because::kBase:
      return "base";
    case Because::kAllowed:
      return "allowed";
    case Because::kFallback:
      return "fallback";
  }
  return "";
}

Result<Outcome> generate(const evidence::Evidence& evidence, const Options& options) {
  TRY(check_options(options));
  const evidence::Evidence sorted = evidence::merge(std::span(&evidence, 1));
  const Needs needs = collect_needs(sorted, admitted_abis(options), options.arches);
  const std::set<Arch> abis = written_abis(options, needs);
  Generator generator(options, abis);
  add_needs(generator, options, needs);
  add_floor(generator, options);
  if (options.headroom == Headroom::kSiblings) add_siblings(generator, needs);
  add_fallbacks(generator, needs);
  add_refused_abis(generator, options, needs);
  add_notes(generator, sorted, options, needs);
  return generator.finish();
}

profile::Profile no_base(Arch native) {
  profile::Profile::Parts parts;
  for (const Arch arch : syscalls::kAllArches) {
    if (syscalls::native_of(arch) == native) {
      parts.architectures.emplace_back(syscalls::oci_arch(arch));
    }
  }
  Rule open{{}, kAllow, {}};
  for (const std::string_view name : syscalls::known_names()) {
    if (name != "clone" && name != "clone3" && name != "socket") open.names.emplace_back(name);
  }
  parts.rules.push_back(std::move(open));
  using profile::Operator;
  constexpr std::uint64_t kNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                        CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
  parts.rules.push_back({{"clone"}, kAllow, {{0, kNamespaces, 0, Operator::kMaskedEq}}});
  parts.rules.push_back({{"socket"}, kAllow, {{0, AF_ALG, 0, Operator::kLt}}});
  parts.rules.push_back({{"socket"}, kAllow, {{0, AF_ALG + 1, 0, Operator::kEq}}});
  parts.rules.push_back({{"socket"}, kAllow, {{0, AF_VSOCK, 0, Operator::kGt}}});
  return profile::Profile(std::move(parts));
}

std::size_t count_allowed(const profile::Profile& profile, Arch arch) {
  std::set<std::string_view> names;
  const auto entries = syscalls::entries(arch);
  if (profile.default_verdict().allows()) return entries.size();
  for (const Rule& rule : profile.rules()) {
    if (!rule.verdict.allows()) continue;
    for (const std::string& name : rule.names) {
      if (syscalls::number(arch, name)) names.insert(name);
    }
  }
  return names.size();
}

}  // namespace whittle::generate
