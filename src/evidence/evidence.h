// Evidence: what is known of a workload's use of system calls. The file format is docs/evidence.md.
//
// A value type. Runs are what was observed; everything else (the top-level "syscalls" of the file)
// is derived from them. Merging is the union of runs by id: of two runs with one id the complete
// one wins, else the longer one, so any order and any repetition give the same result.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "syscalls/arch.h"
#include "syscalls/arguments.h"

namespace whittle::evidence {

// Values of one argument. Cut to the width that the argument table gives, unsigned.
struct ArgumentValues {
  unsigned index = 0;
  syscalls::ArgumentKind kind = syscalls::ArgumentKind::kEnum;
  bool closed = true;  // false: more values were seen than kept
  std::set<std::uint64_t> values;
  bool operator==(const ArgumentValues&) const = default;
};

// Values of several arguments, kept together.
struct TupleValues {
  std::vector<unsigned> indexes;
  bool closed = true;
  std::set<std::vector<std::uint64_t>> values;  // each as long as indexes
  bool operator==(const TupleValues&) const = default;
};

// One place in a program, as addr2line(1) takes it.
struct Frame {
  std::string object;        // path of the executable or library; empty: no file (generated code)
  std::string build_id;      // its GNU build id in hex; may be empty
  std::uint64_t offset = 0;  // address in the object as it was linked; without one: the address
  std::string symbol;        // the function, demangled; empty when it has no name
  bool operator==(const Frame&) const = default;
};

// Where a call was made from, when it was first made or first made with some argument values.
struct Stack {
  std::vector<unsigned> indexes;      // of the arguments; empty: the first call of all
  std::vector<std::uint64_t> values;  // theirs, as long as indexes
  std::string comm;                   // the thread's name
  std::vector<Frame> frames;          // innermost first
  bool operator==(const Stack&) const = default;
};

// Calls, alike, that a filter in force refused.
struct Refusal {
  std::array<std::uint64_t, 6> args{};  // the registers; those that the filter does not look at
                                        // may be 0
  std::string error;                    // "EPERM"; "killed" for a trap or a kill
  std::string phase;
  std::string comm;
  std::uint64_t count = 0;
  bool operator==(const Refusal&) const = default;
};

// One call of one ABI.
struct Observation {
  syscalls::Arch arch = syscalls::Arch::kX86_64;
  std::string name;  // "syscall_N" for a number without a name
  std::uint32_t nr = 0;
  std::uint64_t count = 0;    // all of them, the refused ones included
  std::uint64_t refused = 0;  // refused by a filter in force: never counts as needed
  double first = 0;           // seconds since the start of the run
  double last = 0;
  std::vector<std::string> phases;              // in the order startup, ready, exercises, stop
  std::map<std::string, std::uint64_t> errnos;  // "ENOENT" -> 12; kernel-internal names kept
  std::vector<ArgumentValues> args;             // sorted by index
  std::vector<TupleValues> tuples;              // sorted by indexes
  // The refused calls, most frequent first; false: there were more kinds than kept (kMostRefusals).
  std::vector<Refusal> refusals;
  bool refusals_closed = true;
  std::vector<Stack> stacks;  // sorted by indexes, then values

  // Calls that did something other than return ENOSYS or be refused, at most: a refusal may itself
  // have returned ENOSYS, and is then in both numbers. 0: nothing needs the call.
  std::uint64_t needed() const;
  bool operator==(const Observation&) const = default;
};

// Kinds of refused calls kept of one call; stacks kept of one call.
inline constexpr std::size_t kMostRefusals = 64;
inline constexpr std::size_t kMostStacks = 256;

struct Run {
  std::string id;      // unique: 16 or more characters of [0-9a-f-]
  std::string source;  // "ebpf", "ptrace", "strace", "audit", "scan", ...
  syscalls::Arch arch = syscalls::Arch::kX86_64;  // native ABI of the machine
  std::string kernel;                             // uname -r
  std::string started;                            // RFC 3339, UTC
  double duration = 0;                            // seconds
  bool complete = false;
  std::map<std::string, std::uint64_t> lost;  // kind of loss -> how many; all zero when complete
  std::string timing = "native";              // "native" or "perturbed"
  std::string under = "none";  // the filter it was recorded under: "fallbacks", a baseline, "none"
  std::vector<std::string> command;
  // Of a container: its id, image and runtime, else empty. `part` is "exec" for the processes that
  // entered it later (exec sessions, health checks), which are a run of their own.
  std::string container;
  std::string image;
  std::string runtime;
  std::string part;
  std::optional<int> exit;         // the shell's convention: 128 + signal
  std::vector<std::string> notes;  // what a reader must know: "set-id program lost its privilege"
  std::vector<Observation> syscalls;  // sorted by arch, then nr; unique
  bool operator==(const Run&) const = default;
};

struct Evidence {
  std::string workload;
  std::vector<Run> runs;  // sorted by (started, id); ids unique

  bool complete() const;  // every run is, and there is one
  // The top-level summary: counts, errnos and values of all runs added up, sorted by arch, then nr.
  std::vector<Observation> syscalls() const;
};

// Reads a file's text; `place` names it in errors. Unknown keys are ignored (fields may be added);
// a wrong schema, a wrong type, a number that contradicts its name, an unsorted or repeated entry
// that would change the meaning are errors with their place. The top-level "syscalls" is not
// trusted: it is derived anew.
Result<Evidence> read(std::string_view text, std::string_view place);
// Deterministic: the same evidence gives the same bytes. Ends with a newline.
std::string write(const Evidence& evidence);
// Union of runs by id, whatever the order of the parts. The workload is the first in byte order
// that is not empty.
Evidence merge(std::span<const Evidence> parts);

}  // namespace whittle::evidence
