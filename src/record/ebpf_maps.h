// The memory that both sides of the eBPF recorder share, as the user side has it. Private to
// ebpf_*.cc.
#pragma once

#include <bpf/bpf.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "evidence/evidence.h"
#include "record/ebpf_recorder.h"
#include "recorder.h"
#include "syscalls/arch.h"

namespace whittle::record {

inline constexpr std::array<syscalls::Arch, RECORDER_ABIS> kRecorderAbis = {
    syscalls::Arch::kX86_64, syscalls::Arch::kX86, syscalls::Arch::kX32};

// The slot of a call, or nullopt for a number that the kernel side counts in `others`.
std::optional<std::uint32_t> slot_of(syscalls::Arch arch, std::uint32_t nr);
syscalls::Arch arch_of_slot(std::uint32_t slot);
std::uint32_t nr_of_slot(std::uint32_t slot);  // as a filter sees it

struct EbpfMaps {
  recorder_control* control = nullptr;
  int tasks = -1;
  int totals = -1;
  int errnos = -1;
  int others = -1;
  int values = -1;
  int judged = -1;
  int recent = -1;
  int cgroups = -1;
  int events = -1;
};

template <typename Key, typename Value, typename Visit>
void for_each_entry(int map, Visit visit) {
  Key key = {};
  const void* previous = nullptr;
  while (bpf_map_get_next_key(map, previous, &key) == 0) {
    Value value = {};
    if (bpf_map_lookup_elem(map, &key, &value) == 0) visit(key, value);
    previous = &key;
  }
}

// The stack of a first occurrence, and who made it.
struct FirstStack {
  evidence::Stack stack;
  pid_t thread = 0;
  std::string executable;  // empty: the process had gone, or ran another one by then
};
// By cell.
using StacksByCell = std::map<std::uint32_t, std::vector<FirstStack>>;

// What the maps hold of one source. `lost` of the result is left empty. `stacks` is asked after the
// maps were read: the stack of a call that is among the judged ones is in the ring by then.
Result<Snapshot> read_source(const EbpfMaps& maps, std::uint32_t source,
                             const std::vector<std::string>& phases,
                             const std::function<const StacksByCell&()>& stacks);

// Forgets what the maps hold of one source. REQUIRES: nothing counts for it any more.
Result<void> clear_source(const EbpfMaps& maps, std::uint32_t source);

}  // namespace whittle::record
