// Sorts the calls that a recorder kept into denials, fallbacks, and what cannot be told.
//
//   Judge judge(spec.profile, filters, specs, Judge::By::kResult);
//   for (const record::JudgedCall& call : snapshot.judged) judge.add(call);
//   judge.add_uncounted(snapshot.syscalls, snapshot.lost.at("judged"));
//   judge.denials(), judge.fallbacks(), judge.undecided()
//
// It knows nothing of how the calls were seen. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "evidence/evidence.h"
#include "filter/program.h"
#include "profile/profile.h"
#include "record/ebpf_recorder.h"
#include "trial/denial.h"

namespace whittle::trial {

// Whether a refusal is one by an explicit ENOSYS rule.
bool is_fallback(const profile::Profile& profile, syscalls::Arch arch, const std::string& syscall,
                 const filter::Arguments& args);

class Judge {
 public:
  enum class By {
    kResult,     // the filters are in force: a refused call returned what they answer
    kArguments,  // they are not (log mode): results say nothing
  };

  // `kept`: what the recorder was asked to keep, from which follows which arguments of a call are
  // real. REQUIRES: the profile outlives it.
  Judge(const profile::Profile& profile, std::vector<filter::Program> filters,
        std::span<const record::JudgeSpec> kept, By by);

  void add(const record::JudgedCall& call);
  // Calls that were counted and not kept for judgement, though a filter may refuse them: because
  // there was no room (`lost` of them, over all calls), or because the recorder was not asked to
  // keep them, the filter in force being another one than was expected. They become undecided.
  void add_uncounted(std::span<const evidence::Observation> seen, std::uint64_t lost);

  // Sorted by arch, nr, args, comm, phase.
  std::vector<Denial> denials() const { return values(denials_); }
  std::vector<Denial> fallbacks() const { return values(fallbacks_); }
  std::vector<Undecided> undecided() const;  // sorted by arch, nr

 private:
  using Call = std::pair<syscalls::Arch, std::uint32_t>;
  using Key = std::tuple<syscalls::Arch, std::uint32_t, filter::Arguments, std::string, std::string,
                         profile::Action, unsigned>;
  using Denials = std::map<Key, Denial>;

  // What all the filters say of a call, whatever its arguments.
  struct Reach {
    std::uint8_t arguments = 0;  // those that one of them looks at
    bool always_allows = true;
  };
  const Reach& reach(const Call& call);
  void cannot_tell(const Call& call, std::uint64_t count, const char* why);
  static std::vector<Denial> values(const Denials& denials);

  const profile::Profile& profile_;
  const std::vector<filter::Program> filters_;
  const By by_;
  std::map<Call, std::uint8_t> kept_;  // bit i: argument i is kept
  std::map<Call, std::uint64_t> judged_;
  std::map<Call, Reach> reach_;
  Denials denials_;
  Denials fallbacks_;
  std::map<std::pair<Call, std::string>, std::uint64_t> undecided_;
};

}  // namespace whittle::trial
