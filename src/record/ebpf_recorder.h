// The eBPF backend: counts the system calls of trees of processes and of cgroups in the kernel
// (bpf/recorder.bpf.c).
//
//   TRY_ASSIGN(EbpfRecorder recorder, EbpfRecorder::open({}));
//   TRY(recorder.add(child.pidfd(), EbpfRecorder::Start::kAtExec));
//   TRY(child.release());
//   ... recorder.drain() now and then; recorder.live() == 0 once the last task of the tree is gone
//   ... TRY_ASSIGN(const Snapshot snapshot, recorder.snapshot());
//
// What is to be told apart is counted for different sources: a container's own processes and what
// entered it later, say. A command is source 0.
//
// Needs Linux 5.15 or newer with BTF on x86_64, and CAP_BPF + CAP_PERFMON (root). Not thread-safe.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "evidence/evidence.h"
#include "syscalls/arch.h"

namespace whittle::record {

// A call that a filter may refuse: its occurrences are kept with their result and with those of
// their arguments that the filter looks at.
struct JudgeSpec {
  syscalls::Arch arch;
  std::uint32_t nr;        // as a filter sees it
  std::uint8_t arguments;  // bit i: argument i is kept
  bool never_allowed;      // refused whatever the arguments: the first occurrences keep them all
};

// Occurrences of one call under judgement that are alike.
struct JudgedCall {
  syscalls::Arch arch;
  std::uint32_t nr;
  std::array<std::uint64_t, 6> args;  // those not kept are 0
  int error = 0;                      // the errno it returned, 0 when it returned none
  bool result_is_number = false;      // the result equals the number: a trap or a kill leaves that
  std::string comm;
  std::string phase;
  std::uint64_t count = 0;
  // Of the first of them, where it is known: when, in seconds since the start, to a jiffy; and with
  // stacks, if its call or its values were the first of their kind, who made it and from where.
  std::optional<double> time;
  pid_t thread = 0;
  std::string executable;
  std::vector<evidence::Frame> stack;  // innermost first
  // Arguments of it that are not in `args`, as (index, value).
  std::vector<std::pair<unsigned, std::uint64_t>> more_arguments;
};

struct Snapshot {
  std::vector<evidence::Observation> syscalls;  // sorted by arch, then nr; `refused` is 0
  // Every kind of loss, most of them 0. It is the same for all sources: a loss may be any one's.
  std::map<std::string, std::uint64_t> lost;
  std::vector<JudgedCall> judged;
};

// Numbers from this on are kept for judgement always (JudgeSpec does not apply to them).
std::uint32_t first_uncounted_number();

class EbpfRecorder {
 public:
  using Source = std::uint32_t;

  // A cgroup as the kernel knows it.
  struct Cgroup {
    std::uint32_t hierarchy = 0;  // the first field of its line in /proc/PID/cgroup; 0: v2
    std::uint64_t id = 0;         // the inode number of its directory
    auto operator<=>(const Cgroup&) const = default;
  };

  struct Options {
    unsigned sources = 1;  // up to 8; each costs about 400 KB a CPU
    bool stacks = true;    // of first occurrences
    bool targets = false;  // whether more than add() is to be used: what is no command of ours
    // For tests of what happens when they are full: entries of each map, bytes of the ring (a power
    // of two). 0: what is usual. WHITTLE_RECORDER_ENTRIES and WHITTLE_RECORDER_RING set them, too.
    std::uint32_t map_entries = 0;
    std::uint32_t ring_bytes = 0;
  };

  enum class Start {
    kAtExec,       // from the target's next execve on, which is counted
    kUnderFilter,  // from the moment that one more seccomp filter is in force than now
  };

  // Loads and attaches. Errors, kind environment: what this machine lacks.
  static Result<EbpfRecorder> open(const Options& options);

  EbpfRecorder(EbpfRecorder&&) noexcept;
  EbpfRecorder& operator=(EbpfRecorder&&) noexcept;
  ~EbpfRecorder();  // detaches

  // Which calls to keep for judgement, from now on; the last call of these two decides.
  void judge(std::span<const JudgeSpec> specs);
  // For a filter that is not known yet: keeps whatever a task under one was answered as filters
  // answer (EPERM, EACCES, ENOSYS, the number), with all arguments. Those of `specs` are kept as
  // judge() has it, whatever they were answered.
  void judge_unknown(std::span<const JudgeSpec> specs = {});
  // Stop (SIGSTOP) the first process that execs under a filter, before its first instruction.
  // REQUIRES: called before add(); for Start::kUnderFilter.
  void stop_at_exec();
  // That process, 0 as long as there is none.
  pid_t stopped() const;

  // Follows a process and all children it will have. REQUIRES: it has one thread and waits.
  Result<void> add(int pidfd, Start start, Source source = 0);

  // Follows a running process, its threads and all its descendants, at once. How many tasks.
  Result<std::uint64_t> add_tree(pid_t pid, Source source = 0);

  // All cgroups that a recorder follows or watches are of one hierarchy.
  // Follows what enters the cgroup or one below it from now on: the first that does, with what it
  // forks, on `main`, others on `exec`. A task that enters counts from its first execve on,
  // or from the moment a filter is in force; one that leaves counts no more.
  // `first`: the process that was, if it is there already.
  Result<void> follow_cgroup(Cgroup cgroup, Source main, Source exec, pid_t first = 0);
  // Follows what is in the cgroup already: descendants of `init` on `main`, others on `exec`. How
  // many tasks.
  Result<std::uint64_t> add_cgroup_tasks(Cgroup cgroup, pid_t init, Source main, Source exec);

  // From now on each new cgroup of the hierarchy is followed on trial; drain() tells of it. When a
  // task of it begins to count it takes a free pair of sources (main, main + 1) of those given by
  // their mains. The user keeps it, or drops it with release().
  Result<void> watch_new_cgroups(std::uint32_t hierarchy, std::span<const Source> mains);
  void stop_watching();
  // The pair that a cgroup on trial has taken, by its main; nullopt: nothing counts there yet.
  std::optional<Source> main_of(Cgroup cgroup) const;
  // Whether something ran there and could not be counted, for want of a free pair.
  bool had_no_pair(Cgroup cgroup) const;
  // Follows the cgroup no more, forgets what its pair of sources counted, and frees the pair.
  Result<void> release(Cgroup cgroup);

  struct NewCgroup {
    Cgroup cgroup;
    std::string path;  // in its hierarchy; cut after 511 bytes
  };
  // Takes what the kernel has sent meanwhile: keeps the stacks, gives the new cgroups.
  std::vector<NewCgroup> drain();
  // Readable when there is something to drain.
  int events_fd() const;

  // The name under which calls are counted from now on. At most 30 different names.
  void set_phase(std::string_view name);

  // Whether a program has started in the cgroup that is followed on this main source.
  bool started(Source main) const;
  // Tasks of the source that have not exited.
  std::uint64_t live(Source source = 0) const;

  // Drains first: no stack is missing.
  Result<Snapshot> snapshot(Source source = 0);

 private:
  struct State;
  explicit EbpfRecorder(std::unique_ptr<State> state);
  Result<std::uint64_t> mark_tasks();
  std::uint32_t value_of_main(Cgroup cgroup) const;
  std::unique_ptr<State> state_;
};

// The phase name of a container runtime's own calls, between loading the filter and execve.
inline constexpr std::string_view kRuntimePhase = "runtime";

}  // namespace whittle::record
