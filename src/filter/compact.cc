#include "filter/compact.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/text.h"
#include "filter/compare.h"
#include "filter/decision_diagram.h"
#include "filter/pieces.h"

namespace whittle::filter {

namespace {

using Id = Diagram::Id;
using Kind = Diagram::Kind;
using Node = Diagram::Node;
using syscalls::Arch;

constexpr std::uint32_t kAll = UINT32_MAX;
constexpr std::size_t kFarthest = 255;  // that a conditional jump can skip (its jt and jf: 8 bits)

// What the accumulator holds: a word under a mask.
struct Loaded {
  std::uint8_t word = 0;
  std::uint32_t mask = 0;  // 0: nothing that is known
  auto operator<=>(const Loaded&) const = default;
};

// A test under a mask is one JSET when one bit, or all bits being 0, is asked for; that leaves the
// accumulator as it is.
bool is_one_jump(const Node& node) {
  const bool one_bit = (node.mask & (node.mask - 1)) == 0;
  return node.mask == kAll || node.k == 0 || (one_bit && node.k == node.mask);
}

Loaded needed(const Node& node) { return {node.word, is_one_jump(node) ? kAll : node.mask}; }

std::uint32_t offset_of(std::uint8_t word) {
  if (word == kNumberWord) return offsetof(seccomp_data, nr);
  if (word == kArchWord) return offsetof(seccomp_data, arch);
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + std::size_t{word} * 4);
}

// Writes a diagram as instructions, from the last to the first, so that the distance of every jump
// is known when it is written.
class Writer {
 public:
  explicit Writer(const Diagram& diagram) : diagram_(diagram), places_(diagram.size()) {}

  Program write(Id root) {
    order(root);
    note_entries(root);
    for (const Id id : ordered_) {
      if (diagram_.at(id).kind != Kind::kReturn) write_test(id);
    }
    if (diagram_.at(root).kind == Kind::kReturn) write_return(root);
    std::reverse(code_.begin(), code_.end());
    return std::move(code_);
  }

 private:
  // Where the instructions of a node are, counted from the end of the program.
  struct Place {
    bool seen = false;
    bool needs_load = false;
    bool needs_and = false;
    std::size_t load = 0;
    std::size_t mask = 0;
    std::size_t test = 0;  // of a return: its newest copy, when `written`
    bool written = false;
  };

  // What a node goes on to comes before it in ordered_.
  void order(Id id) {
    Place& place = places_[id];
    if (place.seen) return;
    place.seen = true;
    const Node& node = diagram_.at(id);
    if (node.kind != Kind::kReturn) {
      order(node.yes);
      order(node.no);
    }
    ordered_.push_back(id);
  }

  // Which instructions of a node are ever entered: what its predecessors leave in the accumulator.
  void note_entry(Id id, const Loaded& held) {
    const Node& node = diagram_.at(id);
    if (node.kind == Kind::kReturn || held == needed(node)) return;
    const bool whole = held == Loaded{node.word, kAll};
    if (!whole) places_[id].needs_load = true;
    if (!is_one_jump(node)) places_[id].needs_and = true;
  }

  void note_entries(Id root) {
    note_entry(root, {});
    for (auto id = ordered_.rbegin(); id != ordered_.rend(); ++id) {
      const Node& node = diagram_.at(*id);
      if (node.kind == Kind::kReturn) continue;
      note_entry(node.yes, needed(node));
      note_entry(node.no, needed(node));
    }
  }

  std::size_t push(std::uint16_t code, std::uint32_t k, std::size_t jt = 0, std::size_t jf = 0) {
    code_.push_back({code, static_cast<std::uint8_t>(jt), static_cast<std::uint8_t>(jf), k});
    return code_.size() - 1;
  }

  void write_return(Id id) {
    places_[id].test = push(BPF_RET | BPF_K, diagram_.at(id).k);
    places_[id].written = true;
  }

  std::size_t entry(Id id, const Loaded& held) const {
    const Node& node = diagram_.at(id);
    const Place& place = places_[id];
    if (node.kind == Kind::kReturn || held == needed(node)) return place.test;
    return held == Loaded{node.word, kAll} ? place.mask : place.load;
  }

  // Sees to it that a conditional jump, written next but `between` instructions, reaches the node.
  std::size_t reachable(Id id, const Loaded& held, std::size_t between) {
    const bool is_return = diagram_.at(id).kind == Kind::kReturn;
    if (is_return && !places_[id].written) write_return(id);
    const std::size_t target = entry(id, held);
    if (code_.size() + between - target - 1 <= kFarthest) return target;
    if (is_return) {
      write_return(id);
      return places_[id].test;
    }
    const std::size_t skip = code_.size() - target - 1;
    return push(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(skip));
  }

