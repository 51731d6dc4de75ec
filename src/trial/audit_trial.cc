#include "trial/audit_trial.h"

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/process.h"
#include "base/text.h"
#include "filter/compile.h"
#include "filter/decide.h"
#include "host/runtime.h"
#include "record/audit_live.h"
#include "record/audit_session.h"
#include "record/orphans.h"
#include "record/process_tree.h"
#include "record/session.h"
#include "syscalls/table.h"
#include "trial/common.h"

namespace whittle::trial {

namespace {

using profile::Action;
using record::AuditAction;

constexpr profile::Verdict kNoSuchCall = {Action::kErrno, ENOSYS};
constexpr std::size_t kMostRecords = 200'000;
constexpr int kPollMilliseconds = 50;
constexpr double kContainerGrace = 1;  // seconds after SIGKILL, for the runtime to end

std::optional<Action> action_of(AuditAction action) {
  switch (action) {
    case AuditAction::kNotify:
      return Action::kNotify;
    case AuditAction::kTrace:
      return Action::kTrace;
    case AuditAction::kErrno:
      return Action::kErrno;
    case AuditAction::kTrap:
      return Action::kTrap;
    case AuditAction::kKillThread:
      return Action::kKillThread;
    case AuditAction::kKillProcess:
      return Action::kKillProcess;
    default:
      return std::nullopt;
  }
}

bool has_fallback_rule(const profile::Profile& profile, const std::string& syscall) {
  if (profile.default_verdict() == kNoSuchCall) return false;
  return std::any_of(profile.rules().begin(), profile.rules().end(), [&](const auto& rule) {
    return rule.verdict == kNoSuchCall &&
           std::find(rule.names.begin(), rule.names.end(), syscall) != rule.names.end();
  });
}

// The clock that stamps records: it goes by ticks (audit_log_start(), kernel/audit.c).
std::int64_t stamp_now() {
  timespec now = {};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

// What the kernel is told not to log is not seen.
Result<void> check_logged_actions(bool log) {
  constexpr const char* kPath = "/proc/sys/kernel/seccomp/actions_logged";
  TRY_ASSIGN(const std::string text, read_file(kPath, 4096));
  const std::vector<std::string> words = split(std::string(trim(text)), ' ');
  const std::set<std::string> logged(words.begin(), words.end());
  for (const char* const action :
       {"kill_process", "kill_thread", "trap", "errno", "trace", "log"}) {
    const bool needed = log || std::string_view(action) != "log";
    if (needed && !logged.contains(action)) {
      return environment_error(format("the kernel is told not to log \"{}\"", action), kPath,
                               "write it there, or use --via ebpf");
    }
  }
  return {};
}

// Whether a container's filter can be loaded with SECCOMP_FILTER_FLAG_LOG: by runc since 1.2, which
// says so.
Result<bool> takes_log_flag(const std::string& runtime) {
  if (runtime != "runc") return true;
  TRY_ASSIGN(const host::Runtime runc, host::find_runtime(runtime));
  TRY_ASSIGN(const CommandResult said, run_command({runc.path, "features"}));
  return said.output.find("SECCOMP_FILTER_FLAG_LOG") != std::string::npos;
}

class AuditTrial {
 public:
  AuditTrial(const TrialSpec& spec, filter::Program program)
      : spec_(spec), program_(std::move(program)) {}

  // What record_workload() has done with the command.
  Result<record::Recorded> run(const record::RecordSpec& spec) {
    record::Session session(spec);
    host::LaunchSpec launch = spec.prepared->launch();
    launch.output_to_stderr = spec.output_to_stderr;
    launch.log_refusals = !in_container();
    TRY(session.prepare(launch));
    TRY_ASSIGN(const record::AuditSession audit, record::AuditSession::begin());
    TRY_ASSIGN(record::AuditFollower follower,
               record::AuditFollower::start(record::AuditSource::kAuto));
    record::AuditTally tally;
    const record::AuditCapture capture(tally, kMostRecords);
    record::Recorded recorded;
    recorded.run = record::new_run(spec.command, spec.under);
    recorded.run.source = "audit";
    started_ = stamp_now();
    record::Orphans orphans;
    TRY_ASSIGN(host::Launched child, host::launch(launch));
    session.start();
    TRY(child.release());
    TRY(follow(child, orphans, session, spec, follower, tally));
    TRY(follower.finish(tally));
    session.ended(status_ ? status_->text() : "it would not end");
    recorded.run.duration = session.seconds();
    recorded.status = status_;
    if (status_) recorded.run.exit = status_->shell_code();
    recorded.asked_to_stop = asked_ != 0 && !session.ended_by_itself();
    recorded.killed = killed_ != 0;
    if (asked_ != 0) recorded.stopping = std::max(ended_, asked_) - asked_;
    session.finish();
    session.give(recorded);
    take_records(capture.records_of(
        [&](const record::KeptRecord& kept) { return kept.record.session == audit.id(); }));
    take_losses(tally.counts(), recorded.run);
    return recorded;
  }

  void give(TrialReport& report) const {
    for (const auto& [key, denial] : denials_) report.denials.push_back(denial);
    for (const auto& [key, denial] : fallbacks_) report.fallbacks.push_back(denial);
    for (const auto& [key, count] : undecided_) {
      const auto& [arch, nr, why] = key;
      report.undecided.push_back({arch, syscalls::display_name(arch, nr), nr, count, why});
    }
  }

 private:
  using Key = std::tuple<syscalls::Arch, std::uint32_t, std::string, std::string, Action, unsigned>;
  using Calls = std::map<Key, Denial>;

  bool in_container() const { return !spec_.workload.run.runtime.empty(); }

  // Until the command has gone, and what it left behind.
  Result<void> follow(host::Launched& child, record::Orphans& orphans, record::Session& session,
                      const record::RecordSpec& spec, record::AuditFollower& follower,
                      record::AuditTally& tally) {
    if (!in_container()) set_main(child.pid(), session);
    while (!status_ || orphans.first() != 0) {
      const std::string phase = session.phase();
      if (phases_.empty() || phases_.back().second != phase) {
        phases_.emplace_back(stamp_now(), phase);
      }
      session.took_phase(phase);
      session.wait({status_ ? -1 : child.pidfd(), follower.fd()}, kPollMilliseconds);
      TRY(follower.drain(tally));
      if (main_ == 0) find_main(child.pid(), session);
      orphans.reap(status_ ? 0 : child.pid());
      if (!status_) look_at(child, orphans, session, spec);
      if (session.stop_requested()) end(child, orphans, session, spec);
    }
    return {};
  }

  void set_main(pid_t pid, record::Session& session) {
    main_ = pid;
    session.set_main(pid);
  }

  // A container's own first process: below the runtime, under a filter, and no more the runtime.
  void find_main(pid_t runtime, record::Session& session) {
    for (const pid_t pid : record::tree_of(runtime)) {
      if (record::status_field(pid, "Seccomp") != "2") continue;
      const std::string name = record::status_field(pid, "Name");
      if (!is_runtime(name)) return set_main(pid, session);
    }
  }

  bool is_runtime(const std::string& comm) const {
    const std::string& runtime = spec_.workload.run.runtime;
    return in_container() && comm.starts_with(runtime) &&
           (comm.size() == runtime.size() || comm[runtime.size()] == ':');
  }

  void look_at(host::Launched& child, const record::Orphans& orphans, record::Session& session,
               const record::RecordSpec& spec) {
    status_ = child.poll();
    if (!status_) return;
    ended_ = monotonic_seconds();
    const pid_t daemon = spec.drive && status_->success() && !in_container() ? orphans.first() : 0;
    if (daemon != 0) {
      set_main(daemon, session);
    } else {
      session.ended(status_->text());
    }
  }

  // The command is asked first, what it leaves behind when it has gone.
  void end(const host::Launched& child, record::Orphans& orphans, const record::Session& session,
           const record::RecordSpec& spec) {
    const double now = monotonic_seconds();
    if (asked_ == 0) {
      asked_ = now;
      if (!status_) ::kill(main_ != 0 ? main_ : child.pid(), spec.stop_signal);
    }
    if (status_) orphans.ask(spec.stop_signal);
    if (!session.kill_requested()) return;
    if (killed_ == 0) killed_ = now;
    orphans.kill();
    if (status_) return;
    ::kill(main_ != 0 ? main_ : child.pid(), SIGKILL);
    if (in_container() && now - killed_ > kContainerGrace) spec.prepared->end();
  }

  std::string phase_at(std::int64_t time) const {
    std::string phase = "startup";
    for (const auto& [begin, name] : phases_) {
      if (begin <= time) phase = name;
    }
    return phase;
  }

  void take_records(const std::vector<const record::KeptRecord*>& records) {
    for (const record::KeptRecord* kept : records) {
      const auto arch = kept->record.arch();
      if (!arch) {
        ++other_architectures_;
        continue;
      }
      const AuditedCall said =
          audited_call(kept->record, program_, spec_.profile, spec_.mode == Mode::kLog);
      const std::uint32_t nr = kept->record.nr;
      if (said.kind == AuditedCall::Kind::kOtherFilter) {
        ++undecided_[{*arch, nr, "a filter that is not the profile's refused it, or logged it"}];
      } else if (said.kind == AuditedCall::Kind::kUndecided) {
        ++undecided_[{
            *arch, nr,
            "the profile answers it with ENOSYS on purpose or otherwise, by its arguments: "
            "a record has neither"}];
      } else {
        const bool fallback = said.kind == AuditedCall::Kind::kFallback;
        add(*kept, *arch, said.verdict, fallback ? fallbacks_ : denials_);
      }
    }
  }

  void add(const record::KeptRecord& kept, syscalls::Arch arch, const profile::Verdict& verdict,
           Calls& into) const {
    Denial denial;
    denial.arch = arch;
    denial.nr = kept.record.nr;
    denial.syscall = syscalls::display_name(arch, denial.nr);
    denial.verdict = verdict;
    denial.comm = printable(kept.comm);
    denial.phase = is_runtime(kept.comm) ? std::string(record::kRuntimePhase)
                                         : phase_at(kept.record.stamp.time);
    denial.count = 1;
    denial.first.thread = static_cast<pid_t>(kept.record.pid);
    denial.first.executable = printable(kept.exe);
    denial.first.time =
        static_cast<double>(std::max<std::int64_t>(kept.record.stamp.time - started_, 0)) / 1000;
    denial.first.stack.push_back({{}, {}, kept.record.ip, {}});
    const Key key = {arch,         denial.nr,      denial.comm,
                     denial.phase, verdict.action, unsigned{verdict.data}};
    const auto [found, added] = into.try_emplace(key, std::move(denial));
    if (!added) ++found->second.count;
  }

  void take_losses(const record::AuditCounts& counts, evidence::Run& run) const {
    run.lost = {{"audit", counts.lost},
                {"audit_malformed", counts.malformed},
                {"audit_other_architectures", other_architectures_},
                {"audit_rate_limited", counts.rate_limited},
                {"audit_uncertain", counts.uncertain ? 1U : 0U}};
    run.complete = std::all_of(run.lost.begin(), run.lost.end(),
                               [](const auto& loss) { return loss.second == 0; });
  }

  const TrialSpec& spec_;
  const filter::Program program_;  // of the profile itself
  std::int64_t started_ = 0;
  std::vector<std::pair<std::int64_t, std::string>> phases_;  // from when on
  pid_t main_ = 0;                                            // 0: not known yet
  std::optional<ExitStatus> status_;                          // of the command
  double ended_ = 0;
  double asked_ = 0;
  double killed_ = 0;
  Calls denials_;
  Calls fallbacks_;
  std::map<std::tuple<syscalls::Arch, std::uint32_t, std::string>, std::uint64_t> undecided_;
  std::uint64_t other_architectures_ = 0;
};

}  // namespace

AuditedCall audited_call(const record::AuditRecord& record, std::span<const sock_filter> program,
                         const profile::Profile& profile, bool log) {
  const auto arch = record.arch();
  if (!arch) return {};
  const filter::Decision decision = filter::decide(program, *arch, record.nr);
  if (!decision.decided) return {AuditedCall::Kind::kUndecided, {}};
  const bool fallbacks = has_fallback_rule(profile, syscalls::display_name(*arch, record.nr));
  const bool logged = record.action == AuditAction::kLog;
  if (logged && !log) return {};
  const auto wanted = action_of(record.action);
  std::optional<profile::Verdict> refusal;
  bool fallback = false;
  for (const filter::Path& path : decision.paths) {
    if (path.verdict.allows()) continue;
    const bool meant = path.verdict == kNoSuchCall && fallbacks;
    // In log mode what is meant is answered, and everything else is logged.
    if (logged ? meant : (log && !meant && wanted == Action::kErrno)) continue;
    if (!logged && path.verdict.action != wanted) continue;
    if (meant) {
      fallback = true;
    } else {
      refusal = path.verdict;
    }
  }
  if (refusal && fallback) return {AuditedCall::Kind::kUndecided, *refusal};
  if (refusal) return {AuditedCall::Kind::kDenial, *refusal};
  if (fallback) return {AuditedCall::Kind::kFallback, kNoSuchCall};
  return {};
}

filter::Program logging_program(const filter::Program& program, bool all) {
  filter::Program out = program;
  for (sock_filter& instruction : out) {
    if (BPF_CLASS(instruction.code) != BPF_RET || BPF_RVAL(instruction.code) != BPF_K) continue;
    const profile::Verdict verdict = filter::verdict_of(instruction.k);
    if (verdict.allows() || (!all && verdict == kNoSuchCall)) continue;
    instruction = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_LOG);
  }
  return out;
}

profile::Profile flagged_profile(const profile::Profile& profile) {
  constexpr const char* kLog = "SECCOMP_FILTER_FLAG_LOG";
  profile::Profile::Parts parts = profile.parts();
  // Without the key runtimes set this one.
  if (parts.flags.empty() && !parts.no_flags) {
    parts.flags.emplace_back("SECCOMP_FILTER_FLAG_SPEC_ALLOW");
  }
  parts.no_flags = false;
  if (std::find(parts.flags.begin(), parts.flags.end(), kLog) == parts.flags.end()) {
    parts.flags.emplace_back(kLog);
  }
  return profile::Profile(std::move(parts));
}

profile::Profile logging_profile(const profile::Profile& profile) {
  profile::Profile::Parts parts = profile.parts();
  const bool all = parts.default_verdict == kNoSuchCall;
  const auto log = [&](profile::Verdict& verdict) {
    if (!verdict.allows() && (all || verdict != kNoSuchCall)) verdict = {Action::kLog, 0};
  };
  log(parts.default_verdict);
  for (profile::Rule& rule : parts.rules) log(rule.verdict);
  return profile::Profile(std::move(parts));
}

Result<TrialReport> run_by_audit(const TrialSpec& spec) {
  if (spec.whole_evidence) {
    return input_error("audit records show refused calls only, which is no evidence of a run", {},
                       "leave out --evidence, or use --via ebpf");
  }
  const bool log = spec.mode == Mode::kLog;
  const host::WorkloadRun& run = spec.workload.run;
  TRY(check_logged_actions(log));
  const filter::Flavour flavour = run.runtime.empty()     ? filter::Flavour::kNative
                                  : run.runtime == "runc" ? filter::Flavour::kRunc
                                                          : filter::Flavour::kCrun;
  TRY_ASSIGN(const filter::Compiled compiled, filter::compile(spec.profile, flavour));
  host::RunFilter loaded;
  loaded.program =
      log ? logging_program(compiled.program, spec.profile.default_verdict() == kNoSuchCall)
          : compiled.program;
  profile::Profile document = log ? logging_profile(spec.profile) : spec.profile;
  TRY_ASSIGN(const bool flagged, takes_log_flag(run.runtime));
  if (flagged) {
    document = flagged_profile(document);
  } else if (!log) {
    return environment_error("this runc cannot load a filter that logs what it refuses", {},
                             "runc 1.2 can; or use --mode log, --runtime crun or --via ebpf");
  } else if (spec.warn) {
    spec.warn("this runc cannot load a filter that logs what it refuses: fallbacks are not seen");
  }
  loaded.profile_json = profile::write_oci(document);
  TRY_ASSIGN(host::PreparedRun prepared, host::PreparedRun::prepare(run, std::move(loaded)));
  TrialReport report;
  report.filters = {compiled.program};
  AuditTrial trial(spec, compiled.program);
  TRY_ASSIGN(
      record::Exercised exercised,
      record::record_workload(spec.workload, record_spec_of(spec), prepared,
                              [&](const record::RecordSpec& each) { return trial.run(each); }));
  take_recorded(exercised, report);
  trial.give(report);
  if (run.runtime.empty()) {
    add_native_versions(prepared, report);
  } else {
    report.versions = versions_here(prepared.runtime());
    add_package_version(prepared.root(), report.versions);
  }
  return report;
}

}  // namespace whittle::trial
