// Whether a filter lets someone make a step of an exploit (review/exploits.h), over all argument
// values. What can't be told counts as open.
#pragma once

#include <span>

#include "filter/program.h"
#include "review/exploits.h"
#include "syscalls/arch.h"

namespace whittle::review {

class StepJudge {
 public:
  // `filters` is newest first; `arches` are the ABIs to look at, all of one family. Both outlive
  // this.
  StepJudge(std::span<const filter::Program> filters, std::span<const syscalls::Arch> arches);

  // The native ABI of the family, for which exploits are published.
  syscalls::Arch native() const { return native_; }

  // As exploits were published: native programs with clean arguments (the upper half of a 32-bit
  // argument is 0). `passes` with the native ABI asks the same of one way.
  bool is_open(const Step& step) const;
  bool passes(const Way& way, syscalls::Arch arch) const;

  // As someone can adapt them to the filter: by any of the ABIs, by x86's socketcall, and with bits
  // above those that the kernel looks at.
  bool is_open_adapted(const Step& step) const;

 private:
  std::span<const filter::Program> filters_;
  std::span<const syscalls::Arch> arches_;
  syscalls::Arch native_;
};

}  // namespace whittle::review
