// Small evidence values for the tests of this room.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "evidence/evidence.h"
#include "syscalls/arguments.h"
#include "syscalls/table.h"

namespace whittle::generate {

using Tuples = std::set<std::vector<std::uint64_t>>;

// `count` successful calls. `values`: those of the call's only ArgumentSpec; {} for none kept.
inline evidence::Observation seen(std::string name, const Tuples& values = {},
                                  syscalls::Arch arch = syscalls::Arch::kX86_64,
                                  std::uint64_t count = 3) {
  evidence::Observation observation;
  observation.arch = arch;
  observation.nr = syscalls::number(arch, name).value_or(9999);
  observation.count = count;
  observation.first = 0.25;
  observation.last = 0.5;
  observation.phases = {"startup"};
  for (const syscalls::ArgumentSpec& spec : syscalls::argument_specs(name)) {
    if (values.empty()) break;
    if (spec.indexes.size() > 1) {
      observation.tuples.push_back({{spec.indexes.begin(), spec.indexes.end()}, true, values});
      continue;
    }
    evidence::ArgumentValues argument{spec.indexes[0], spec.kind, true, {}};
    for (const auto& value : values) argument.values.insert(value[0]);
    observation.args.push_back(argument);
  }
  observation.name = std::move(name);
  return observation;
}

inline evidence::Observation seen_on(syscalls::Arch arch, std::string name,
                                     const Tuples& values = {}) {
  return seen(std::move(name), values, arch);
}

// Only ever answered ENOSYS.
inline evidence::Observation never_there(std::string name) {
  evidence::Observation observation = seen(std::move(name));
  observation.errnos = {{"ENOSYS", observation.count}};
  return observation;
}

inline evidence::Run run_of(std::vector<evidence::Observation> observations,
                            std::string id = "0123456789abcdef",
                            syscalls::Arch arch = syscalls::Arch::kX86_64) {
  evidence::Run run;
  run.id = std::move(id);
  run.source = "ebpf";
  run.arch = arch;
  run.started = "2026-11-24T22:05:27.093Z";
  run.duration = 1;
  run.complete = true;
  run.syscalls = std::move(observations);
  return run;
}

inline evidence::Evidence evidence_of(std::vector<evidence::Observation> observations) {
  return {"test", {run_of(std::move(observations))}};
}

}  // namespace whittle::generate
