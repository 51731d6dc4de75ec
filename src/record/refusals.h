// Telling apart, in a finished recording, what a filter in force refused.
#pragma once

#include <span>
#include <vector>

#include "base/result.h"
#include "evidence/evidence.h"
#include "filter/program.h"
#include "record/collector.h"
#include "record/ebpf_recorder.h"

namespace whittle::record {

// The calls that the filter does not allow whatever their arguments: what EbpfRecorder::judge() has
// to keep so that refusals can be told.
std::vector<JudgeSpec> judge_specs(std::span<const sock_filter> program);

// One entry for each call, sorted by ABI and number: all arguments that any of its entries keeps;
// it is never allowed when all of them say so.
std::vector<JudgeSpec> unite(std::span<const JudgeSpec> specs);

// A call as ptrace saw it, in the form in which eBPF keeps it.
JudgedCall judged_call(const Call& call);

// True when the call returned what the kernel returns for the verdict, a refusal.
bool answered(const profile::Verdict& verdict, const JudgedCall& call);

// True when the filter refuses the call and the call returned what the filter answers.
bool was_refused(std::span<const sock_filter> program, const JudgedCall& call);

// A refused call as the evidence keeps it.
evidence::Refusal refusal_of(const JudgedCall& call);

// Sets `refused` and `refusals` in the run's observations, and drops the argument values that the
// filter refuses: a refused call is no need of the workload.
void mark_refused(evidence::Run& run, std::span<const JudgedCall> judged,
                  std::span<const sock_filter> program);

}  // namespace whittle::record
