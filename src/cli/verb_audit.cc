#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/text.h"
#include "cli/audit_report.h"
#include "cli/audit_suggestion.h"
#include "cli/load_profile.h"
#include "cli/output.h"
#include "cli/record_output.h"
#include "cli/verbs_list.h"
#include "record/audit_containers.h"
#include "record/audit_evidence.h"
#include "record/audit_live.h"
#include "record/audit_reader.h"
#include "record/audit_tally.h"
#include "record/signals.h"
#include "syscalls/table.h"

namespace whittle::cli {

namespace {

using record::AuditFollower;
using record::AuditSource;
using record::AuditTally;

constexpr const char* kAuditLog = "/var/log/audit/audit.log";  // auditd.conf(5), log_file

// Holds the signals that are to end us back, but while we wait: none can come between the question
// whether one came and the wait.
class HeldSignals {
 public:
  HeldSignals() {
    sigset_t held;
    sigemptyset(&held);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&held, signal);
    sigprocmask(SIG_BLOCK, &held, &before_);
  }
  ~HeldSignals() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;
  const sigset_t* before() const { return &before_; }

 private:
  sigset_t before_ = {};
};

// Until it is readable, a signal came, or the limit is over: then false.
bool wait_for(int fd, const HeldSignals& held, std::optional<double> until) {
  if (record::SignalCatcher::caught() != 0) return false;
  timespec left = {};
  if (until) {
    const double seconds = *until - monotonic_seconds();
    if (seconds <= 0) return false;
    left.tv_sec = static_cast<time_t>(seconds);
    left.tv_nsec = static_cast<long>((seconds - static_cast<double>(left.tv_sec)) * 1e9);
  }
  pollfd ready = {fd, POLLIN, 0};
  const int count = ::ppoll(&ready, 1, until ? &left : nullptr, held.before());
  return count > 0 || (count < 0 && errno == EINTR && record::SignalCatcher::caught() == 0);
}

void say_followed(const AuditFollower& follower) {
  if (follower.source() == AuditSource::kSocket) {
    print_note("following the kernel's audit records; Ctrl-C ends it");
    return;
  }
  print_note("following the kernel log, which gets ten records in five seconds; Ctrl-C ends it");
  if (AuditFollower::daemon()) {
    print_warning("an audit daemon runs: the kernel log gets no records while it does");
  }
}

Result<void> follow(const Arguments& arguments, AuditTally& tally) {
  std::optional<double> until;
  if (const auto limit = arguments.value("--for")) {
    const auto seconds = parse_duration(*limit);
    if (!seconds) {
      return input_error(format("\"{}\" is no time", printable(*limit)), "--for",
                         "10s, 500ms, 2m and 1h are");
    }
    until = monotonic_seconds() + *seconds;
  }
  const std::string name = arguments.value_or("--source", "auto");
  const AuditSource source = name == "socket" ? AuditSource::kSocket
                             : name == "kmsg" ? AuditSource::kKmsg
                                              : AuditSource::kAuto;
  const record::SignalCatcher catcher;
  const HeldSignals held;
  TRY_ASSIGN(AuditFollower follower, AuditFollower::start(source));
  say_followed(follower);
  if (!arguments.flag("--json")) {
    tally.on_group = [](const record::AuditGroup& group) {
      // Output that cannot be written is met again by the report, which says so.
      (void)print_result(audit_group_text(group, 0) + "\n");
    };
  }
  while (!output_closed() && wait_for(follower.fd(), held, until)) TRY(follower.drain(tally));
  return follower.finish(tally);
}

// This machine's own: what auditd wrote, or the kernel printed. A record may be in both.
Result<void> read_own_logs(AuditTally& tally) {
  const Result<void> audit_log = record::read_audit_log(kAuditLog, tally);
  if (!audit_log) return record::read_kernel_log(tally);
  if (const auto kernel_log = record::read_kernel_log(tally); !kernel_log) {
    print_warning(kernel_log.error().text());
  }
  return {};
}

Result<void> check_usage(const Arguments& arguments) {
  const bool live = arguments.flag("--follow");
  if (live && !arguments.operands().empty()) {
    return input_error("--follow takes no FILE: it reads what the kernel writes from now on");
  }
  for (const char* const option : {"--for", "--source"}) {
    if (!live && arguments.value(option)) {
      return input_error(format("{} goes with --follow", option));
    }
  }
  if (!arguments.values("--allow").empty() && !arguments.value("--profile")) {
    return input_error("--allow goes with --profile");
  }
  for (const std::string& name : arguments.values("--allow")) {
    if (syscalls::is_known(name)) continue;
    const auto near = nearest(name, syscalls::known_names());
    return input_error(format("no system call is called \"{}\"", printable(name)), "--allow",
                       near ? format("did you mean \"{}\"?", *near) : std::string());
  }
  const auto output = arguments.value("--evidence");
  if (output == "-") {
    return input_error("the evidence cannot go to standard output: the report does", "--evidence");
  }
  if (output) TRY(check_writable(*output));
  return {};
}

Result<void> read_logs(const Arguments& arguments, AuditTally& tally) {
  if (arguments.flag("--follow")) return follow(arguments, tally);
  if (arguments.operands().empty()) return read_own_logs(tally);
  for (const std::string& path : arguments.operands()) TRY(record::read_audit_log(path, tally));
  return {};
}

Result<int> run_audit(const Arguments& arguments) {
  TRY(check_usage(arguments));
  std::optional<profile::Profile> profile;
  const std::string profile_name = arguments.value_or("--profile", "");
  if (!profile_name.empty()) {
    TRY_ASSIGN(profile::Profile loaded, load_profile(profile_name, default_setting()));
    profile = std::move(loaded);
  }
  AuditTally tally;
  record::AuditContainers containers;
  tally.container_of = [&](const record::AuditRecord& record) { return containers.of(record); };
  TRY(read_logs(arguments, tally));
  if (const auto output = arguments.value("--evidence")) {
    evidence::Evidence evidence;
    evidence.runs.push_back(record::audit_evidence(tally));
    TRY(write_evidence(*output, evidence, false));
  }
  warn_of_audit_loss(tally.counts());
  std::vector<AdvisedCall> advice;
  if (profile) {
    const std::vector<std::string> allowed = arguments.values("--allow");
    advice = audit_advice(tally.groups(), *profile, {allowed.begin(), allowed.end()});
  }
  if (arguments.flag("--json")) {
    json::Value report = audit_to_json(tally);
    if (profile) report.set("suggestion", advice_to_json(profile_name, advice));
    TRY(print_json(report));
  } else {
    TRY(print_result(audit_to_text(tally) +
                     (profile ? advice_to_text(profile_name, advice) : std::string())));
  }
  return tally.counts().records == 0 && tally.counts().complete() ? 0 : 1;
}

}  // namespace

