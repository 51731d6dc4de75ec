// record() by eBPF: one launched command, or container, followed to its end.
#pragma once

#include <sys/types.h>

#include "base/fd.h"
#include "base/result.h"
#include "host/launch.h"
#include "record/ebpf_recorder.h"
#include "record/orphans.h"
#include "record/record.h"
#include "record/session.h"

namespace whittle::record {

class EbpfRecording {
 public:
  // REQUIRES: both outlive it. `run`: its identity.
  EbpfRecording(const RecordSpec& spec, Session& session, evidence::Run run);
  EbpfRecording(const EbpfRecording&) = delete;
  EbpfRecording& operator=(const EbpfRecording&) = delete;

  // `child` is held, and made by the session's launch spec. REQUIRES: called once.
  Result<Recorded> record(EbpfRecorder& recorder, host::Launched child);

 private:
  bool in_container() const { return spec_.prepared != nullptr && spec_.prepared->runtime(); }
  Result<void> wait_until_started(EbpfRecorder& recorder, host::Launched& child);
  Result<void> follow(EbpfRecorder& recorder, host::Launched& child);
  void look_at(const EbpfRecorder& recorder, host::Launched& child);
  void end(const host::Launched& child);
  void kill(const host::Launched& child);
  Result<void> take(EbpfRecorder& recorder, evidence::Run& run);

  const RecordSpec& spec_;
  Session& session_;
  Recorded recorded_;
  Orphans orphans_;
  pid_t main_ = 0;        // the workload's own first process, once it was started; 0: not yet
  UniqueFd main_pidfd_;   // in a container
  double ended_at_ = 0;   // the command itself; 0: it runs
  double asked_at_ = 0;   // it was sent the stop signal; 0: it was not
  double killed_at_ = 0;  // likewise SIGKILL
};

}  // namespace whittle::record
