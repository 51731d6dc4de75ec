#include <algorithm>
#include <set>

#include "base/text.h"
#include "review/explain.h"

namespace whittle::review {

namespace {

using evidence::Observation;
using evidence::Run;

const Observation* find(const Run& run, const Observation& wanted) {
  const auto found =
      std::find_if(run.syscalls.begin(), run.syscalls.end(), [&wanted](const Observation& one) {
        return one.arch == wanted.arch && one.nr == wanted.nr && one.name == wanted.name;
      });
  return found == run.syscalls.end() ? nullptr : &*found;
}

std::string program_of(const Run& run) {
  if (!run.image.empty()) return run.image;
  return run.command.empty() ? std::string() : run.command.front();
}

// A stack of the same values from the same place, seen by another run, says nothing new.
bool same_place(const evidence::Stack& a, const evidence::Stack& b) {
  return a.indexes == b.indexes && a.values == b.values;
}

void add_stacks(const Observation& observation, std::vector<evidence::Stack>& stacks) {
  for (const evidence::Stack& stack : observation.stacks) {
    const bool known =
        std::any_of(stacks.begin(), stacks.end(),
                    [&stack](const evidence::Stack& other) { return same_place(stack, other); });
    if (!known) stacks.push_back(stack);
  }
}

// Calls that returned an error; those that the kernel interrupted and makes again are none.
std::uint64_t failed(const Observation& total) {
  std::uint64_t count = 0;
  for (const auto& [name, times] : total.errnos) {
    if (!name.starts_with("ERESTART")) count += times;
  }
  return count;
}

// True when no call with these values of the unit gets through.
bool refuses(const filter::Decision& decision, const syscalls::ArgumentSpec& spec,
             const std::vector<std::uint64_t>& values) {
  std::vector<filter::Requirement> requirements;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint64_t mask = spec.widths[i] == 32 ? UINT32_MAX : UINT64_MAX;
    requirements.push_back({spec.indexes[i], mask, values[i], false});
  }
  const auto reachable = filter::allowed_with(decision, requirements);
  return reachable.decided && !reachable.args;
}

std::set<std::vector<std::uint64_t>> values_of(const Observation& observation,
                                               const std::vector<unsigned>& indexes) {
  std::set<std::vector<std::uint64_t>> values;
  for (const auto& argument : observation.args) {
    if (indexes.size() != 1 || argument.index != indexes[0]) continue;
    for (const std::uint64_t value : argument.values) values.insert({value});
  }
  for (const auto& tuple : observation.tuples) {
    if (tuple.indexes == indexes) values.insert(tuple.values.begin(), tuple.values.end());
  }
  return values;
}

}  // namespace

std::vector<std::string> refused_values(const Observation& observation,
                                        const filter::Decision& decision) {
  std::vector<std::string> texts;
  for (const auto& spec : syscalls::argument_specs(observation.arch, observation.name)) {
    if (spec.in_struct) continue;  // no filter sees them
    const std::vector<unsigned> indexes(spec.indexes.begin(), spec.indexes.end());
    for (const auto& values : values_of(observation, indexes)) {
      if (!refuses(decision, spec, values)) continue;
      texts.push_back(join(syscalls::tuple_text(observation.name, indexes, values), ", "));
    }
  }
  return texts;
}

Seen seen_in(const evidence::Evidence& evidence, Observation total) {
  Seen seen;
  std::set<std::string> threads;
  std::set<std::string> programs;
  for (const Run& run : evidence.runs) {
    const Observation* one = find(run, total);
    if (one == nullptr) continue;
    if (seen.first_run.empty()) {
      seen.first_run = run.id;
      seen.first = one->first;
    }
    seen.needed += one->needed();
    for (const evidence::Stack& stack : one->stacks) threads.insert(stack.comm);
    for (const evidence::Refusal& refusal : one->refusals) threads.insert(refusal.comm);
    programs.insert(program_of(run));
    seen.refusals.insert(seen.refusals.end(), one->refusals.begin(), one->refusals.end());
    add_stacks(*one, seen.stacks);
  }
  threads.erase("");
  programs.erase("");
  seen.threads.assign(threads.begin(), threads.end());
  seen.programs.assign(programs.begin(), programs.end());
  std::stable_sort(seen.stacks.begin(), seen.stacks.end(), [](const auto& a, const auto& b) {
    return a.indexes.size() < b.indexes.size();
  });
  seen.only_failed = total.count > total.refused && failed(total) == total.count;
  seen.total = std::move(total);
  return seen;
}

}  // namespace whittle::review
