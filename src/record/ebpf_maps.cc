#include "record/ebpf_maps.h"

#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "base/errno_name.h"
#include "base/text.h"
#include "syscalls/arguments.h"
#include "syscalls/table.h"

namespace whittle::record {

using syscalls::Arch;

std::optional<std::uint32_t> slot_of(Arch arch, std::uint32_t nr) {
  const auto abi = std::find(kRecorderAbis.begin(), kRecorderAbis.end(), arch);
  if (abi == kRecorderAbis.end()) return std::nullopt;
  if (arch == Arch::kX32) nr &= ~syscalls::kX32Bit;
  if (nr >= RECORDER_NUMBERS) return std::nullopt;
  return static_cast<std::uint32_t>(abi - kRecorderAbis.begin()) * RECORDER_NUMBERS + nr;
}

Arch arch_of_slot(std::uint32_t slot) { return kRecorderAbis.at(slot / RECORDER_NUMBERS); }

std::uint32_t nr_of_slot(std::uint32_t slot) {
  const std::uint32_t nr = slot % RECORDER_NUMBERS;
  return arch_of_slot(slot) == Arch::kX32 ? nr | syscalls::kX32Bit : nr;
}

namespace {

// Seconds of one jiffy: the resolution of the coarse clocks (kernel/time/posix-timers.c).
double jiffy_seconds() {
  timespec resolution = {};
  clock_getres(CLOCK_MONOTONIC_COARSE, &resolution);
  return static_cast<double>(resolution.tv_nsec) * 1e-9;
}

std::vector<recorder_total> totals_of_all_cpus() {
  return std::vector<recorder_total>(
      static_cast<std::size_t>(std::max(libbpf_num_possible_cpus(), 1)));
}

// Adds up what the maps hold of a source into observations.
class SourceReader {
 public:
  SourceReader(const EbpfMaps& maps, std::uint32_t source, const std::vector<std::string>& phases)
      : maps_(maps), source_(source), phases_(phases) {}

  Result<void> add_totals() {
    std::vector<recorder_total> per_cpu = totals_of_all_cpus();
    for (std::uint32_t slot = 0; slot < RECORDER_SLOTS; ++slot) {
      const std::uint32_t cell = source_ * RECORDER_SLOTS + slot;
      if (bpf_map_lookup_elem(maps_.totals, &cell, per_cpu.data()) != 0) {
        return errno_error(ErrorKind::kEnvironment, "eBPF: cannot read the counts", errno);
      }
      for (const recorder_total& total : per_cpu) {
        if (total.count != 0) add_total(slot, total);
      }
    }
    return {};
  }

  void add_errnos() {
    for_each_entry<recorder_errno, std::uint64_t>(
        maps_.errnos, [&](const auto& key, std::uint64_t count) {
          if (!is_ours(key.cell)) return;
          Entry& entry = at_slot(key.cell % RECORDER_SLOTS);
          entry.observation.errnos[errno_name(static_cast<int>(key.number))] += count;
        });
  }

  void add_others() {
    for_each_entry<recorder_other, recorder_seen>(
        maps_.others, [&](const auto& key, const auto& seen) {
          if (key.source != source_) return;
          Entry& entry = at(kRecorderAbis.at(key.abi), key.nr);
          entry.observation.count += seen.count;
          if (key.error != 0) {
            entry.observation.errnos[errno_name(static_cast<int>(key.error))] += seen.count;
          }
          entry.see(seen.first, seen.last);
        });
  }

  void add_values() {
    for_each_entry<recorder_value, std::uint8_t>(maps_.values, [&](const auto& key, std::uint8_t) {
      if (!is_ours(key.cell)) return;
      const std::uint32_t set = key.cell * RECORDER_SPECS + key.spec;
      const bool closed = maps_.control->distinct[set] <= RECORDER_VALUES;
      evidence::Observation& seen = at_slot(key.cell % RECORDER_SLOTS).observation;
      const auto specs = syscalls::argument_specs(seen.name);
      if (key.spec < specs.size()) add_value(seen, specs[key.spec], key.values.value, closed);
    });
  }

  void add_stacks(const StacksByCell& stacks) {
    for (const auto& [cell, list] : stacks) {
      if (!is_ours(cell)) continue;
      const std::uint32_t slot = cell % RECORDER_SLOTS;
      const auto found = entries_.find({arch_of_slot(slot), nr_of_slot(slot)});
      if (found == entries_.end()) continue;  // it was made after the counts were read
      std::vector<evidence::Stack>& into = found->second.observation.stacks;
      into.clear();
      for (const FirstStack& first : list) into.push_back(first.stack);
    }
  }

  // In jiffies.
  std::uint64_t start() const {
    std::uint64_t start = UINT64_MAX;
    for (const auto& [key, entry] : entries_) start = std::min(start, entry.first);
    return start;
  }