const Verb& audit_verb() {
  static const Verb verb = {
      .name = "audit",
      .summary = "what filters refused or logged, from the kernel's audit records",
      .synopsis = "[FILE...|-|--follow] [--profile P [--allow CALL]] [-o E] [--json]",
      .description =
          "Reads seccomp records (audit type 1326) out of the output of dmesg, /dev/kmsg, "
          "journalctl, "
          "auditd's log, ausearch (also -i) and syslog, told apart by content. Without a FILE: "
          "auditd's log and the kernel log of this machine. With --follow: what the kernel writes "
          "from now on, until Ctrl-C or --for; each new group is printed at once, the report at "
          "the "
          "end.\n\n"
          "Records are grouped by call, architecture, action, program and, while the process "
          "lives, "
          "container. What journal and kernel both wrote counts once. What is missing is counted: "
          "records that are cut off, that the kernel lost, or did not print because there were too "
          "many.\n\n"
          "With --profile it says how P would have to change; a dangerous call is in that change "
          "only with --allow. With --evidence it writes what was logged, and what was refused, as "
          "evidence.\n\n"
          "A record holds no arguments, and not the errno that a filter gave. A filter that "
          "answers "
          "with an errno or a trap is not logged at all unless it was loaded with the LOG flag "
          "(SECCOMP_FILTER_FLAG_LOG in \"flags\").\n\n"
          "Exit status: 0 when there is no record and nothing is missing, 1 when there is either, "
          "2 "
          "for bad usage or a log that cannot be read, 3 when the machine lacks something.",
      .examples = {"whittle audit /var/log/audit/audit.log",
                   "journalctl -k -o json | whittle audit --json -",
                   "whittle audit --follow --for 10m -o app.evidence.json",
                   "whittle audit --profile app.profile.json   # what this machine refused so far"},
      .options = {{"--follow", 'f', "", "read what the kernel writes from now on"},
                  {"--for", 0, "T", "end --follow after that time: 90s, 10m"},
                  {"--source",
                   0,
                   "SOURCE",
                   "what --follow reads: the audit socket, or the kernel log",
                   {"auto", "socket", "kmsg"}},
                  {"--profile", 'p', "P", "say how this profile would have to change"},
                  {"--allow", 0, "CALL", "a dangerous call that may be in the change", {}, true},
                  {"--evidence", 'o', "E", "write what was seen as evidence"},
                  {"--json", 0, "", "print JSON"}},
      .operand = "FILE",
      .least_operands = 0,
      .most_operands = SIZE_MAX,
      .run = run_audit,
  };
  return verb;
}

}  // namespace whittle::cli
