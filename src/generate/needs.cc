#include "generate/needs.h"

#include <linux/sched.h>
#include <signal.h>

#include <algorithm>
#include <span>

#include "base/text.h"
#include "syscalls/arguments.h"
#include "syscalls/table.h"

namespace whittle::generate {

namespace {

using evidence::Observation;
using syscalls::Arch;
using syscalls::ArgumentSpec;

constexpr std::uint64_t kFork = SIGCHLD;
constexpr std::uint64_t kVfork = CLONE_VM | CLONE_VFORK | SIGCHLD;
// What tells a fork and a vfork from other clones.
constexpr std::uint64_t kForkKind = CLONE_VM | CLONE_VFORK | CSIGNAL;
const std::vector<std::uint8_t> kFirstArgument = {0};

// What all runs saw of one call of one ABI, for its reason.
struct Sightings {
  std::uint64_t count = 0;
  std::vector<std::string> phases;
  std::string first_run;
  double first = 0;
};

// The values that one observation has for the spec; not closed when it has none.
SeenValues values_of(const Observation& observation, const ArgumentSpec& spec) {
  SeenValues seen;
  if (spec.indexes.size() == 1) {
    for (const auto& argument : observation.args) {
      if (argument.index != spec.indexes[0]) continue;
      seen.closed = argument.closed;
      for (const std::uint64_t value : argument.values) seen.values.insert({value});
      break;
    }
  } else {
    const std::vector<unsigned> indexes(spec.indexes.begin(), spec.indexes.end());
    for (const auto& tuple : observation.tuples) {
      if (tuple.indexes != indexes) continue;
      seen.closed = tuple.closed;
      seen.values = tuple.values;
      break;
    }
  }
  if (seen.values.empty()) seen.closed = false;  // the call was made, with values not kept
  return seen;
}

void join_values(SeenValues& into, const SeenValues& more) {
  into.closed = into.closed && more.closed;
  into.values.insert(more.values.begin(), more.values.end());
}

bool exists_in(const std::set<Arch>& arches, std::string_view name) {
  return std::any_of(arches.begin(), arches.end(),
                     [name](Arch arch) { return syscalls::number(arch, name).has_value(); });
}

class Collector {
 public:
  Collector(const std::set<Arch>& considered, const std::set<Arch>& written)
      : considered_(considered), written_(written) {}

  void add(const evidence::Run& run) {
    for (const Observation& observation : run.syscalls) add(run, observation);
  }

  Needs finish() {
    for (const auto& [key, sightings] : sightings_) {
      needs_.calls[key.second].why.push_back({Because::kEvidence, sentence(key.first, sightings)});
    }
    add_clone3();
    add_counterparts();
    for (const auto& [key, count] : enosys_) {
      const auto& [arch, name] = key;
      // An ABI that stays closed needs no answers of its own.
      const bool closed = syscalls::native_of(arch) != arch && needs_.abis.count(arch) == 0;
      if (!closed && needs_.calls.count(name) == 0) needs_.only_enosys[name] += count;
    }
    return std::move(needs_);
  }

 private:
  void add(const evidence::Run& run, const Observation& observation) {
    if (considered_.count(observation.arch) == 0) {
      if (observation.needed() > 0) needs_.other_abis.insert(observation.arch);
      return;
    }
    if (observation.needed() == 0) {
      const auto enosys = observation.errnos.find("ENOSYS");
      const bool always = enosys != observation.errnos.end() && observation.count > 0 &&
                          enosys->second == observation.count;
      if (always && syscalls::is_known(observation.name)) {
        enosys_[{observation.arch, observation.name}] += observation.count;
      }
      return;
    }
    needs_.abis.insert(observation.arch);
    if (!syscalls::is_known(observation.name)) {
      needs_.nameless.insert(observation.name);
      return;
    }
    if (observation.name == "clone3") {
      for (const ArgumentSpec& spec : syscalls::argument_specs("clone3")) {
        join_values(clone3_, values_of(observation, spec));
      }
      clone3_why_ = format("clone3 seen on {} counts as clone with the same flags",
                           syscalls::arch_name(observation.arch));
      return;
    }
    add_values(needs_.calls[observation.name], observation);
    add_sighting(run, observation);
  }

  static void add_values(Need& need, const Observation& observation) {
    for (const ArgumentSpec& spec : syscalls::argument_specs(observation.name)) {
      join_values(need.values[spec.indexes], values_of(observation, spec));
    }
  }

  void add_sighting(const evidence::Run& run, const Observation& observation) {
    Sightings& sightings = sightings_[{observation.arch, observation.name}];
    if (sightings.count == 0) {
      sightings.first_run = run.id;
      sightings.first = observation.first;
    }
    sightings.count += observation.needed();
    for (const std::string& phase : observation.phases) {
      if (std::find(sightings.phases.begin(), sightings.phases.end(), phase) ==
          sightings.phases.end()) {
        sightings.phases.push_back(phase);
      }
    }
  }

