#include "evidence/canonical.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "syscalls/table.h"

namespace whittle::evidence {

namespace {

// Three thousand years: keeps milliseconds exact in a double.
constexpr double kMostSeconds = 1e11;

double rounded(double seconds) {
  if (!(seconds > 0)) return 0;
  return std::round(std::min(seconds, kMostSeconds) * 1000) / 1000;
}

int phase_rank(std::string_view phase) {
  if (phase == "startup") return 0;
  if (phase == "ready") return 1;
  return phase == "stop" ? 3 : 2;
}

std::uint64_t cut(std::uint64_t value, unsigned width) {
  return width >= 64 ? value : value & ((std::uint64_t{1} << width) - 1);
}

// The table's spec of that unit; nullptr when it does not record it.
const syscalls::ArgumentSpec* find_spec(std::string_view syscall,
                                        const std::vector<unsigned>& indexes) {
  for (const syscalls::ArgumentSpec& spec : syscalls::argument_specs(syscall)) {
    if (std::equal(spec.indexes.begin(), spec.indexes.end(), indexes.begin(), indexes.end())) {
      return &spec;
    }
  }
  return nullptr;
}

void cut_values(std::string_view syscall, ArgumentValues& argument) {
  const syscalls::ArgumentSpec* spec = find_spec(syscall, {argument.index});
  if (spec == nullptr) return;
  std::set<std::uint64_t> values;
  for (const std::uint64_t value : argument.values) values.insert(cut(value, spec->widths[0]));
  argument.values = std::move(values);
}

void cut_values(std::string_view syscall, TupleValues& tuple) {
  const syscalls::ArgumentSpec* spec = find_spec(syscall, tuple.indexes);
  if (spec == nullptr) return;
  std::set<std::vector<std::uint64_t>> values;
  for (std::vector<std::uint64_t> value : tuple.values) {
    for (std::size_t i = 0; i < value.size(); ++i) value[i] = cut(value[i], spec->widths[i]);
    values.insert(std::move(value));
  }
  tuple.values = std::move(values);
}

void make_canonical(Observation& seen) {
  if (const auto known = syscalls::name(seen.arch, seen.nr); known && is_number_name(seen.name)) {
    seen.name = *known;
  }
  seen.first = rounded(seen.first);
  seen.last = rounded(seen.last);
  std::vector<std::string> phases;
  add_phases(phases, seen.phases);
  seen.phases = std::move(phases);
  for (ArgumentValues& argument : seen.args) cut_values(seen.name, argument);
  for (TupleValues& tuple : seen.tuples) cut_values(seen.name, tuple);
  std::sort(seen.args.begin(), seen.args.end(),
            [](const ArgumentValues& a, const ArgumentValues& b) { return a.index < b.index; });
  std::sort(seen.tuples.begin(), seen.tuples.end(),
            [](const TupleValues& a, const TupleValues& b) { return a.indexes < b.indexes; });
  std::stable_sort(seen.refusals.begin(), seen.refusals.end(),
                   [](const Refusal& a, const Refusal& b) {
                     return std::make_tuple(UINT64_MAX - a.count, a.args, std::string_view(a.error),
                                            std::string_view(a.phase), std::string_view(a.comm)) <
                            std::make_tuple(UINT64_MAX - b.count, b.args, std::string_view(b.error),
                                            std::string_view(b.phase), std::string_view(b.comm));
                   });
  std::stable_sort(seen.stacks.begin(), seen.stacks.end(), [](const Stack& a, const Stack& b) {
    return std::tie(a.indexes, a.values) < std::tie(b.indexes, b.values);
  });
}

}  // namespace

bool is_number_name(std::string_view name) { return name.starts_with("syscall_"); }

void add_phases(std::vector<std::string>& into, const std::vector<std::string>& from) {
  for (const std::string& phase : from) {
    if (std::find(into.begin(), into.end(), phase) != into.end()) continue;
    const auto after = std::find_if(into.begin(), into.end(), [&](const std::string& other) {
      return phase_rank(other) > phase_rank(phase);
    });
    into.insert(after, phase);
  }
}

Run canonical(Run run) {
  run.duration = rounded(run.duration);
  for (Observation& seen : run.syscalls) make_canonical(seen);
  std::sort(run.syscalls.begin(), run.syscalls.end(), [](const auto& a, const auto& b) {
    return std::tie(a.arch, a.nr) < std::tie(b.arch, b.nr);
  });
  return run;
}

}  // namespace whittle::evidence
