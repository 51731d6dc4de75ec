// The numbers of an ABI, cut where the answers of a filter change.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "filter/decide.h"
#include "syscalls/arch.h"

namespace whittle::filter {

// Numbers of one ABI as a filter sees them, both ends included. Those from 0x40000000 on, but for
// -1, are x32's, as libseccomp tells them apart.
struct Numbers {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  bool operator==(const Numbers&) const = default;
};

// Numbers with one decision, which is never null.
struct Piece {
  Numbers numbers;
  std::shared_ptr<const Decision> decision;
};

// All numbers that are the ABI's: one run of them, or two.
std::vector<Numbers> number_spaces(syscalls::Arch arch);

// The same, by decision: in order, without a gap. Neighbours may have decisions that mean the same.
// What is beyond a bound on their number is not decided.
std::vector<Piece> pieces_of(Decider& decider, syscalls::Arch arch);

}  // namespace whittle::filter
