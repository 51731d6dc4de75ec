#include "evidence/evidence.h"

#include <algorithm>
#include <tuple>

#include "evidence/canonical.h"

namespace whittle::evidence {

namespace {

std::uint64_t add(std::uint64_t a, std::uint64_t b) {
  return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

// The unit of `units` with that key, made when there is none yet.
ArgumentValues& unit_for(std::vector<ArgumentValues>& units, const ArgumentValues& like) {
  for (ArgumentValues& unit : units) {
    if (unit.index == like.index) return unit;
  }
  units.push_back({like.index, like.kind, true, {}});
  return units.back();
}

TupleValues& unit_for(std::vector<TupleValues>& units, const TupleValues& like) {
  for (TupleValues& unit : units) {
    if (unit.indexes == like.indexes) return unit;
  }
  units.push_back({like.indexes, true, {}});
  return units.back();
}

bool has(const std::vector<ArgumentValues>& units, const ArgumentValues& unit) {
  return std::any_of(units.begin(), units.end(),
                     [&](const ArgumentValues& u) { return u.index == unit.index; });
}

bool has(const std::vector<TupleValues>& units, const TupleValues& unit) {
  return std::any_of(units.begin(), units.end(),
                     [&](const TupleValues& u) { return u.indexes == unit.indexes; });
}

template <typename Unit>
void add_units(std::vector<Unit>& into, const std::vector<Unit>& from) {
  for (const Unit& unit : from) {
    Unit& sum = unit_for(into, unit);
    sum.closed = sum.closed && unit.closed;
    sum.values.insert(unit.values.begin(), unit.values.end());
  }
}

// A run that saw the call work but did not keep its arguments leaves the set of values open.
template <typename Unit>
void open_missing(std::vector<Unit>& sums, const std::vector<Unit>& seen) {
  for (Unit& sum : sums) {
    if (!has(seen, sum)) sum.closed = false;
  }
}

bool better_name(const std::string& a, const std::string& b) {
  return std::make_tuple(is_number_name(a), std::string_view(a)) <
         std::make_tuple(is_number_name(b), std::string_view(b));
}

void add_counts(Observation& sum, const Observation& seen) {
  if (better_name(seen.name, sum.name)) sum.name = seen.name;
  sum.count = add(sum.count, seen.count);
  sum.refused = add(sum.refused, seen.refused);
  sum.first = std::min(sum.first, seen.first);
  sum.last = std::max(sum.last, seen.last);
  add_phases(sum.phases, seen.phases);
  for (const auto& [name, count] : seen.errnos) {
    std::uint64_t& total = sum.errnos[name];
    total = add(total, count);
  }
}

// One call, as all runs saw it together. REQUIRES: not empty, all of one number.
Observation sum_of(std::span<const Observation* const> all) {
  Observation sum = *all.front();
  sum.refusals.clear();  // both are for who reads one run
  sum.stacks.clear();
  for (const Observation* seen : all.subspan(1)) {
    add_counts(sum, *seen);
    add_units(sum.args, seen->args);
    add_units(sum.tuples, seen->tuples);
  }
  for (const Observation* seen : all) {
    if (seen->needed() == 0) continue;
    open_missing(sum.args, seen->args);
    open_missing(sum.tuples, seen->tuples);
  }
  std::sort(sum.args.begin(), sum.args.end(),
            [](const ArgumentValues& a, const ArgumentValues& b) { return a.index < b.index; });
  std::sort(sum.tuples.begin(), sum.tuples.end(),
            [](const TupleValues& a, const TupleValues& b) { return a.indexes < b.indexes; });
  return sum;
}

// Which of two runs with one id a merge keeps: the complete one, else the longer one, else the one
// whose bytes are smaller. A total order, so that the order of merging cannot matter.
bool replaces(const Run& candidate, const Run& held) {
  if (candidate.complete != held.complete) return candidate.complete;
  if (candidate.duration != held.duration) return candidate.duration > held.duration;
  if (candidate == held) return false;
  return json::dump_compact(run_to_json(candidate)) < json::dump_compact(run_to_json(held));
}

}  // namespace

std::uint64_t Observation::needed() const {
  const auto it = errnos.find("ENOSYS");
  const std::uint64_t unimplemented = it == errnos.end() ? 0 : it->second;
  const std::uint64_t idle = std::max(refused, unimplemented);
  return count > idle ? count - idle : 0;
}

bool Evidence::complete() const {
  return !runs.empty() &&
         std::all_of(runs.begin(), runs.end(), [](const Run& run) { return run.complete; });
}

std::vector<Observation> Evidence::syscalls() const {
  std::map<std::pair<syscalls::Arch, std::uint32_t>, std::vector<const Observation*>> calls;
  for (const Run& run : runs) {
    for (const Observation& seen : run.syscalls) calls[{seen.arch, seen.nr}].push_back(&seen);
  }
  std::vector<Observation> sums;
  sums.reserve(calls.size());
  for (const auto& [key, all] : calls) sums.push_back(sum_of(all));
  return sums;
}

Evidence merge(std::span<const Evidence> parts) {
  Evidence merged;
  std::map<std::string, Run> runs;
  for (const Evidence& part : parts) {
    if (!part.workload.empty() && (merged.workload.empty() || part.workload < merged.workload)) {
      merged.workload = part.workload;
    }
    for (const Run& original : part.runs) {
      Run run = canonical(original);
      const auto [held, fresh] = runs.try_emplace(run.id, run);
      if (!fresh && replaces(run, held->second)) held->second = std::move(run);
    }
  }
  for (auto& [id, run] : runs) merged.runs.push_back(std::move(run));
  std::sort(merged.runs.begin(), merged.runs.end(), [](const Run& a, const Run& b) {
    return std::tie(a.started, a.id) < std::tie(b.started, b.id);
  });
  return merged;
}

}  // namespace whittle::evidence
