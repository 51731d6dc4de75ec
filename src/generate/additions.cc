#include "generate/additions.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "base/text.h"
#include "filter/compile.h"
#include "filter/faithful.h"
#include "generate/base_rules.h"

namespace whittle::generate {

namespace {

using profile::Action;
using profile::Rule;
using profile::Verdict;
using syscalls::Arch;

constexpr Verdict kEnosys{Action::kErrno, ENOSYS};

bool names(const Rule& rule, const std::string& name) {
  return std::find(rule.names.begin(), rule.names.end(), name) != rule.names.end();
}

// The rules of one call, each by itself, in order.
std::vector<Rule> rules_of(const std::vector<Rule>& rules, const std::string& name) {
  std::vector<Rule> own;
  for (const Rule& rule : rules) {
    if (names(rule, name)) own.push_back({{name}, rule.verdict, rule.args});
  }
  return own;
}

void take_out(std::vector<Rule>& rules, const std::string& name, bool (*which)(const Rule&)) {
  for (Rule& rule : rules) {
    if (which(rule)) std::erase(rule.names, name);
  }
  std::erase_if(rules, [](const Rule& rule) { return rule.names.empty(); });
}

bool allows(const Rule& rule) { return rule.verdict.allows(); }
bool refuses(const Rule& rule) { return !rule.verdict.allows() && rule.verdict != kEnosys; }
bool has(const std::vector<Rule>& rules, bool (*which)(const Rule&)) {
  return std::any_of(rules.begin(), rules.end(), which);
}
bool opens(const Rule& rule) { return rule.verdict.allows() && rule.args.empty(); }

class Adder {
 public:
  Adder(const profile::Profile& profile, const Options& options)
      : options_(options),
        abis_(covered(profile)),
        limit_(options.base, abis_),
        parts_(profile.parts()) {}

  // What is needed of one call.
  Result<void> add(const CallReasons& call, const std::vector<Rule>& needed) {
    const std::string& name = call.syscall;
    const bool asked = options_.allow.count(name) != 0;
    std::vector<Rule> own = rules_of(parts_.rules, name);
    bool changes = false;
    if (has(own, refuses)) {
      if (!asked) {
        leave_out(name, "the profile refuses it by a rule of its own");
        return {};
      }
      changes = true;
      take_out(parts_.rules, name, refuses);
      std::erase_if(own, refuses);
    }
    std::vector<Rule> fresh = fresh_of(needed, own);
    if (!asked && !fresh.empty()) {
      TRY_ASSIGN(const auto looser, limit_.looser(alone(fresh), name));
      if (looser) {
        leave_out(name, format("{} refuses it on {}", options_.base_name,
                               syscalls::arch_name(looser->arch)));
        return {};
      }
    }
    if (has(fresh, opens)) take_out(parts_.rules, name, allows);
    if (fresh.empty() && !changes) return {};
    std::copy(fresh.begin(), fresh.end(), std::back_inserter(parts_.rules));
    additions_.push_back({name, std::move(fresh), call.why});
    return {};
  }

  void leave_out(std::string name, std::string why) {
    std::string fix = "--allow " + name;
    left_out_.push_back({std::move(name), "", std::move(why), std::move(fix)});
  }

  Result<Added> finish(std::vector<LeftOut> left_out) {
    Added added;
    added.profile = profile::Profile(std::move(parts_));
    added.additions = std::move(additions_);
    added.left_out = std::move(left_out);
    added.left_out.insert(added.left_out.end(), left_out_.begin(), left_out_.end());
    std::sort(added.left_out.begin(), added.left_out.end());
    TRY(check(added));
    return added;
  }

 private:
  static std::set<Arch> covered(const profile::Profile& profile) {
    const std::vector<Arch> arches = filter::covered_arches(profile);
    return {arches.begin(), arches.end()};
  }

  // Those that change something next to what is there.
  std::vector<Rule> fresh_of(const std::vector<Rule>& needed, const std::vector<Rule>& own) const {
    std::vector<Rule> fresh;
    if (has(own, opens) || parts_.default_verdict.allows()) return fresh;
    for (const Rule& rule : needed) {
      // An answer of ENOSYS is for calls that the profile says nothing of.
      const bool fits = rule.verdict.allows() || (rule.verdict == kEnosys && own.empty());
      if (fits && std::find(own.begin(), own.end(), rule) == own.end()) fresh.push_back(rule);
    }
    if (has(fresh, opens)) std::erase_if(fresh, [](const Rule& rule) { return !opens(rule); });
    return fresh;
  }

