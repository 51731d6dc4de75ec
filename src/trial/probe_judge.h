// What one attempt of the probe program came to: refused by the filter, by the kernel for want of a
// capability, by its configuration, or not at all.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/process.h"
#include "base/result.h"
#include "filter/program.h"
#include "syscalls/arch.h"
#include "trial/probe.h"

namespace whittle::trial {

// A call as the program reported it.
struct Attempt {
  std::size_t call = 0;  // of probe_calls()
  syscalls::Arch arch = syscalls::Arch::kX86_64;
  std::uint32_t nr = 0;
  filter::Arguments args{};
  std::optional<std::int64_t> result;  // nullopt: it did not return
  ExitStatus status;                   // how the program ended, when it did not
};

struct JudgeSetting {
  std::span<const filter::Program> filters;
  std::span<const filter::Program> marked;
  std::uint64_t capabilities = kAllCapabilities;
};

struct Judgement {
  ProbeBy by = ProbeBy::kOpen;
  std::string text;
};

// `second`: the same call under the marked filters; null without a second run.
Result<Judgement> judge(const Attempt& attempt, const Attempt* second, const JudgeSetting& setting);

}  // namespace whittle::trial
