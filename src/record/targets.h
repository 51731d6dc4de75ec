// Recording what we did not start: a process that runs, a cgroup, a container.
//
// A container is followed by the cgroup in which it is alone, never by descent: what enters that
// cgroup once its program has started (`runc exec`, health checks) is a run of its own, with
// `part` "exec". What enters counts from its first execve on, or from the moment a filter is in
// force. One that is waited for is recorded from its first call on; what ran before the recording
// is lost, and said to be: lost "late_start".
//
// Nothing here is stopped: the target is not ours.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "evidence/evidence.h"
#include "record/record.h"

namespace whittle::record {

struct Target {
  enum class Kind {
    kProcess,    // with all its threads and descendants
    kCgroup,     // with those below it
    kContainer,  // running now, or waited for
  };
  Kind kind = Kind::kProcess;
  pid_t pid = 0;            // kProcess
  std::string name;         // kCgroup: a path; kContainer: id or name
  bool wait = false;        // kContainer that does not run: its next start is waited for
  std::uint64_t lives = 1;  // with `wait`: it is recorded from start to end so many times
  // Called, with what there is to say about it, once nothing can be missed any more: all that runs
  // is followed, or the start of what is waited for will be seen.
  std::function<void(const std::string&)> attached;
  // In place of RecordSpec::checkpoint: the runs so far, as they would be returned.
  std::function<void(std::span<const evidence::Run>, const std::string& phase)> checkpoint;
};

// "pid-17" or the name of the program, the last part of a cgroup's path, a container's name: what
// the workload is called when the user does not say.
std::string target_name(const Target& target);

// Until the target has ended, or a limit of `spec`, quiet or a signal ends the recording. Of `spec`
// only ready, marks and the limits count; while a container is waited for, its time limit counts
// from the beginning. The runs are in the order of their start, a container's before that of what
// entered it; the latter is there only when something did.
// Errors, kind input: there is no such target; nothing appeared. Kind environment: eBPF is missing.
Result<std::vector<evidence::Run>> record_target(const Target& target, const RecordSpec& spec);

}  // namespace whittle::record
