// What changes between two filters, exactly: for every ABI, every number and every argument value.
//
//   TRY_ASSIGN(const Comparison comparison, compare(before, after, syscalls::kAllArches));
//   comparison.equivalent()
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "filter/pieces.h"
#include "filter/program.h"
#include "syscalls/arch.h"

namespace whittle::filter {

// By the set of argument vectors that get through (allow and log): some are added; some are taken
// away; it is the same, and what is answered to some vectors is not (another errno, log for allow).
enum class Direction : std::uint8_t { kLooser, kTighter, kOther };

std::string_view direction_name(Direction direction);  // "looser", "tighter", "other"

struct Change {
  enum class Scope : std::uint8_t {
    kCall,          // one number, which has a name
    kUnnamed,       // numbers without a name
    kArchitecture,  // a whole ABI: one of the two filters lets nothing through on it
  };
  Scope scope = Scope::kCall;
  syscalls::Arch arch = syscalls::Arch::kX86_64;
  Numbers numbers;
  std::string_view name;  // kCall: lives as long as the program
  Direction direction = Direction::kOther;
  // Of every number of the change; for kArchitecture of the witness's. Never null.
  std::shared_ptr<const Decision> before;
  std::shared_ptr<const Decision> after;
  // The argument vectors that changed in this direction, with their verdicts after. Disjoint.
  std::shared_ptr<const std::vector<Path>> changed;

  // The witness: what the evaluator answers to `args` with the number `numbers.first`, or `nr` for
  // kArchitecture.
  std::uint32_t nr = 0;
  Arguments args{};
  profile::Verdict verdict_before;
  profile::Verdict verdict_after;
};

struct Undecided {
  syscalls::Arch arch = syscalls::Arch::kX86_64;
  Numbers numbers;
};

struct Comparison {
  // By ABI in the order that was asked, then by number, then by direction. A call that some
  // arguments now get through and others no longer do has two changes.
  std::vector<Change> changes;
  // Where the answers can't be told exactly (see decide.h): no claim is made there.
  std::vector<Undecided> undecided;

  bool equivalent() const { return changes.empty() && undecided.empty(); }
};

// Every witness was checked with the evaluator: one that it does not confirm is an error of kind
// bug. Filters of the same instructions are equivalent whatever they do. Errors: those of check().
Result<Comparison> compare(const Program& before, const Program& after,
                           std::span<const syscalls::Arch> arches);

}  // namespace whittle::filter
