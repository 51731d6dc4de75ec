#include "trial/watch_drift.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/text.h"
#include "syscalls/arguments.h"
#include "syscalls/table.h"
#include "trial/watch_rule.h"

namespace whittle::trial {

namespace {

using syscalls::Arch;

constexpr std::array kRecordedArches = {Arch::kX86_64, Arch::kX86, Arch::kX32};
constexpr std::array kClones = {"clone", "clone3"};
constexpr profile::Verdict kMade = {profile::Action::kAllow, 0};

// The sets of values that can say that one is new: those that hold all that was seen.
template <typename Use>
void for_each_closed(const evidence::Observation& seen, Use use) {
  for (const evidence::ArgumentValues& argument : seen.args) {
    if (!argument.closed) continue;
    std::set<std::vector<std::uint64_t>> values;
    for (const std::uint64_t value : argument.values) values.insert({value});
    use(std::vector<unsigned>{argument.index}, values);
  }
  for (const evidence::TupleValues& tuple : seen.tuples) {
    if (tuple.closed) use(tuple.indexes, tuple.values);
  }
}

const syscalls::ArgumentSpec* unit_of(Arch arch, const std::string& call,
                                      std::span<const unsigned> indexes) {
  const auto specs = syscalls::argument_specs(arch, call);
  const auto found = std::find_if(specs.begin(), specs.end(), [&](const auto& one) {
    return std::equal(one.indexes.begin(), one.indexes.end(), indexes.begin(), indexes.end());
  });
  return found == specs.end() ? nullptr : &*found;
}

std::uint8_t bits_of(std::span<const unsigned> indexes) {
  unsigned bits = 0;
  for (const unsigned index : indexes) bits |= 1U << index;
  return static_cast<std::uint8_t>(bits);
}

// What is known of a call that the recorder has kept; `real`: arguments that it was asked to keep.
Denial call_of(const record::JudgedCall& seen, std::uint8_t real) {
  Denial call;
  call.arch = seen.arch;
  call.nr = seen.nr;
  call.syscall = syscalls::display_name(seen.arch, seen.nr);
  call.verdict = kMade;
  call.comm = seen.comm;
  call.phase = seen.phase;
  call.count = seen.count;
  unsigned known = real;
  for (unsigned i = 0; i < seen.args.size(); ++i) {
    if (((real >> i) & 1U) == 0 && seen.args[i] != 0) known = 0x3f;  // then all were kept
  }
  known &= (1U << meaningful_arguments(call.arch, call.syscall)) - 1;
  for (unsigned i = 0; i < seen.args.size(); ++i) {
    if (((known >> i) & 1U) != 0) call.args[i] = seen.args[i];
  }
  call.first.args = call.args;
  call.first.known = static_cast<std::uint8_t>(known);
  for (const auto& [index, value] : seen.more_arguments) {
    if (((call.first.known >> index) & 1U) != 0) continue;
    call.first.args.at(index) = value;
    call.first.known = static_cast<std::uint8_t>(call.first.known | (1U << index));
  }
  call.first.time = seen.time;
  call.first.thread = seen.thread;
  call.first.executable = seen.executable;
  call.first.stack = seen.stack;
  return call;
}

Sighting drift(Denial call, std::string why, std::uint8_t told_by) {
  Sighting sighting;
  sighting.kind = SightingKind::kDrift;
  sighting.against = SightingAgainst::kEvidence;
  sighting.call = std::move(call);
  sighting.why = std::move(why);
  sighting.told_by = told_by;
  return sighting;
}

// Of a call that is new as a whole: the first that was kept of it, else what the totals say.
Denial new_call(const evidence::Observation& now, const record::JudgedCall* first,
                std::uint8_t kept, std::uint64_t count) {
  Denial call;
  if (first != nullptr) {
    call = call_of(*first, kept);
  } else {
    call.arch = now.arch;
    call.nr = now.nr;
    call.syscall = now.name;
    call.verdict = kMade;
    call.first.time = now.first;
  }
  if (call.first.stack.empty() && !now.stacks.empty()) {
    call.comm = now.stacks.front().comm;
    call.first.stack = now.stacks.front().frames;
  }
  call.count = count;
  return call;
}

}  // namespace

EvidenceDrift::EvidenceDrift(std::vector<evidence::Observation> known) {
  for (evidence::Observation& one : known) {
    const bool refused_only = one.count <= one.refused && one.name != "clone3";
    const Call call = {one.arch, one.nr};
    if (!refused_only) known_.emplace(call, std::move(one));
  }
  for (const Arch arch : kRecordedArches) {
    const std::uint32_t bit = arch == Arch::kX32 ? syscalls::kX32Bit : 0;
    for (std::uint32_t nr = 0; nr < record::first_uncounted_number(); ++nr) {
      const evidence::Observation* seen = this->known({arch, nr | bit});
      if (seen == nullptr) {
        specs_.push_back({arch, nr | bit, 0, true});
        continue;
      }
      unsigned arguments = 0;
      for_each_closed(*seen, [&](const std::vector<unsigned>& indexes, const auto&) {
        const auto* unit = unit_of(arch, seen->name, indexes);
        if (unit != nullptr && !unit->in_struct) arguments |= bits_of(indexes);
      });
      if (arguments == 0) continue;
      specs_.push_back({arch, nr | bit, static_cast<std::uint8_t>(arguments), false});
    }
  }
}

const evidence::Observation* EvidenceDrift::known(const Call& call) const {
  const auto found = known_.find(call);
  return found == known_.end() ? nullptr : &found->second;
}

void EvidenceDrift::find_values(const record::JudgedCall& call, const evidence::Observation& seen,
                                std::uint8_t kept, std::vector<Sighting>& found) const {
  for_each_closed(seen, [&](const std::vector<unsigned>& indexes, const auto& values) {
    const auto* unit = unit_of(call.arch, seen.name, indexes);
    if (unit == nullptr || unit->in_struct || (bits_of(indexes) & ~kept) != 0) return;
    std::vector<std::uint64_t> given;
    for (std::size_t i = 0; i < indexes.size(); ++i) {
      given.push_back(call.args.at(indexes[i]) & (unit->widths[i] == 64 ? UINT64_MAX : UINT32_MAX));
    }
    if (values.contains(given)) return;
    const std::string words = indexes.size() == 1
                                  ? syscalls::value_text(seen.name, indexes[0], given[0])
                                  : join(syscalls::tuple_text(seen.name, indexes, given), ", ");
    Denial made = call_of(call, kept);
    for (std::size_t i = 0; i < indexes.size(); ++i) made.args.at(indexes[i]) = given[i];
    found.push_back(drift(std::move(made),
                          format("argument {} was never {}",
                                 indexes.size() == 1 ? format("{}", indexes[0]) : "tuple", words),
                          bits_of(indexes)));
  });
}

bool EvidenceDrift::knows_clone(Arch arch) const {
  return std::any_of(kClones.begin(), kClones.end(), [&](const char* name) {
    const auto nr = syscalls::number(arch, name);
    return nr && known({arch, *nr}) != nullptr;
  });
}

// clone3's flags are in memory: which values came is known, how often each did is not. A clone of
// the evidence counts as the same call.
void EvidenceDrift::find_struct_values(const evidence::Observation& now,
                                       std::vector<Sighting>& found) const {
  std::set<std::uint64_t> values;
  for (const char* const name : kClones) {
    const auto nr = syscalls::number(now.arch, name);
    const evidence::Observation* seen = nr ? known({now.arch, *nr}) : nullptr;
    if (seen == nullptr) continue;
    for (const evidence::ArgumentValues& argument : seen->args) {
      if (argument.index != 0) continue;
      if (!argument.closed) return;
      values.insert(argument.values.begin(), argument.values.end());
    }
  }
  for (const evidence::ArgumentValues& argument : now.args) {
    for (const std::uint64_t value : argument.values) {
      if (argument.index != 0 || values.contains(value)) continue;
      Denial call = new_call(now, nullptr, 0, 1);
      const std::string words = syscalls::value_text(now.name, 0, value);
      found.push_back(drift(std::move(call), format("flags were never {}", words), 0));
    }
  }
}

std::vector<Sighting> EvidenceDrift::find(
    const record::Snapshot& snapshot, std::span<const record::JudgeSpec> kept,
    const std::function<bool(const record::JudgedCall&)>& refused) const {
  std::map<Call, std::uint8_t> arguments;
  for (const record::JudgeSpec& spec : kept) arguments[{spec.arch, spec.nr}] = spec.arguments;
  std::map<Call, std::uint64_t> refusals;
  std::map<Call, const record::JudgedCall*> first;
  std::vector<Sighting> found;
  for (const record::JudgedCall& call : snapshot.judged) {
    const Call id = {call.arch, call.nr};
    if (refused(call)) {
      refusals[id] += call.count;
      continue;
    }
    const evidence::Observation* seen = known(id);
    if (seen != nullptr) {
      const auto spec = arguments.find(id);
      if (spec != arguments.end()) find_values(call, *seen, spec->second, found);
      continue;
    }
    const record::JudgedCall*& earliest = first[id];
    const bool says_more = earliest == nullptr || (earliest->thread == 0 && call.thread != 0) ||
                           ((call.thread != 0) == (earliest->thread != 0) &&
                            call.time.value_or(0) < earliest->time.value_or(0));
    if (says_more) earliest = &call;
  }
  for (const evidence::Observation& now : snapshot.syscalls) {
    const Call id = {now.arch, now.nr};
    const std::uint64_t made = now.count - std::min(now.count, refusals[id]);
    if (now.name == "clone3" && made != 0 && knows_clone(now.arch)) {
      find_struct_values(now, found);
    } else if (made != 0 && known(id) == nullptr) {
      const auto spec = arguments.find(id);
      const std::uint8_t real = spec == arguments.end() ? std::uint8_t{0} : spec->second;
      const auto earliest = first.find(id);
      found.push_back(
          drift(new_call(now, earliest == first.end() ? nullptr : earliest->second, real, made),
                "the call was never seen", 0));
    }
  }
  return found;
}

}  // namespace whittle::trial
