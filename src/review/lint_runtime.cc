// Rules about what runtimes, libseccomp and C libraries make of a profile.
#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include "base/embedded.h"
#include "base/text.h"
#include "filter/library.h"
#include "generate/floor.h"
#include "review/lint_subject.h"
#include "syscalls/table.h"
#include "syscalls/tsv.h"

WHITTLE_EMBEDDED(enosys_probes_tsv)
WHITTLE_EMBEDDED(runtime_stops_tsv)

namespace whittle::review {

namespace {

using filter::Flavour;
using profile::Action;
using profile::Rule;
using profile::Verdict;
using syscalls::Arch;

void report_difference(const LintSubject& subject, const filter::Difference& difference,
                       Report& report) {
  const bool weaker = difference.compiled.allows() && !difference.documented.allows();
  report.add(Severity::kError, subject.at_call(difference.syscall), {difference.syscall},
             format("libseccomp {} makes something else of the rules for {}: {} gets {} where they "
                    "say {}{}",
                    filter::libseccomp().runs, difference.syscall,
                    format("{} on {}", call_text(difference.syscall, difference.args),
                           syscalls::arch_name(difference.arch)),
                    profile::verdict_text(difference.compiled),
                    profile::verdict_text(difference.documented),
                    weaker ? ", which opens what they refuse" : ""),
             "write the rules for this call as values of one argument, or of the same arguments in "
             "every rule, each SCMP_CMP_EQ or SCMP_CMP_MASKED_EQ, below 2^32");
}

// What a profile compiles to is looked at only where that can say something that its text does not.
constexpr std::size_t kManyInstructions = 3000;

bool may_not_load(const LintSubject& subject) {
  const auto& architectures = subject.profile().parts().architectures;
  const auto is_foreign = [](const std::string& name) { return !syscalls::arch_from_oci(name); };
  if (std::any_of(architectures.begin(), architectures.end(), is_foreign)) return true;
  std::size_t instructions = 0;
  for (const std::string_view call : subject.handed().calls()) {
    for (const filter::HandedRule& rule : subject.handed().rules(call)) {
      instructions += 1 + 4 * rule.args.size();
    }
  }
  return instructions * std::max<std::size_t>(1, architectures.size()) > kManyInstructions;
}

// Why one call is needed by a runtime, and how badly.
struct Need {
  Severity severity = Severity::kNote;
  std::string why;
};

// What every process makes: execve, without which nothing starts, and what it makes at its end and
// after a signal.
Need always_need(const std::string& call) {
  if (call == "execve") {
    return {Severity::kError, "the runtime starts the workload by it: no container starts"};
  }
  if (call == "exit_group" || call == "rt_sigreturn") {
    return {Severity::kError, "every process makes it, at its end or after a signal"};
  }
  return {Severity::kNote, call == "exit" ? "a thread makes it at its end"
                                          : "the kernel or a C library makes it after a signal"};
}

void need(std::map<std::string, Need>& needs, const std::string& call, Severity severity,
          std::string why) {
  const auto [at, is_new] = needs.try_emplace(call, Need{severity, why});
  if (!is_new && at->second.severity < severity) at->second = {severity, std::move(why)};
}

using Needs = std::map<std::string, Need>;

// By call. Refusals that were seen to stop a start, then what else a runtime was seen to make.
Needs needs_of(std::string_view runtime) {
  Needs all;
  for (const auto& row : syscalls::tsv_rows(embedded_runtime_stops_tsv())) {
    if (row[0] != runtime) continue;
    const bool every_start = row[2] == "on";
    for (const std::string& call : split(row[3], ' ')) {
      need(all, call, every_start ? Severity::kError : Severity::kWarning,
           format("{} {} makes it before execve{}: the container does not start", row[0], row[1],
                  every_start ? "" : " when no_new_privileges is off"));
    }
  }
  for (const generate::FloorRow& row : generate::floor_rows()) {
    for (const std::string& call : row.names) {
      if (row.runtime == "always") {
        const Need own = always_need(call);
        need(all, call, own.severity, own.why);
      } else if (row.runtime == runtime) {
        need(all, call, Severity::kNote,
             format("{} {} makes it before execve", row.runtime, row.version));
      }
    }
  }
  return all;
}

const Needs& needs(Flavour runtime) {
  static const Needs runc = needs_of("runc");
  static const Needs crun = needs_of("crun");
  static const Needs none = needs_of("none");
  return runtime == Flavour::kRunc ? runc : runtime == Flavour::kCrun ? crun : none;
}

// Calls of the 32-bit ABIs alone (sigreturn) matter where those are let in.
bool is_refused(const LintSubject& subject, const std::string& call) {
  bool exists = false;
  for (const Arch arch : subject.covered()) {
    if (!syscalls::number(arch, call)) continue;
    exists = true;
    if (subject.can_allow(arch, call)) return false;
  }
  return exists;
}

struct Probe {
  std::string_view call;
  Severity severity;
  std::string_view fallback;
  std::string_view who;
};

const std::vector<Probe>& probes() {
  static const std::vector<Probe> all = [] {
    std::vector<Probe> read;
    for (const auto& row : syscalls::tsv_rows(embedded_enosys_probes_tsv())) {
      read.push_back({row[0], *severity_from_name(row[1]), row[2], row[3]});
    }
    return read;
  }();
  return all;
}

std::size_t first_notify(const profile::Profile& profile) {
  const auto& rules = profile.rules();
  const auto at = std::find_if(rules.begin(), rules.end(), [](const Rule& rule) {
    return rule.verdict.action == Action::kNotify;
  });
  return static_cast<std::size_t>(at - rules.begin());
}

}  // namespace

void check_compiler_loop(const LintSubject& subject, Report& report) {
  for (const Doubt& doubt : subject.doubts()) {
    if (doubt.outcome != Doubt::Outcome::kLoops) continue;
    report.add(Severity::kError, subject.at_call(doubt.call), {std::string(doubt.call)},
               format("libseccomp {} never ends on the rules for {}: a runtime hangs on them, and "
                      "the container does not start",
                      filter::libseccomp().runs, doubt.call),
               "write fewer rules with several conditions for this call");
  }
}

void check_miscompiled(const LintSubject& subject, Report& report) {
  for (const Doubt& doubt : subject.doubts()) {
    if (doubt.outcome == Doubt::Outcome::kDiffers) {
      report_difference(subject, *doubt.difference, report);
    } else if (doubt.outcome == Doubt::Outcome::kUntold) {
      report.add(Severity::kNote, subject.at_call(doubt.call), {std::string(doubt.call)},
                 format("whether libseccomp makes of the rules for {} what they say could not be "
                        "told: {}",
                        doubt.call, doubt.message),
                 "write fewer rules with several conditions for this call");
    }
  }
}

void check_refused_by_runtime(const LintSubject& subject, Report& report) {
  const profile::Profile& profile = subject.profile();
  if (subject.is_runc()) {
    if (profile.default_verdict().action == Action::kNotify) {
      report.add(Severity::kError, "/defaultAction", {},
                 "runc refuses SCMP_ACT_NOTIFY as the default action", "notify of single calls");
    }
    if (!profile.parts().flags.empty()) {
      report.add(Severity::kNote, "/flags", {},
                 "runc before 1.2 refuses every profile with flags (\"seccomp flags are not yet "
                 "supported by runc\")",
                 "remove them where such a runc is in use (Debian 12 has 1.1.5)");
    }
    for (const filter::HandedRule& rule : subject.handed().rules("write")) {
      if (rule.verdict.action != Action::kNotify) continue;
      report.add(Severity::kError, subject.at_name(rule.rule, rule.name), {"write"},
                 "runc refuses SCMP_ACT_NOTIFY for write, which it needs itself to hand over the "
                 "listener",
                 "notify of another call");
      break;
    }
  }
  const auto& flags = profile.parts().flags;
  const auto waits =
      std::find(flags.begin(), flags.end(), "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV");
  if (waits != flags.end() && first_notify(profile) == profile.rules().size() &&
      profile.default_verdict().action != Action::kNotify) {
    report.add(Severity::kError, format("/flags/{}", waits - flags.begin()), {},
               "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV without a rule that notifies: the kernel "
               "refuses the filter",
               "remove the flag");
  }
  for (const Doubt& doubt : subject.doubts()) {
    if (doubt.outcome != Doubt::Outcome::kRefused) continue;
    report.add(Severity::kError, subject.at_call(doubt.call), {std::string(doubt.call)},
               doubt.message, "a runtime does not start the container");
  }
  if (!may_not_load(subject)) return;
  const auto compiled = filter::compile(profile, subject.settings().runtime);
  if (compiled || filter::compiler_looped(compiled.error())) return;
  const Error& error = compiled.error();
  report.add(Severity::kError, error.place.starts_with("/") ? error.place : "", {}, error.message,
             error.hint);
}

void check_missing_for_runtime(const LintSubject& subject, Report& report) {
  for (const auto& [call, why] : needs(subject.settings().runtime)) {
    if (!is_refused(subject, call)) continue;
    report.add(why.severity, subject.at_call(call), {call},
               format("{} is refused, but {}", call, why.why), format("allow {}", call));
  }
  if (is_refused(subject, "clone") && is_refused(subject, "clone3")) {
    report.add(
        Severity::kNote, subject.at_call("clone"), {"clone"},
        "clone is refused, and clone3: no thread and no child process can be started, by the "
        "program or by a runtime in Go that wants another thread meanwhile",
        "allow clone without the namespace flags, unless the program is known to need none");
  }
}

void check_notify_without_listener(const LintSubject& subject, Report& report) {
  const profile::Profile& profile = subject.profile();
  if (!profile.parts().listener_path.empty()) return;
  const std::size_t rule = first_notify(profile);
  const bool by_default = profile.default_verdict().action == Action::kNotify;
  if (!by_default && rule == profile.rules().size()) return;
  report.add(Severity::kError, by_default ? "/defaultAction" : subject.at_rule(rule),
             by_default ? std::vector<std::string>() : profile.rules()[rule].names,
             "SCMP_ACT_NOTIFY without a listenerPath: runc does not start the container "
             "(\"listenerPath is not set\"); where no listener is, calls get ENOSYS",
             "say with listenerPath where the listener is, or answer an errno");
}

void check_errno_fallback(const LintSubject& subject, Report& report) {
  for (const Probe& probe : probes()) {
    std::vector<std::string> where;
    std::optional<Verdict> verdict;
    for (const Arch arch : subject.covered()) {
      if (arch == Arch::kX32) continue;  // compat-open; there is no C library in use for it
      const auto answer = subject.verdict(arch, probe.call);
      if (!answer || answer->allows() || answer->action == Action::kNotify ||
          answer->action == Action::kTrace || *answer == Verdict{Action::kErrno, ENOSYS}) {
        continue;
      }
      where.emplace_back(syscalls::arch_name(arch));
      verdict = answer;
    }
    if (where.empty()) continue;
    const std::string call(probe.call);
    report.add(probe.severity, subject.at_call(call), {call},
               format("{} gets {} on {}, where {} ENOSYS is awaited{}: {}", call,
                      profile::verdict_text(*verdict), join(where, ", "),
                      verdict->action == Action::kErrno ? "only" : "at worst",
                      probe.fallback == "-" ? std::string()
                                            : format(" to fall back on {}", probe.fallback),
                      probe.who),
               "add a rule with SCMP_ACT_ERRNO and errnoRet 38 (ENOSYS), or allow it");
  }
}

void check_errno_zero(const LintSubject& subject, Report& report) {
  const std::string message =
      "errno 0 is no refusal for the program: the call is not made, and seems to succeed";
  const std::string fix = "give the errno that is meant: 1 (EPERM), 38 (ENOSYS)";
  constexpr Verdict kZero{Action::kErrno, 0};
  if (subject.profile().default_verdict() == kZero) {
    report.add(Severity::kWarning, "/defaultErrnoRet", {}, message, fix);
  }
  const auto& rules = subject.profile().rules();
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (rules[i].verdict != kZero) continue;
    report.add(Severity::kWarning, subject.at_rule(i) + "/errnoRet", rules[i].names, message, fix);
  }
}

}  // namespace whittle::review
