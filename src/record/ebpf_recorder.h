// The eBPF backend: counts the system calls of a tree of processes in the kernel
// (bpf/recorder.bpf.c).
//
//   TRY_ASSIGN(EbpfRecorder recorder, EbpfRecorder::open());
//   TRY(recorder.add(child.pidfd(), EbpfRecorder::Start::kAtExec));
//   TRY(child.release());
//   ... recorder.live() == 0 once the last task of the tree is gone ...
//   TRY_ASSIGN(const Snapshot snapshot, recorder.snapshot());
//
// Needs Linux 5.15 or newer with BTF on x86_64, and CAP_BPF + CAP_PERFMON (root). Not thread-safe.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
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
};

struct Snapshot {
  std::vector<evidence::Observation> syscalls;  // sorted by arch, then nr; `refused` is 0
  std::map<std::string, std::uint64_t> lost;    // every kind of loss, most of them 0
  std::vector<JudgedCall> judged;
};

class EbpfRecorder {
 public:
  enum class Start {
    kAtExec,       // from the target's next execve on, which is counted
    kUnderFilter,  // from the moment that a seccomp filter more than our own is in force
  };

  // Loads and attaches. Errors, kind environment: what this machine lacks.
  static Result<EbpfRecorder> open();

  EbpfRecorder(EbpfRecorder&&) noexcept;
  EbpfRecorder& operator=(EbpfRecorder&&) noexcept;
  ~EbpfRecorder();  // detaches

  // Which calls to keep for judgement. Numbers over 1023 are always kept.
  // REQUIRES: called before add().
  void judge(std::span<const JudgeSpec> specs);
  // Stop (SIGSTOP) the first process that execs under a filter, before its first instruction.
  // REQUIRES: called before add(); for Start::kUnderFilter.
  void stop_at_exec();
  // That process, 0 as long as there is none.
  pid_t stopped() const;

  // Follows a process and all children it will have. REQUIRES: it has one thread and waits.
  Result<void> add(int pidfd, Start start);

  // The name under which calls are counted from now on. At most 30 different names.
  void set_phase(std::string_view name);

  // Tasks of the tree that have not exited.
  std::uint64_t live() const;

  Result<Snapshot> snapshot() const;

 private:
  struct State;
  explicit EbpfRecorder(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The phase name of a container runtime's own calls, between loading the filter and execve.
inline constexpr std::string_view kRuntimePhase = "runtime";

}  // namespace whittle::record
