#include "record/collector.h"

#include <algorithm>
#include <cerrno>
#include <tuple>

#include "base/errno_name.h"
#include "evidence/canonical.h"
#include "syscalls/table.h"

namespace whittle::record {

namespace {

using syscalls::ArgumentSpec;

// The number in the result register after these is the caller's own, put back: no result.
bool restores_registers(std::string_view syscall) {
  return syscall == "rt_sigreturn" || syscall == "sigreturn";
}

// By these the kernel says that it did not read the struct, or would not act on what it says: so
// nothing is missed when it is not known.
bool struct_is_irrelevant(std::optional<std::int64_t> result) {
  if (!result) return false;
  return *result == -ENOSYS || *result == -EFAULT || *result == -EINVAL || *result == -E2BIG;
}

std::uint64_t cut(std::uint64_t value, std::uint8_t width) {
  return width >= 64 ? value : value & ((std::uint64_t{1} << width) - 1);
}

// Bit i: the unit has argument i.
std::uint8_t index_bits(const ArgumentSpec& spec) {
  unsigned bits = 0;
  for (const std::uint8_t index : spec.indexes) bits |= 1U << index;
  return static_cast<std::uint8_t>(bits);
}

template <typename Values, typename Value>
void insert_bounded(Values& into, Value value) {
  if (into.values.size() < kMostValues) {
    into.values.insert(std::move(value));
  } else if (!into.values.contains(value)) {
    into.closed = false;
  }
}

}  // namespace

bool is_errno(std::int64_t result) { return result >= -4095 && result < 0; }

bool never_returns(std::string_view syscall) {
  return syscall == "exit" || syscall == "exit_group";
}

void bound_refusals(evidence::Observation& seen) {
  std::stable_sort(seen.refusals.begin(), seen.refusals.end(),
                   [](const auto& a, const auto& b) { return a.count > b.count; });
  if (seen.refusals.size() <= evidence::kMostRefusals) return;
  seen.refusals.resize(evidence::kMostRefusals);
  seen.refusals_closed = false;
}

std::optional<std::vector<std::uint64_t>> recorded_values(const ArgumentSpec& spec,
                                                          const Call& call) {
  if ((spec.in_struct && !call.in_struct) || (call.unread & index_bits(spec)) != 0) {
    return std::nullopt;
  }
  std::vector<std::uint64_t> values;
  for (std::size_t i = 0; i < spec.indexes.size(); ++i) {
    const std::uint64_t value = spec.in_struct ? *call.in_struct : call.args.at(spec.indexes[i]);
    values.push_back(cut(value, spec.widths[i]));
  }
  return values;
}

void Collector::add(const Call& call) {
  Entry* entry = find_or_add(call.arch, call.nr);
  if (entry == nullptr) {
    lost_calls_ += call.times;
    return;
  }
  evidence::Observation& seen = entry->seen;
  seen.first = seen.count == 0 ? call.seconds : std::min(seen.first, call.seconds);
  seen.last = std::max(seen.last, call.seconds);
  seen.count += call.times;
  if (call.refused) seen.refused += call.times;
  if (entry->has_result && call.result && is_errno(*call.result)) {
    entry->errnos[static_cast<int>(-*call.result)] += call.times;
  }
  if (!call.phase.empty() &&
      std::find(seen.phases.begin(), seen.phases.end(), call.phase) == seen.phases.end()) {
    evidence::add_phases(seen.phases, {call.phase});
  }
  if (!call.has_arguments) {
    if (call.refused) seen.refusals_closed = false;
  } else if (call.refused) {
    add_refusal(*entry, call);
  } else {
    add_arguments(*entry, call);
  }
}

void Collector::add_refusal(Entry& entry, const Call& call) {
  const bool killed =
      !call.result || *call.result == static_cast<std::int64_t>(call.nr) || !is_errno(*call.result);
  evidence::Refusal kind;
  kind.error = killed ? "killed" : errno_name(static_cast<int>(-*call.result));
  kind.phase = call.phase;
  kind.comm = call.comm;
  const bool show = entry.shown < evidence::kMostRefusals;
  entry.shown += show ? 1 : 0;
  for (std::size_t i = 0; i < kind.args.size(); ++i) {
    if (show || ((call.looked_at >> i) & 1U) != 0) kind.args.at(i) = call.args.at(i);
  }
  const auto same = [&kind](const evidence::Refusal& other) {
    return std::tie(other.args, other.error, other.phase, other.comm) ==
           std::tie(kind.args, kind.error, kind.phase, kind.comm);
  };
  auto found = std::find_if(entry.refusals.begin(), entry.refusals.end(), same);
  if (found == entry.refusals.end()) {
    if (entry.refusals.size() == 2 * evidence::kMostRefusals) {
      entry.seen.refusals_closed = false;
      return;
    }
    found = entry.refusals.insert(found, std::move(kind));
  }
  found->count += call.times;
}

Collector::Entry* Collector::find_or_add(syscalls::Arch arch, std::uint32_t nr) {
  const auto found = entries_.find({arch, nr});
  if (found != entries_.end()) return &found->second;
  const auto name = syscalls::name(arch, nr);
  if (!name && ++unnamed_ > kMostUnnamed) return nullptr;
  Entry& entry = entries_[{arch, nr}];
  entry.seen.arch = arch;
  entry.seen.nr = nr;
  entry.seen.name = syscalls::display_name(arch, nr);
  entry.has_result = !restores_registers(entry.seen.name);
  for (const ArgumentSpec& spec : syscalls::argument_specs(arch, entry.seen.name)) {
    (spec.indexes.size() == 1 ? entry.singles : entry.tuples).push_back(&spec);
  }
  const auto by_indexes = [](const ArgumentSpec* a, const ArgumentSpec* b) {
    return a->indexes < b->indexes;
  };
  std::sort(entry.singles.begin(), entry.singles.end(), by_indexes);
  std::sort(entry.tuples.begin(), entry.tuples.end(), by_indexes);
  for (const ArgumentSpec* spec : entry.singles) {
    entry.seen.args.push_back({spec->indexes[0], spec->kind, true, {}});
  }
  for (const ArgumentSpec* spec : entry.tuples) {
    entry.seen.tuples.push_back({{spec->indexes.begin(), spec->indexes.end()}, true, {}});
  }
  return &entry;
}

void Collector::add_arguments(Entry& entry, const Call& call) {
  for (std::size_t i = 0; i < entry.singles.size(); ++i) {
    evidence::ArgumentValues& into = entry.seen.args[i];
    const auto values = values_or_open(*entry.singles[i], call, into.closed);
    if (values) insert_bounded(into, values->at(0));
  }
  for (std::size_t i = 0; i < entry.tuples.size(); ++i) {
    evidence::TupleValues& into = entry.seen.tuples[i];
    auto values = values_or_open(*entry.tuples[i], call, into.closed);
    if (values) insert_bounded(into, *std::move(values));
  }
}

std::optional<std::vector<std::uint64_t>> Collector::values_or_open(const ArgumentSpec& spec,
                                                                    const Call& call,
                                                                    bool& closed) {
  if ((call.any & index_bits(spec)) != 0) {
    closed = false;
    return std::nullopt;
  }
  auto values = recorded_values(spec, call);
  if (!values && !(spec.in_struct && struct_is_irrelevant(call.result))) {
    closed = false;
    lost_arguments_ += call.times;
  }
  return values;
}

std::vector<evidence::Observation> Collector::observations() const {
  std::vector<evidence::Observation> result;
  for (const auto& [key, entry] : entries_) {
    evidence::Observation seen = entry.seen;
    for (const auto& [number, count] : entry.errnos) {
      seen.errnos[errno_name(number)] += count;
    }
    seen.refusals = entry.refusals;
    bound_refusals(seen);
    // A set that is empty and closed says that no value was ever used: true of no call at all.
    const auto nothing_seen = [](const auto& set) { return set.values.empty() && set.closed; };
    std::erase_if(seen.args, nothing_seen);
    std::erase_if(seen.tuples, nothing_seen);
    result.push_back(std::move(seen));
  }
  return result;
}

std::map<std::string, std::uint64_t> Collector::lost() const {
  return {{"arguments", lost_arguments_}, {"calls", lost_calls_}};
}

}  // namespace whittle::record
