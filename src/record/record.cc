#include "record/record.h"

#include <sys/random.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/text.h"
#include "host/kernel.h"
#include "host/launch.h"
#include "record/ebpf_recorder.h"
#include "record/ebpf_recording.h"
#include "record/ptrace_recorder.h"
#include "record/ptrace_run.h"
#include "record/session.h"

namespace whittle::record {

namespace {

std::string random_id() {
  std::array<unsigned char, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    std::abort();
  std::string id;
  for (const unsigned char byte : bytes) id += format("{:02x}", byte);
  return id;
}

Result<host::Launched> launch_command(const RecordSpec& spec, Session& session,
                                      evidence::Run& run) {
  host::LaunchSpec launch;
  if (spec.prepared != nullptr) {
    launch = spec.prepared->launch();
    launch.output_to_stderr = spec.output_to_stderr;
    TRY(session.prepare(launch));
    return host::launch(launch);
  }
  TRY_ASSIGN(launch.program, find_program(spec.command.at(0)));
  launch.argv = spec.command;
  launch.filter = spec.filter;
  launch.output_to_stderr = spec.output_to_stderr;
  if (spec.filter && !host::kernel_facts().privileges.sys_admin) {
    launch.no_new_privileges = true;
    run.notes.emplace_back("no_new_privileges was on: set-id programs had no more privilege");
  }
  TRY(session.prepare(launch));
  return host::launch(launch);
}

Result<Recorded> record_by_ebpf(const RecordSpec& spec, Session& session, evidence::Run run) {
  TRY_ASSIGN(EbpfRecorder recorder, EbpfRecorder::open({.stacks = spec.stacks}));
  TRY_ASSIGN(host::Launched child, launch_command(spec, session, run));
  return EbpfRecording(spec, session, std::move(run)).record(recorder, std::move(child));
}

Result<Recorded> record_by_ptrace(const RecordSpec& spec, Session& session, evidence::Run run) {
  TRY_ASSIGN(host::Launched child, launch_command(spec, session, run));
  session.asks_at_each_call();
  session.start();
  session.set_main(child.pid());
  std::vector<filter::Program> filters;
  if (spec.filter) filters.push_back(*spec.filter);
  PtraceRun recording(spec, session, std::move(run), std::move(filters));
  Recorded recorded;
  TRY_ASSIGN(recorded.run, recording.finish(record_ptrace(std::move(child), recording.options())));
  if (recorded.run.exit) {
    recorded.status = ExitStatus{*recorded.run.exit, 0};
    if (*recorded.run.exit > 128) recorded.status = ExitStatus{0, *recorded.run.exit - 128};
    session.ended(recorded.status->text());
  }
  if (const auto since = session.stopping_since()) {
    recorded.asked_to_stop = true;
    recorded.stopping = monotonic_seconds() - *since;
    recorded.killed = session.kill_requested();
  }
  return recorded;
}

}  // namespace

evidence::Run new_run(const std::vector<std::string>& command, const std::string& under) {
  evidence::Run run;
  run.id = random_id();
  run.arch = syscalls::host_arch();
  utsname names = {};
  ::uname(&names);
  run.kernel = names.release;
  run.started = utc_timestamp();
  run.under = under;
  run.command = command;
  return run;
}

bool may_use_ebpf() {
  const host::Privileges privileges = host::kernel_facts().privileges;
  return privileges.initial_user_namespace &&
         (privileges.sys_admin || (privileges.bpf && privileges.perfmon));
}

Choice choose_backend(Backend wanted) {
  if (wanted == Backend::kEbpf) return {Backend::kEbpf, "asked for"};
  if (wanted == Backend::kPtrace) return {Backend::kPtrace, "asked for"};
  if (may_use_ebpf()) {
    return {Backend::kEbpf, "we have the privilege for it: exact, and at native speed"};
  }
  return {Backend::kPtrace, "eBPF needs CAP_BPF and CAP_PERFMON (root); timing is perturbed"};
}

Result<Recorded> record(const RecordSpec& spec) {
  const Choice choice = choose_backend(spec.backend);
  // Before anything is started: a typo in the command is no matter of backends.
  if (spec.prepared == nullptr) TRY(find_program(spec.command.at(0)));
  Session session(spec);
  const bool ebpf = choice.backend == Backend::kEbpf;
  evidence::Run fresh = new_run(spec.command, spec.under);
  Result<Recorded> result = ebpf ? record_by_ebpf(spec, session, std::move(fresh))
                                 : record_by_ptrace(spec, session, std::move(fresh));
  session.finish();  // whatever went wrong: the command's output is the user's
  if (!result) return result;
  Recorded recorded = *std::move(result);
  recorded.backend = ebpf ? "eBPF" : "ptrace";
  recorded.reason = choice.reason;
  session.give(recorded);
  return recorded;
}

}  // namespace whittle::record