  void write_test(Id id) {
    const Node& node = diagram_.at(id);
    const Loaded held = needed(node);
    const std::size_t yes = reachable(node.yes, held, 2);
    const std::size_t no = reachable(node.no, held, 1);
    const std::size_t jt = code_.size() - yes - 1;
    const std::size_t jf = code_.size() - no - 1;
    Place& place = places_[id];
    if (node.kind == Kind::kAtLeast) {
      place.test = push(BPF_JMP | BPF_JGE | BPF_K, node.k, jt, jf);
    } else if (node.mask == kAll || !is_one_jump(node)) {
      place.test = push(BPF_JMP | BPF_JEQ | BPF_K, node.k, jt, jf);
    } else if (node.k == 0) {
      place.test = push(BPF_JMP | BPF_JSET | BPF_K, node.mask, jf, jt);
    } else {
      place.test = push(BPF_JMP | BPF_JSET | BPF_K, node.mask, jt, jf);
    }
    if (place.needs_and) place.mask = push(BPF_ALU | BPF_AND | BPF_K, node.mask);
    if (!place.needs_load) return;
    place.load = push(BPF_LD | BPF_W | BPF_ABS, offset_of(node.word));
  }

  const Diagram& diagram_;
  std::vector<Place> places_;
  std::vector<Id> ordered_;
  Program code_;
};

// Makes the diagram of a whole program.
class Reader {
 public:
  explicit Reader(const Program& program) : decider_(program) {}

  Result<Id> read() {
    std::vector<Piece> x86_64 = pieces_of(decider_, Arch::kX86_64);
    std::vector<Piece> x32 = pieces_of(decider_, Arch::kX32);
    // x32's numbers lie before the last of x86_64's.
    std::move(x86_64.begin(), x86_64.end(), std::back_inserter(x32));
    std::sort(x32.begin(), x32.end(),
              [](const Piece& a, const Piece& b) { return a.numbers.first < b.numbers.first; });
    std::map<std::uint32_t, Id> by_arch;
    TRY_ASSIGN(by_arch[syscalls::audit_arch(Arch::kX86_64)], numbers(x32));
    for (const Arch arch : {Arch::kX86, Arch::kAarch64, Arch::kArm}) {
      TRY_ASSIGN(by_arch[syscalls::audit_arch(arch)], numbers(pieces_of(decider_, arch)));
    }
    TRY_ASSIGN(const Id other, unknown_arch());
    std::vector<Diagram::Range> ranges = {{0, other}};
    for (const auto& [arch, node] : by_arch) {
      ranges.push_back({arch, node});
      ranges.push_back({arch + 1, other});
    }
    return diagram_.search(kArchWord, std::move(ranges));
  }

  const Diagram& diagram() const { return diagram_; }

 private:
  Result<Id> numbers(const std::vector<Piece>& pieces) {
    std::vector<Diagram::Range> ranges;
    for (const Piece& piece : pieces) {
      TRY_ASSIGN(const Id node, diagram_.of(*piece.decision));
      ranges.push_back({piece.numbers.first, node});
    }
    return diagram_.search(kNumberWord, std::move(ranges));
  }

  Result<Id> unknown_arch() {
    std::optional<profile::Verdict> verdict;
    for (std::uint64_t first = 0; first <= UINT32_MAX;) {
      const auto range = decider_.decide_audit(0, static_cast<std::uint32_t>(first), UINT32_MAX);
      const auto constant = range.decision.constant();
      if (!constant || (verdict && verdict != constant)) {
        return input_error("the filter answers an unknown architecture by the call", {},
                           "only filters that treat unknown architectures alike can be written "
                           "as a compact program");
      }
      verdict = constant;
      first = std::uint64_t{range.last} + 1;
    }
    return diagram_.returning(*verdict);
  }

  Decider decider_;
  Diagram diagram_;
};

}  // namespace

Result<Program> compact(const Program& program) {
  TRY(check(program));
  Reader reader(program);
  TRY_ASSIGN(const Id root, reader.read());
  Program made = Writer(reader.diagram()).write(root);
  if (made.size() > BPF_MAXINSNS) {
    return input_error(
        format("a compact program of {} instructions is over the kernel's limit of {}", made.size(),
               BPF_MAXINSNS));
  }
  TRY_ASSIGN(const Comparison comparison, compare(program, made, syscalls::kAllArches));
  if (!comparison.equivalent()) return bug("the compact program is not equal to the filter");
  return made;
}

}  // namespace whittle::filter
