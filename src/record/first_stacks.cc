#include "record/first_stacks.h"

#include <algorithm>

#include "record/stopped_task.h"
#include "syscalls/table.h"

namespace whittle::record {

namespace {

constexpr std::size_t kMostOfUnit = 64;  // values of one argument or tuple that have a stack
// Stacks taken of one call: some are not kept, since the call is refused, or another thread was
// first.
constexpr std::size_t kMostTaken = 2 * evidence::kMostStacks;
constexpr std::size_t kMostEntries = 2048;  // as many calls as have names, and some that have none

}  // namespace

std::optional<FirstStacks::Taken> FirstStacks::take(const Call& call) {
  const std::pair key(call.arch, call.nr);
  if (entries_.size() >= kMostEntries && !entries_.contains(key)) return std::nullopt;
  Entry& entry = entries_[key];
  if (entry.taken >= kMostTaken || entry.kept.size() >= evidence::kMostStacks) return std::nullopt;
  Taken taken;
  const auto want = [&](std::vector<unsigned> indexes, std::vector<std::uint64_t> values) {
    if (entry.kept.contains({indexes, values})) return;
    const auto kept = entry.kept_of_unit.find(indexes);
    if (kept != entry.kept_of_unit.end() && kept->second >= kMostOfUnit) return;
    evidence::Stack stack;
    stack.indexes = std::move(indexes);
    stack.values = std::move(values);
    taken.stacks.push_back(std::move(stack));
  };
  want({}, {});
  const std::string name = syscalls::display_name(call.arch, call.nr);
  for (const syscalls::ArgumentSpec& spec : syscalls::argument_specs(call.arch, name)) {
    auto values = recorded_values(spec, call);
    if (values) want({spec.indexes.begin(), spec.indexes.end()}, *std::move(values));
  }
  if (taken.stacks.empty()) return std::nullopt;
  ++entry.taken;
  const CapturedStack captured = capture_stack(call.task);
  if (captured.address == 0) return std::nullopt;  // it has been killed
  const std::vector<evidence::Frame> frames = resolver_.resolve(captured);
  const std::string comm = comm_of(call.task);
  for (evidence::Stack& stack : taken.stacks) {
    stack.frames = frames;
    stack.comm = comm;
  }
  return taken;
}

void FirstStacks::keep(const Call& call, Taken taken) {
  Entry& entry = entries_[{call.arch, call.nr}];
  for (evidence::Stack& stack : taken.stacks) {
    if (call.refused && !stack.indexes.empty()) continue;
    if (entry.kept.size() >= evidence::kMostStacks) return;
    const Values values(stack.indexes, stack.values);
    if (entry.kept.try_emplace(values, std::move(stack)).second) ++entry.kept_of_unit[values.first];
  }
}

void FirstStacks::give(std::vector<evidence::Observation>& observations) const {
  for (evidence::Observation& seen : observations) {
    const auto found = entries_.find({seen.arch, seen.nr});
    if (found == entries_.end()) continue;
    for (const auto& [values, stack] : found->second.kept) seen.stacks.push_back(stack);
  }
}

}  // namespace whittle::record
