#include "trial/missing.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "filter/compile.h"
#include "filter/decide.h"
#include "syscalls/arguments.h"
#include "trial/common.h"

namespace whittle::trial {

namespace {

using evidence::Observation;
using syscalls::Arch;
using syscalls::ArgumentSpec;
using Values = std::vector<std::uint64_t>;

// The denials of one call, and which arguments the filters look at.
struct Refused {
  std::vector<const Denial*> denials;
  std::uint8_t looked_at = 0;
};
using RefusedCalls = std::map<std::pair<Arch, std::uint32_t>, Refused>;

// As many kinds of one call as show all arguments when the filter looks at none (denial.h).
constexpr std::size_t kMostShown = 64;

RefusedCalls refused_calls(const TrialReport& report, const TrialSpec& spec,
                           const filter::Program& program) {
  RefusedCalls calls;
  for (const Denial& denial : report.denials) {
    if (!is_covered(spec.profile, denial.arch)) continue;
    Refused& refused = calls[{denial.arch, denial.nr}];
    if (refused.denials.empty()) {
      const filter::Decision decision = filter::decide(program, denial.arch, denial.nr);
      refused.looked_at = decision.decided ? decision.arguments : std::uint8_t{0x3f};
    }
    refused.denials.push_back(&denial);
  }
  return calls;
}

std::uint64_t cut(std::uint64_t value, unsigned width) {
  return width == 32 ? value & UINT32_MAX : value;
}

bool looked_at(const Refused& refused, unsigned index) {
  return ((refused.looked_at >> index) & 1U) != 0;
}

// Whether some refused call had these values where the filter looks.
bool was_refused(const Refused& refused, const ArgumentSpec& spec, const Values& values) {
  return std::any_of(refused.denials.begin(), refused.denials.end(), [&](const Denial* denial) {
    for (std::size_t i = 0; i < spec.indexes.size(); ++i) {
      const unsigned index = spec.indexes[i];
      if (looked_at(refused, index) &&
          cut(denial->args.at(index), spec.widths[i]) != cut(values[i], spec.widths[i])) {
        return false;
      }
    }
    return true;
  });
}

// Takes out of a recorded observation the values that were let through all along.
void keep_refused_values(const Refused& refused, Observation& call) {
  for (const ArgumentSpec& spec : syscalls::argument_specs(call.arch, call.name)) {
    for (evidence::ArgumentValues& argument : call.args) {
      if (spec.indexes.size() != 1 || argument.index != spec.indexes[0]) continue;
      std::erase_if(argument.values,
                    [&](std::uint64_t value) { return !was_refused(refused, spec, {value}); });
    }
    for (evidence::TupleValues& tuple : call.tuples) {
      if (!std::equal(tuple.indexes.begin(), tuple.indexes.end(), spec.indexes.begin(),
                      spec.indexes.end())) {
        continue;
      }
      std::erase_if(tuple.values,
                    [&](const Values& values) { return !was_refused(refused, spec, values); });
    }
  }
}

// The values of one spec as the denials tell them.
struct Told {
  bool closed = true;
  std::set<Values> values;
};

Told told_by(const Refused& refused, const ArgumentSpec& spec) {
  Told told;
  const bool shows_all = refused.looked_at == 0 && refused.denials.size() < kMostShown;
  for (const Denial* denial : refused.denials) {
    Values values;
    bool known = !spec.in_struct;
    bool certain = true;
    for (std::size_t i = 0; i < spec.indexes.size(); ++i) {
      const unsigned index = spec.indexes[i];
      known = known && ((denial->first.known >> index) & 1U) != 0;
      certain = certain && (looked_at(refused, index) || shows_all || denial->count == 1);
      values.push_back(cut(denial->first.args.at(index), spec.widths[i]));
    }
    told.closed = told.closed && known && certain;
    if (known) told.values.insert(std::move(values));
  }
  return told;
}

Observation from_denials(const Refused& refused) {
  const Denial& one = *refused.denials.front();
  Observation call;
  call.arch = one.arch;
  call.nr = one.nr;
  call.name = one.syscall;
  call.first = call.last = one.first.time.value_or(0);
  for (const Denial* denial : refused.denials) {
    call.count += denial->count;
    const double time = denial->first.time.value_or(0);
    call.first = std::min(call.first, time);
    call.last = std::max(call.last, time);
    if (std::find(call.phases.begin(), call.phases.end(), denial->phase) == call.phases.end()) {
      call.phases.push_back(denial->phase);
    }
  }
  for (const ArgumentSpec& spec : syscalls::argument_specs(call.arch, call.name)) {
    Told told = told_by(refused, spec);
    if (spec.indexes.size() > 1) {
      call.tuples.push_back(
          {{spec.indexes.begin(), spec.indexes.end()}, told.closed, std::move(told.values)});
      continue;
    }
    evidence::ArgumentValues argument{spec.indexes[0], spec.kind, told.closed, {}};
    for (const Values& values : told.values) argument.values.insert(values[0]);
    call.args.push_back(std::move(argument));
  }
  return call;
}

}  // namespace

bool is_covered(const profile::Profile& profile, Arch arch) {
  const std::vector<Arch> covered = filter::covered_arches(profile);
  return std::find(covered.begin(), covered.end(), arch) != covered.end();
}

Result<evidence::Run> missing_calls(const TrialReport& report, const TrialSpec& spec) {
  TRY_ASSIGN(const filter::Compiled compiled,
             filter::compile(spec.profile, flavour_of(spec.workload.run.runtime)));
  evidence::Run run = report.run;
  run.syscalls.clear();
  const bool recorded = spec.mode == Mode::kLog && report.via == Via::kEbpf;
  for (const auto& [id, refused] : refused_calls(report, spec, compiled.program)) {
    const auto seen = std::find_if(report.run.syscalls.begin(), report.run.syscalls.end(),
                                   [&id = id](const Observation& call) {
                                     return call.arch == id.first && call.nr == id.second;
                                   });
    if (!recorded || seen == report.run.syscalls.end()) {
      run.syscalls.push_back(from_denials(refused));
      continue;
    }
    run.syscalls.push_back(*seen);
    keep_refused_values(refused, run.syscalls.back());
  }
  return run;
}

}  // namespace whittle::trial