  std::vector<evidence::Observation> take() {
    const std::uint64_t start = this->start();
    const double jiffy = jiffy_seconds();
    std::vector<evidence::Observation> result;
    for (auto& [key, entry] : entries_) {
      evidence::Observation& observation = entry.observation;
      // A map entry can be there some moments before its total is.
      if (observation.count == 0) continue;
      observation.first = static_cast<double>(entry.first - start) * jiffy;
      observation.last = static_cast<double>(entry.last - start) * jiffy;
      if ((entry.phases & (1U << RECORDER_PHASE_RUNTIME)) != 0) {
        observation.phases.emplace_back(kRuntimePhase);
      }
      for (std::size_t i = 0; i < phases_.size(); ++i) {
        if ((entry.phases & (1U << i)) != 0) observation.phases.push_back(phases_[i]);
      }
      std::sort(observation.args.begin(), observation.args.end(),
                [](const auto& first, const auto& second) { return first.index < second.index; });
      std::sort(
          observation.tuples.begin(), observation.tuples.end(),
          [](const auto& first, const auto& second) { return first.indexes < second.indexes; });
      result.push_back(std::move(observation));
    }
    return result;
  }

 private:
  struct Entry {
    evidence::Observation observation;
    std::uint64_t first = UINT64_MAX;
    std::uint64_t last = 0;
    std::uint32_t phases = 0;

    void see(std::uint64_t from, std::uint64_t to) {
      first = std::min(first, from);
      last = std::max(last, to);
    }
  };

  bool is_ours(std::uint32_t cell) const { return cell / RECORDER_SLOTS == source_; }

  Entry& at(Arch arch, std::uint32_t nr) {
    Entry& entry = entries_[{arch, nr}];
    entry.observation.arch = arch;
    entry.observation.nr = nr;
    if (entry.observation.name.empty()) {
      entry.observation.name = syscalls::display_name(arch, nr);
    }
    return entry;
  }

  Entry& at_slot(std::uint32_t slot) { return at(arch_of_slot(slot), nr_of_slot(slot)); }

  void add_total(std::uint32_t slot, const recorder_total& total) {
    Entry& entry = at_slot(slot);
    entry.observation.count += total.count;
    entry.see(total.first, total.last);
    entry.phases |= total.phases;
    for (const auto& slot_errno : total.errnos) {
      if (slot_errno.count == 0) continue;
      const std::string name = errno_name(static_cast<int>(slot_errno.number));
      entry.observation.errnos[name] += slot_errno.count;
    }
  }

  static void add_value(evidence::Observation& observation, const syscalls::ArgumentSpec& spec,
                        const __u64* values, bool closed) {
    const std::vector<unsigned> indexes(spec.indexes.begin(), spec.indexes.end());
    if (indexes.size() == 1) {
      auto found = std::find_if(observation.args.begin(), observation.args.end(),
                                [&](const auto& seen) { return seen.index == indexes[0]; });
      if (found == observation.args.end()) {
        found = observation.args.insert(found, {indexes[0], spec.kind, closed, {}});
      }
      found->values.insert(values[0]);
      return;
    }
    auto found = std::find_if(observation.tuples.begin(), observation.tuples.end(),
                              [&](const auto& seen) { return seen.indexes == indexes; });
    if (found == observation.tuples.end()) {
      found = observation.tuples.insert(found, {indexes, closed, {}});
    }
    found->values.insert({values, values + indexes.size()});
  }

