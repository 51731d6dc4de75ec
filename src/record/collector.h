// Adds single system calls up to the observations of a run. Knows nothing of how they were seen.
//
//   Collector collector;
//   collector.add({Arch::kX86_64, 41, {AF_INET, SOCK_STREAM, 0}, {}, 0.25, "startup", 3, false});
//   run.syscalls = collector.observations();
//
// Memory is bounded whatever the program does: by kMostValues for each set of argument values, by
// kMostRefusals for refusals, and by kMostUnnamed for numbers that no table has. Not thread-safe.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "evidence/evidence.h"
#include "syscalls/arch.h"
#include "syscalls/arguments.h"

namespace whittle::record {

// Values kept of one argument or tuple; a set that would grow beyond it is marked open instead.
inline constexpr std::size_t kMostValues = 256;
// Distinct numbers without a name that are kept.
inline constexpr std::size_t kMostUnnamed = 1024;

// True for a result by which the kernel reports an error: -4095 to -1 (MAX_ERRNO in
// include/linux/err.h).
bool is_errno(std::int64_t result);

// exit and exit_group: they end the task, so whoever waits for their result waits in vain.
bool never_returns(std::string_view syscall);

// Sorts the refusals, the most frequent first, and leaves kMostRefusals of them at most.
void bound_refusals(evidence::Observation& seen);

struct Call {
  syscalls::Arch arch = syscalls::Arch::kX86_64;
  std::uint32_t nr = 0;  // as a filter sees it
  // The registers at entry, in full: they are cut here to the widths of the argument table.
  std::array<std::uint64_t, 6> args{};
  // For a call whose recorded argument is in a struct (clone3), that value; nullopt: it is not
  // known.
  std::optional<std::uint64_t> in_struct;
  double seconds = 0;  // when it was made, since the start of the run
  std::string phase;
  std::optional<std::int64_t> result;  // nullopt: it has not returned, and perhaps never will
  bool refused = false;                // by a filter in force
  std::uint8_t looked_at = 0x3f;       // bit i: that filter looks at argument i of this call
  std::string comm;                    // of the thread that made it, when it was refused
  pid_t task = 0;                      // the thread that made it; 0: not known
  // What a source that is not a recorder of ours may leave open (record/import.h):
  std::uint64_t times = 1;    // calls alike, of which there were so many
  bool has_arguments = true;  // false: it keeps none: neither values nor refusals are added
  std::uint8_t unread = 0;  // bit i: argument i is there, but cannot be read. Its set is open then
  std::uint8_t any = 0;     // bit i: argument i may be anything: open as well, and nothing is lost
};

// The values of one recorded unit of a call, cut to their widths; nullopt: one of them is unread,
// or they are in a struct that could not be read.
std::optional<std::vector<std::uint64_t>> recorded_values(const syscalls::ArgumentSpec& spec,
                                                          const Call& call);

class Collector {
 public:
  // The arguments of a refused call are no values of the observation, they were not needed: they
  // stand in its refusals. Of the first kMostRefusals all six are kept, later ones keep those that
  // the filter looks at, so that pointers do not use up the room.
  void add(const Call& call);

  // Sorted by arch, then nr; unique.
  std::vector<evidence::Observation> observations() const;

  // What could not be kept, by kind; zeros included. "arguments": calls whose argument is unread,
  // or in a struct that is not known though the kernel acted on it. "calls": those beyond
  // kMostUnnamed.
  std::map<std::string, std::uint64_t> lost() const;

 private:
  struct Entry {
    evidence::Observation seen;  // errnos are filled in by observations()
    std::map<int, std::uint64_t> errnos;
    std::vector<evidence::Refusal> refusals;  // by kind; at most twice kMostRefusals
    std::size_t shown = 0;                    // refused calls kept with all arguments
    // The specs of seen.args and of seen.tuples, in their order.
    std::vector<const syscalls::ArgumentSpec*> singles;
    std::vector<const syscalls::ArgumentSpec*> tuples;
    bool has_result = true;
  };

  Entry* find_or_add(syscalls::Arch arch, std::uint32_t nr);
  static void add_refusal(Entry& entry, const Call& call);
  void add_arguments(Entry& entry, const Call& call);
  // The values of a unit; when they are not known, none, and its set has been opened.
  std::optional<std::vector<std::uint64_t>> values_or_open(const syscalls::ArgumentSpec& spec,
                                                           const Call& call, bool& closed);

  std::map<std::pair<syscalls::Arch, std::uint32_t>, Entry> entries_;
  std::size_t unnamed_ = 0;
  std::uint64_t lost_arguments_ = 0;
  std::uint64_t lost_calls_ = 0;
};

}  // namespace whittle::record
