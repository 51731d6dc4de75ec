// A decision table as a diagram: a graph of tests on the words of seccomp_data in which no two
// nodes are the same and no test is without effect, so that equal tables are equal nodes.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <tuple>
#include <vector>

#include "base/result.h"
#include "filter/decide.h"

namespace whittle::filter {

// Words 0 to 11 are the halves of the arguments, as in Words.
inline constexpr std::uint8_t kNumberWord = 12;
inline constexpr std::uint8_t kArchWord = 13;

class Diagram {
 public:
  using Id = std::uint32_t;

  enum class Kind : std::uint8_t {
    kReturn,   // the end: `k` is the SECCOMP_RET_* value
    kEqual,    // (word & mask) == k
    kAtLeast,  // word >= k
  };
  struct Node {
    Kind kind = Kind::kReturn;
    std::uint8_t word = 0;
    std::uint32_t mask = UINT32_MAX;
    std::uint32_t k = 0;
    Id yes = 0;
    Id no = 0;
    auto operator<=>(const Node&) const = default;
  };

  // Values of a word from `first` up to the next range, and what is done with them.
  struct Range {
    std::uint32_t first = 0;
    Id node = 0;
  };

  const Node& at(Id id) const { return nodes_[id]; }
  std::size_t size() const { return nodes_.size(); }

  Id returning(const profile::Verdict& verdict);
  Id test(Kind kind, std::uint8_t word, std::uint32_t mask, std::uint32_t k, Id yes, Id no);
  // A search tree. REQUIRES: sorted, not empty; the first one begins where the word does.
  Id search(std::uint8_t word, std::vector<Range> ranges);
  // Of a decided decision. An input error: it would take more than a bound of work.
  Result<Id> of(const Decision& decision);

 private:
  Id keep(const Node& node);
  Id search_in(std::uint8_t word, std::span<const Range> ranges);

  std::vector<Node> nodes_;
  std::map<Node, Id> known_;
};

}  // namespace whittle::filter