  // The new rules and nothing else, to be held against the base.
  profile::Profile alone(const std::vector<Rule>& rules) const {
    profile::Profile::Parts parts;
    for (const Arch arch : abis_) parts.architectures.emplace_back(syscalls::oci_arch(arch));
    parts.rules = rules;
    return profile::Profile(std::move(parts));
  }

  // libseccomp makes of the calls that changed what is written.
  static Result<void> check(const Added& added) {
    using filter::Flavour;
    filter::Program known;
    for (const Flavour flavour : {Flavour::kNative, Flavour::kRunc, Flavour::kCrun}) {
      TRY_ASSIGN(const filter::Compiled compiled, filter::compile(added.profile, flavour));
      if (filter::same_program(compiled.program, known)) continue;
      known = compiled.program;
      TRY_ASSIGN(const auto differences,
                 filter::differences(added.profile, compiled.program, flavour));
      for (const filter::Difference& each : differences) {
        const bool ours =
            std::any_of(added.additions.begin(), added.additions.end(),
                        [&](const Addition& addition) { return addition.syscall == each.syscall; });
        const bool skipped = std::find(compiled.skipped.begin(), compiled.skipped.end(),
                                       each.syscall) != compiled.skipped.end();
        if (!ours || skipped) continue;
        return input_error(
            format("libseccomp compiles the profile's rules for {} together with those that it "
                   "lacks otherwise than they are written",
                   each.syscall),
            {},
            format("rewrite its rules for {}, or make a profile with `whittle generate`",
                   each.syscall));
      }
    }
    return {};
  }

  const Options& options_;
  const std::set<Arch> abis_;
  const BaseLimit limit_;
  profile::Profile::Parts parts_;
  std::vector<Addition> additions_;
  std::vector<LeftOut> left_out_;
};

// Whether the evidence itself asks for the call, and not what every generated profile has.
bool is_asked(const CallReasons& call, const std::set<std::string>& missing) {
  return missing.count(call.syscall) != 0 ||
         std::any_of(call.why.begin(), call.why.end(), [](const Reason& reason) {
           return reason.because == Because::kEvidence || reason.because == Because::kCounterpart ||
                  reason.because == Because::kAllowed;
         });
}

}  // namespace

std::set<Arch> native_arches(const profile::Profile& profile) {
  std::set<Arch> natives;
  for (const Arch arch : filter::covered_arches(profile)) {
    natives.insert(syscalls::native_of(arch));
  }
  return natives;
}

Result<Added> add_missing(const profile::Profile& profile, const evidence::Evidence& missing,
                          const Options& options, const std::vector<LeftOut>& never) {
  std::set<std::string> wanted;
  std::set<std::string> forbidden;
  std::vector<LeftOut> left_out;
  evidence::Evidence open = missing;
  for (const LeftOut& each : never) forbidden.insert(each.syscall);
  for (evidence::Run& run : open.runs) {
    for (const evidence::Observation& call : run.syscalls) wanted.insert(call.name);
    std::erase_if(run.syscalls, [&](const auto& call) { return forbidden.count(call.name) != 0; });
  }
  for (const LeftOut& each : never) {
    if (wanted.erase(each.syscall) != 0) left_out.push_back(each);
  }
  Options narrow = options;
  narrow.runtimes.clear();
  narrow.headroom = Headroom::kNone;
  narrow.log_denials = false;
  narrow.default_verdict = {Action::kErrno, 1};
  std::erase_if(narrow.allow, [&](const std::string& name) {
    return wanted.count(name) == 0 && name != "clone";  // clone3 is answered by a clone
  });
  if (wanted.count("clone") == 0 && wanted.count("clone3") == 0) narrow.allow.erase("clone");
  TRY_ASSIGN(const Outcome outcome, generate(open, narrow));
  Adder adder(profile, narrow);
  for (const CallReasons& call : outcome.reasons) {
    if (!is_asked(call, wanted) || forbidden.count(call.syscall) != 0) continue;
    TRY(adder.add(call, rules_of(outcome.profile.rules(), call.syscall)));
  }
  left_out.insert(left_out.end(), outcome.left_out.begin(), outcome.left_out.end());
  return adder.finish(std::move(left_out));
}

}  // namespace whittle::generate
