// A recording by ptrace, as record() and record_target() have it: what the session says goes to the
// recorder, what the filters in force refused is told apart, and the run gets its identity.
//
//   PtraceRun recording(spec, session, new_run(command, under), filters);
//   return recording.finish(record_ptrace(std::move(child), recording.options()));
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/result.h"
#include "evidence/evidence.h"
#include "filter/program.h"
#include "record/ptrace_recorder.h"
#include "record/record.h"
#include "record/session.h"
#include "record/stacks.h"

namespace whittle::record {

class PtraceRun {
 public:
  // `identity`: id, under, command and notes of the run. `filters`: those in force in the command.
  // REQUIRES: spec and session outlive it.
  PtraceRun(const RecordSpec& spec, Session& session, evidence::Run identity,
            std::vector<filter::Program> filters);
  PtraceRun(const PtraceRun&) = delete;
  PtraceRun& operator=(const PtraceRun&) = delete;

  // To be changed before it is used, and not to be outlived by the recorder.
  PtraceOptions& options() { return options_; }
  // What the recorder gave, as the run of the evidence.
  Result<evidence::Run> finish(Result<evidence::Run> recorded) const;

 private:
  void identify(evidence::Run& run) const;
  bool was_refused(Call& call);
  void add_origin(const Call& call, JudgedCall& judged);
  // Which arguments of a call a filter looks at.
  std::uint8_t looked_at(std::size_t filter, const Call& call);

  using Kind = std::tuple<syscalls::Arch, std::uint32_t, std::array<std::uint64_t, 6>, std::string>;

  const RecordSpec& spec_;
  StackResolver resolver_;
  std::set<Kind> shown_;  // of refused calls
  evidence::Run identity_;
  std::vector<filter::Program> filters_;
  std::map<std::tuple<std::size_t, syscalls::Arch, std::uint32_t>, std::uint8_t> looked_at_;
  PtraceOptions options_;
};

}  // namespace whittle::record
