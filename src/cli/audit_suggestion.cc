#include "cli/audit_suggestion.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "base/text.h"
#include "cli/output.h"
#include "review/dangerous.h"
#include "syscalls/table.h"

namespace whittle::cli {

namespace {

using profile::Action;
using syscalls::Arch;

constexpr const char* kCautions[] = {
    "a record holds no arguments: a call that is added is allowed with all of them, while whittle "
    "record and verify see them",
    "a record does not say which errno a filter gave: a refusal that a program expects (ENOSYS, "
    "then another call) looks like one that breaks it",
    "a log shows what one filter refused until the program gave up: there may be more behind it",
};

std::string_view advice_name(AuditAdvice advice) {
  constexpr std::string_view kNames[] = {"add",     "dangerous", "arguments", "fallback",
                                         "allowed", "closed",    "nameless"};
  return kNames[static_cast<std::size_t>(advice)];
}

std::string_view severity_word(review::Severity severity) {
  return review::severity_name(severity);
}

bool is_listed(const profile::Profile& profile, Arch arch) {
  if (profile.lists(arch)) return true;
  // Runtimes add the native architecture of the machine.
  const auto& arches = profile.arches();
  return syscalls::native_of(arch) == arch &&
         (arches.empty() || std::any_of(arches.begin(), arches.end(), [arch](Arch listed) {
            return syscalls::native_of(listed) == arch;
          }));
}

// What the rules say of a call without a look at its arguments.
struct Rules {
  const profile::Verdict* constant = nullptr;  // of the first rule without conditions
  bool conditional = false;                    // some argument values are allowed
};

Rules rules_of(const profile::Profile& profile, const std::string& name) {
  Rules rules;
  for (const profile::Rule& rule : profile.rules()) {
    if (std::find(rule.names.begin(), rule.names.end(), name) == rule.names.end()) continue;
    if (!rule.args.empty()) {
      rules.conditional = rules.conditional || rule.verdict.allows();
    } else if (rules.constant == nullptr) {
      rules.constant = &rule.verdict;
    }
  }
  return rules;
}

void advise(AdvisedCall& call, std::optional<Arch> arch, const profile::Profile& profile,
            const std::set<std::string>& allowed) {
  const auto say = [&](AuditAdvice advice, std::string why) {
    call.advice = advice;
    call.why = std::move(why);
  };
  if (!arch || !syscalls::is_known(call.call)) {
    return say(AuditAdvice::kNameless, "a profile takes names, and this number has none");
  }
  if (!is_listed(profile, *arch)) {
    return say(AuditAdvice::kClosed, format("the profile does not list {}: all of its calls are "
                                            "refused; open it only for a program that is known to "
                                            "need it",
                                            call.arch));
  }
  const Rules rules = rules_of(profile, call.call);
  const bool by_default = rules.constant == nullptr && profile.default_verdict().allows();
  if (by_default || (rules.constant != nullptr && rules.constant->allows())) {
    return say(AuditAdvice::kAllowed, "the profile allows it: another filter was in force");
  }
  if (rules.constant != nullptr && rules.constant->action == Action::kErrno &&
      rules.constant->data == ENOSYS && allowed.count(call.call) == 0) {
    return say(AuditAdvice::kFallback, "the profile answers ENOSYS, so that another call is used");
  }
  if (rules.conditional) {
    return say(AuditAdvice::kArguments,
               "the profile allows it with some arguments; the record does not say with which it "
               "was made");
  }
  const bool by_arguments = call.call == "clone" || call.call == "clone3" || call.call == "socket";
  if (by_arguments && allowed.count(call.call) == 0) {
    return say(AuditAdvice::kArguments,
               "what it opens depends on its arguments: add it with a rule on them, from whittle "
               "record");
  }
  if (const review::Dangerous* dangerous = review::dangerous_call(call.call)) {
    call.severity = severity_word(dangerous->severity);
    const bool named = allowed.count(call.call) != 0;
    return say(named ? AuditAdvice::kAdd : AuditAdvice::kDangerous,
               format("dangerous: {}", dangerous->why));
  }
  say(AuditAdvice::kAdd, {});
}

std::vector<std::string> added_names(const std::vector<AdvisedCall>& calls) {
  std::set<std::string> names;
  for (const AdvisedCall& call : calls) {
    if (call.advice == AuditAdvice::kAdd) names.insert(call.call);
  }
  return {names.begin(), names.end()};
}

json::Value rule_of(const std::vector<std::string>& names) {
  json::Value rule;
  rule.set("names", json::Array(names.begin(), names.end()));
  rule.set("action", "SCMP_ACT_ALLOW");
  return rule;
}

}  // namespace

std::vector<AdvisedCall> audit_advice(const std::vector<record::AuditGroup>& groups,
                                      const profile::Profile& profile,
                                      const std::set<std::string>& allowed) {
  std::map<std::pair<std::string, std::string>, AdvisedCall> calls;
  for (const record::AuditGroup& group : groups) {
    const auto arch = syscalls::arch_from_audit(group.audit_arch, group.nr);
    const std::string name =
        arch ? syscalls::display_name(*arch, group.nr) : format("syscall_{}", group.nr);
    const std::string abi = record::audit_arch_name(group.audit_arch, group.nr);
    AdvisedCall& call = calls[{abi, name}];
    if (call.count == 0) {
      call.arch = abi;
      call.call = name;
      advise(call, arch, profile, allowed);
    }
    call.count += group.count;
    call.programs.insert(group.comm);
  }
  std::vector<AdvisedCall> sorted;
  for (auto& [key, call] : calls) sorted.push_back(std::move(call));
  std::sort(sorted.begin(), sorted.end(), [](const AdvisedCall& a, const AdvisedCall& b) {
    return std::tie(a.advice, a.call, a.arch) < std::tie(b.advice, b.call, b.arch);
  });
  return sorted;
}

json::Value advice_to_json(const std::string& profile, const std::vector<AdvisedCall>& calls) {
  json::Array listed;
  for (const AdvisedCall& call : calls) {
    json::Value object;
    object.set("arch", call.arch);
    object.set("syscall", call.call);
    object.set("count", call.count);
    object.set("programs", json::Array(call.programs.begin(), call.programs.end()));
    object.set("advice", advice_name(call.advice));
    object.set("dangerous", !call.severity.empty());
    object.set("severity", call.severity.empty() ? json::Value() : json::Value(call.severity));
    object.set("why", call.why);
    listed.emplace_back(std::move(object));
  }
  const std::vector<std::string> names = added_names(calls);
  json::Array add;
  if (!names.empty()) add.push_back(rule_of(names));
  json::Value object;
  object.set("profile", profile);
  object.set("add", std::move(add));
  object.set("calls", std::move(listed));
  object.set("cautions", json::Array(std::begin(kCautions), std::end(kCautions)));
  return object;
}

std::string advice_to_text(const std::string& profile, const std::vector<AdvisedCall>& calls) {
  std::string text = "\n" + bold("change of " + printable(profile)) + "\n";
  for (const AdvisedCall& call : calls) {
    std::vector<std::string> programs;
    for (const std::string& program : call.programs) programs.push_back(printable(program, 32));
    constexpr std::size_t kMostNamed = 4;
    if (programs.size() > kMostNamed) {
      programs.resize(kMostNamed);
      programs.emplace_back("...");
    }
    text += format("  {} {:<20} {} on {}, by {}", call.advice == AuditAdvice::kAdd ? '+' : ' ',
                   call.call, plural(call.count, "record"), call.arch, join(programs, ", "));
    if (call.advice != AuditAdvice::kAdd) text += format("; {}", advice_name(call.advice));
    text += "\n";
    if (!call.why.empty()) text += "      " + call.why + "\n";
    if (call.advice == AuditAdvice::kDangerous) {
      text += format("      not in the change without --allow {}\n", call.call);
    }
  }
  const std::vector<std::string> names = added_names(calls);
  if (names.empty()) {
    text += "  nothing to add\n";
  } else {
    text += "  to \"syscalls\", as one rule:\n    " + json::dump_compact(rule_of(names)) + "\n";
  }
  for (const char* const caution : kCautions) text += format("  caution: {}\n", caution);
  return text;
}

}  // namespace whittle::cli