  const EbpfMaps& maps_;
  const std::uint32_t source_;
  const std::vector<std::string>& phases_;
  std::map<std::pair<Arch, std::uint32_t>, Entry> entries_;
};

// Whether the stack is one of a call like this, as far as the filter tells calls apart: it was
// taken for the values of all arguments that the filter looks at, or of a call that it always
// refuses.
bool fits(const FirstStack& first, const JudgedCall& call, const recorder_call& how) {
  const evidence::Stack& stack = first.stack;
  if (stack.comm != call.comm) return false;
  unsigned given = 0;
  for (const unsigned index : stack.indexes) given |= 1U << index;
  const unsigned looked_at = how.judge == RECORDER_JUDGE_REFUSED ? 0U : how.judge_arguments;
  if ((looked_at & ~given) != 0) return false;
  const auto specs =
      syscalls::argument_specs(call.arch, syscalls::display_name(call.arch, call.nr));
  const auto spec = std::find_if(specs.begin(), specs.end(), [&](const auto& one) {
    return std::equal(one.indexes.begin(), one.indexes.end(), stack.indexes.begin(),
                      stack.indexes.end());
  });
  if (spec == specs.end() || spec->in_struct) return stack.indexes.empty();
  // Of a call that is always refused the first occurrences have all arguments, the others none.
  const bool has_all =
      std::any_of(call.args.begin(), call.args.end(), [](auto a) { return a != 0; });
  const unsigned kept = how.judge == RECORDER_JUDGE_REFUSED && has_all ? 0x3fU : looked_at;
  for (std::size_t i = 0; i < stack.indexes.size(); ++i) {
    if (((kept >> stack.indexes[i]) & 1U) == 0) continue;
    const std::uint64_t mask = spec->widths[i] == 64 ? UINT64_MAX : UINT32_MAX;
    if ((call.args.at(stack.indexes[i]) & mask) != stack.values[i]) return false;
  }
  return true;
}

void add_origin(const EbpfMaps& maps, std::uint32_t source, const StacksByCell& stacks,
                JudgedCall& call) {
  const auto slot = slot_of(call.arch, call.nr);
  const auto list = slot ? stacks.find(source * RECORDER_SLOTS + *slot) : stacks.end();
  if (list == stacks.end()) return;
  const recorder_call& how = maps.control->calls[*slot];
  // The one that says most about the arguments.
  const FirstStack* best = nullptr;
  for (const FirstStack& first : list->second) {
    const bool more = best == nullptr || first.stack.indexes.size() > best->stack.indexes.size();
    if (more && fits(first, call, how)) best = &first;
  }
  if (best == nullptr) return;
  call.thread = best->thread;
  call.executable = best->executable;
  call.stack = best->stack.frames;
  for (std::size_t i = 0; i < best->stack.indexes.size(); ++i) {
    call.more_arguments.emplace_back(best->stack.indexes[i], best->stack.values[i]);
  }
}

std::vector<JudgedCall> read_judged(const EbpfMaps& maps, std::uint32_t source,
                                    const std::vector<std::string>& phases, std::uint64_t start) {
  const double jiffy = jiffy_seconds();
  std::vector<JudgedCall> calls;
  for_each_entry<recorder_judged, recorder_seen>(
      maps.judged, [&](const auto& key, const auto& seen) {
        if (key.source != source) return;
        JudgedCall call;
        call.arch = kRecorderAbis.at(key.abi);
        call.nr = key.nr;
        std::copy(std::begin(key.arguments), std::end(key.arguments), call.args.begin());
        call.result_is_number = key.result == RECORDER_RESULT_NUMBER;
        call.error = call.result_is_number ? 0 : static_cast<int>(key.result);
        call.comm = printable({key.comm, strnlen(key.comm, sizeof(key.comm))});
        call.phase = key.phase < phases.size() ? phases[key.phase] : std::string(kRuntimePhase);
        call.count = seen.count;
        call.time =
            static_cast<double>(seen.first - std::min<std::uint64_t>(seen.first, start)) * jiffy;
        calls.push_back(std::move(call));
      });
  return calls;
}

// Deletes the entries of a map that `ours` picks: first all keys, since deleting ends a walk.
template <typename Key, typename Value, typename Ours>
void erase_entries(int map, Ours ours) {
  std::vector<Key> keys;
  for_each_entry<Key, Value>(map, [&](const Key& key, const Value&) {
    if (ours(key)) keys.push_back(key);
  });
  for (const Key& key : keys) bpf_map_delete_elem(map, &key);
}

}  // namespace

Result<Snapshot> read_source(const EbpfMaps& maps, std::uint32_t source,
                             const std::vector<std::string>& phases,
                             const std::function<const StacksByCell&()>& stacks) {
  SourceReader reader(maps, source, phases);
  TRY(reader.add_totals());
  reader.add_errnos();
  reader.add_others();
  reader.add_values();
  Snapshot snapshot;
  snapshot.judged = read_judged(maps, source, phases, reader.start());
  const StacksByCell& taken = stacks();
  reader.add_stacks(taken);
  for (JudgedCall& call : snapshot.judged) add_origin(maps, source, taken, call);
  snapshot.syscalls = reader.take();
  return snapshot;
}

Result<void> clear_source(const EbpfMaps& maps, std::uint32_t source) {
  const std::vector<recorder_total> nothing = totals_of_all_cpus();
  const auto ours = [&](std::uint32_t cell) { return cell / RECORDER_SLOTS == source; };
  for (std::uint32_t slot = 0; slot < RECORDER_SLOTS; ++slot) {
    const std::uint32_t cell = source * RECORDER_SLOTS + slot;
    if (maps.control->met[cell] == 0) continue;  // it has counted nothing
    if (bpf_map_update_elem(maps.totals, &cell, nothing.data(), BPF_ANY) != 0) {
      return errno_error(ErrorKind::kEnvironment, "eBPF: cannot clear the counts", errno);
    }
    std::fill_n(maps.control->distinct + std::size_t{cell} * RECORDER_SPECS, RECORDER_SPECS, 0U);
    maps.control->shown[cell] = 0;
    maps.control->met[cell] = 0;
  }
  erase_entries<recorder_errno, std::uint64_t>(maps.errnos,
                                               [&](const auto& key) { return ours(key.cell); });
  erase_entries<recorder_value, std::uint8_t>(maps.values,
                                              [&](const auto& key) { return ours(key.cell); });
  erase_entries<recorder_other, recorder_seen>(
      maps.others, [&](const auto& key) { return key.source == source; });
  erase_entries<recorder_judged, recorder_seen>(
      maps.judged, [&](const auto& key) { return key.source == source; });
  const std::uint32_t zero = 0;
  const std::vector<recorder_recent> none(
      static_cast<std::size_t>(std::max(libbpf_num_possible_cpus(), 1)));
  if (bpf_map_update_elem(maps.recent, &zero, none.data(), BPF_ANY) != 0) {
    return errno_error(ErrorKind::kEnvironment, "eBPF: cannot clear the values", errno);
  }
  maps.control->started[source] = 0;
  return {};
}

}  // namespace whittle::record
