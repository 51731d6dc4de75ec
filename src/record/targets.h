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
#include "filter/program.h"
#include "record/ebpf_recorder.h"
#include "record/record.h"

namespace whittle::record {

// What a recording knows at a moment of one part of its target, for whoever watches it.
struct TargetView {
  std::uint64_t life = 1;      // which start of it, of those that this recording has seen
  bool entered = false;        // what entered the container later; else its own
  bool ended = false;          // nothing will be added to this life any more
  bool from_start = false;     // it was waited for: judged only in part until its filter was known
  const std::string& runtime;  // of a container; else empty
  // In force in its first process, newest first; nullopt: they could not be read, and why.
  const std::optional<std::vector<filter::Program>>& filters;
  const std::string& unreadable;
  // Processes of it that are under more or fewer filters than the first one.
  std::uint64_t otherwise_filtered = 0;
  const std::vector<JudgeSpec>& kept;  // what the kernel keeps for judgement
  const Snapshot& snapshot;            // since the beginning of this life
};

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
  // Of the calls that its filter may refuse, makes those that are to be kept for judgement. Called
  // with none as long as the filter is not known.
  std::function<std::vector<JudgeSpec>(std::vector<JudgeSpec>)> to_judge;
  // Called for each part of the target, ten times a second (less often when that is much work), and
  // at the end of each life. False: end the recording.
  std::function<bool(const TargetView&)> watch;
  const char* doing = "recording";  // in what `attached` is told
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