  static std::string sentence(Arch arch, const Sightings& sightings) {
    const std::string phases =
        sightings.phases.empty() ? "" : " (" + join(sightings.phases, ", ") + ")";
    return format("seen {} {} on {}{}, first {:.3f} s into run {}", sightings.count,
                  sightings.count == 1 ? "time" : "times", syscalls::arch_name(arch), phases,
                  sightings.first, sightings.first_run.substr(0, 12));
  }

  // The call is needed with these values of one argument, whether it was itself seen or not.
  void add_needed_values(const std::string& name, std::uint8_t index, const SeenValues& values,
                         Reason reason) {
    Need& need = needs_.calls[name];
    join_values(need.values[{index}], values);
    if (std::find(need.why.begin(), need.why.end(), reason) == need.why.end()) {
      need.why.push_back(std::move(reason));
    }
  }

  void add_clone3() {
    if (clone3_why_.empty()) return;
    SeenValues as_clone{clone3_.closed, {}};
    for (const auto& value : clone3_.values) {
      if (value[0] <= UINT32_MAX) {
        as_clone.values.insert(value);
      } else {
        needs_.notes.push_back(
            format("clone3 was called with {}, which clone cannot express; clone3 is answered "
                   "ENOSYS, so record with --under fallbacks to see what the program does then",
                   syscalls::value_text("clone3", 0, value[0])));
      }
    }
    if (!as_clone.closed || !as_clone.values.empty()) {
      add_needed_values("clone", 0, as_clone, {Because::kEvidence, clone3_why_});
    }
  }

  bool writes(Arch arch) const { return written_.count(arch) != 0; }
  // True when evidence of that native ABI has the call.
  bool seen_on(Arch arch, const std::string& name) const {
    return sightings_.count({arch, name}) != 0;
  }

  void add_counterparts() {
    for (const syscalls::LegacyCall& pair : syscalls::legacy_calls()) {
      if (writes(Arch::kAarch64) && seen_on(Arch::kX86_64, pair.legacy)) add_modern(pair);
      if (writes(Arch::kX86_64) && seen_on(Arch::kAarch64, pair.modern.front())) add_legacy(pair);
    }
  }

  void add_modern(const syscalls::LegacyCall& pair) {
    const Reason reason{Because::kCounterpart,
                        format("what aarch64 calls for {}, seen on x86_64", pair.legacy)};
    if (pair.legacy == "fork" || pair.legacy == "vfork") {
      const std::uint64_t flags = pair.legacy == "fork" ? kFork : kVfork;
      add_needed_values("clone", 0, {true, {{flags}}}, reason);
      return;
    }
    if (pair.legacy == "pipe") {  // pipe2 without flags
      add_needed_values("pipe2", 1, {true, {{0}}}, reason);
      return;
    }
    for (const std::string& name : pair.modern) add_counterpart(name, reason);
  }

  void add_legacy(const syscalls::LegacyCall& pair) {
    if (pair.legacy == "fork" && !cloned_like(kFork)) return;
    if (pair.legacy == "vfork" && !cloned_like(kVfork)) return;
    add_counterpart(pair.legacy,
                    {Because::kCounterpart,
                     format("what x86_64 may call for {}, seen on aarch64", pair.modern.front())});
  }

  // True when a clone was seen that fork or vfork would do, or when that is not known.
  bool cloned_like(std::uint64_t wanted) const {
    const auto clone = needs_.calls.find("clone");
    if (clone == needs_.calls.end()) return false;
    const auto seen = clone->second.values.find(kFirstArgument);
    if (seen == clone->second.values.end() || !seen->second.closed) return true;
    return std::any_of(seen->second.values.begin(), seen->second.values.end(),
                       [wanted](const auto& value) { return (value[0] & kForkKind) == wanted; });
  }

  void add_counterpart(const std::string& name, const Reason& reason) {
    if (!exists_in(written_, name)) return;
    Need& need = needs_.calls[name];
    need.any_values = true;
    need.why.push_back(reason);
  }

  const std::set<Arch>& considered_;
  const std::set<Arch>& written_;
  Needs needs_;
  std::map<std::pair<Arch, std::string>, Sightings> sightings_;
  std::map<std::pair<Arch, std::string>, std::uint64_t> enosys_;
  SeenValues clone3_;
  std::string clone3_why_;  // empty: not needed
};

}  // namespace

Needs collect_needs(const evidence::Evidence& evidence, const std::set<Arch>& considered,
                    const std::set<Arch>& written) {
  Collector collector(considered, written);
  for (const evidence::Run& run : evidence.runs) collector.add(run);
  return collector.finish();
}

}  // namespace whittle::generate
