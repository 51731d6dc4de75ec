#include "record/refusals.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

#include "base/errno_name.h"
#include "filter/decide.h"
#include "syscalls/arguments.h"
#include "syscalls/table.h"

namespace whittle::record {

namespace {

using profile::Action;
using syscalls::Arch;

constexpr std::array kRecordedArches = {Arch::kX86_64, Arch::kX86, Arch::kX32};

// True when the filter refuses the call with these values of the unit, whatever its other
// arguments.
bool refuses(const filter::Decision& decision, const syscalls::ArgumentSpec& unit,
             std::span<const std::uint64_t> values) {
  std::vector<filter::Requirement> required;
  for (std::size_t i = 0; i < values.size() && !unit.in_struct; ++i) {
    const std::uint64_t mask = unit.widths[i] == 64 ? UINT64_MAX : UINT32_MAX;
    required.push_back({unit.indexes[i], mask, values[i]});
  }
  const filter::Reachable reachable = filter::allowed_with(decision, required);
  return reachable.decided && !reachable.args;
}

// A set that is left empty is gone: as a closed one it would say that no value was ever used.
void drop_refused_values(evidence::Observation& observation, std::span<const sock_filter> program) {
  const filter::Decision decision = filter::decide(program, observation.arch, observation.nr);
  for (const syscalls::ArgumentSpec& unit :
       syscalls::argument_specs(observation.arch, observation.name)) {
    for (evidence::ArgumentValues& argument : observation.args) {
      if (unit.indexes.size() != 1 || unit.indexes[0] != argument.index) continue;
      std::erase_if(argument.values, [&](std::uint64_t value) {
        return refuses(decision, unit, {&value, 1});
      });
    }
    for (evidence::TupleValues& tuple : observation.tuples) {
      if (!std::equal(unit.indexes.begin(), unit.indexes.end(), tuple.indexes.begin(),
                      tuple.indexes.end())) {
        continue;
      }
      std::erase_if(tuple.values,
                    [&](const auto& values) { return refuses(decision, unit, values); });
    }
  }
  const auto is_empty = [](const auto& set) { return set.values.empty() && set.closed; };
  std::erase_if(observation.args, is_empty);
  std::erase_if(observation.tuples, is_empty);
}

}  // namespace

std::vector<JudgeSpec> judge_specs(std::span<const sock_filter> program) {
  std::vector<JudgeSpec> specs;
  for (const Arch arch : kRecordedArches) {
    const std::uint32_t bit = arch == Arch::kX32 ? syscalls::kX32Bit : 0;
    for (std::uint32_t nr = 0; nr < 1024; ++nr) {
      const filter::Decision decision = filter::decide(program, arch, nr | bit);
      if (decision.always_allows()) continue;
      specs.push_back({arch, nr | bit, decision.decided ? decision.arguments : std::uint8_t{0x3f},
                       decision.constant().has_value()});
    }
  }
  return specs;
}

std::vector<JudgeSpec> unite(std::span<const JudgeSpec> specs) {
  std::map<std::pair<Arch, std::uint32_t>, JudgeSpec> united;
  for (const JudgeSpec& spec : specs) {
    JudgeSpec& into = united.try_emplace({spec.arch, spec.nr}, spec).first->second;
    into.arguments = static_cast<std::uint8_t>(into.arguments | spec.arguments);
    into.never_allowed = into.never_allowed && spec.never_allowed;
  }
  std::vector<JudgeSpec> sorted;
  for (const auto& [call, spec] : united) sorted.push_back(spec);
  return sorted;
}

JudgedCall judged_call(const Call& call) {
  JudgedCall judged;
  judged.arch = call.arch;
  judged.nr = call.nr;
  judged.args = call.args;
  judged.phase = call.phase;
  judged.count = 1;
  if (call.result && is_errno(*call.result)) judged.error = static_cast<int>(-*call.result);
  judged.result_is_number = !call.result || *call.result == static_cast<std::int64_t>(call.nr);
  return judged;
}

bool answered(const profile::Verdict& verdict, const JudgedCall& call) {
  // With no tracer or listener both of these are answered ENOSYS (seccomp(2)).
  if (verdict.action == Action::kTrace || verdict.action == Action::kNotify) {
    return call.error == ENOSYS;
  }
  if (verdict.action == Action::kErrno) return call.error == verdict.data;
  return call.result_is_number;
}

bool was_refused(std::span<const sock_filter> program, const JudgedCall& call) {
  const auto verdict = filter::evaluate(program, filter::call(call.arch, call.nr, call.args));
  return verdict && !verdict->allows() && answered(*verdict, call);
}

evidence::Refusal refusal_of(const JudgedCall& call) {
  return {call.args, call.result_is_number ? "killed" : errno_name(call.error), call.phase,
          call.comm, call.count};
}

void mark_refused(evidence::Run& run, std::span<const JudgedCall> judged,
                  std::span<const sock_filter> program) {
  for (const JudgedCall& call : judged) {
    if (!was_refused(program, call)) continue;
    const auto found = std::find_if(run.syscalls.begin(), run.syscalls.end(), [&](const auto& o) {
      return o.arch == call.arch && o.nr == call.nr;
    });
    if (found == run.syscalls.end()) continue;
    if (found->refused == 0) drop_refused_values(*found, program);
    found->refused += call.count;
    found->refusals.push_back(refusal_of(call));
  }
  for (evidence::Observation& seen : run.syscalls) bound_refusals(seen);
}

}  // namespace whittle::record
