// What is seen of a workload and stands in no evidence of it: calls that were never made before,
// and argument values that were never given.
//
//   EvidenceDrift drift(evidence.syscalls());
//   ... keep drift.specs() for judgement ...
//   drift.find(snapshot, kept, refused)
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "evidence/evidence.h"
#include "record/ebpf_recorder.h"
#include "trial/watch_fold.h"

namespace whittle::trial {

class EvidenceDrift {
 public:
  explicit EvidenceDrift(std::vector<evidence::Observation> known);

  // What the recorder has to keep so that values that are new can be told, with their counts.
  const std::vector<record::JudgeSpec>& specs() const { return specs_; }

  // `kept`: what the recorder was asked to keep. A call for which `refused` holds was refused by a
  // filter, and is no drift.
  std::vector<Sighting> find(const record::Snapshot& snapshot,
                             std::span<const record::JudgeSpec> kept,
                             const std::function<bool(const record::JudgedCall&)>& refused) const;

 private:
  using Call = std::pair<syscalls::Arch, std::uint32_t>;
  const evidence::Observation* known(const Call& call) const;
  bool knows_clone(syscalls::Arch arch) const;  // or clone3
  void find_values(const record::JudgedCall& call, const evidence::Observation& seen,
                   std::uint8_t kept, std::vector<Sighting>& found) const;
  void find_struct_values(const evidence::Observation& now, std::vector<Sighting>& found) const;

  std::map<Call, evidence::Observation> known_;  // made, and not only refused
  std::vector<record::JudgeSpec> specs_;
};

}  // namespace whittle::trial
