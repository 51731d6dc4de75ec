#include "filter/decide.h"

#include <algorithm>
#include <cstddef>

namespace whittle::filter {

namespace {

constexpr std::uint32_t kFullMask = UINT32_MAX;

// What is known of a register or a memory slot: a number, the system call's number under a mask, an
// argument word under a mask, or nothing (arithmetic on an argument beyond AND with a constant, or
// the instruction pointer).
struct Symbol {
  enum class Kind : std::uint8_t { kNumber, kCall, kWord, kUnknown };
  Kind kind = Kind::kNumber;
  std::uint32_t number = 0;  // kNumber: the value; kCall, kWord: the mask
  std::uint8_t word = 0;     // kWord: which of the twelve

  static Symbol constant(std::uint32_t value) { return {Kind::kNumber, value, 0}; }
  static Symbol call_number(std::uint32_t mask) {
    return mask == 0 ? constant(0) : Symbol{Kind::kCall, mask, 0};
  }
  static Symbol masked(std::uint8_t word, std::uint32_t mask) {
    return mask == 0 ? constant(0) : Symbol{Kind::kWord, mask, word};
  }
  static Symbol unknown() { return {Kind::kUnknown, 0, 0}; }
};

// The program somewhere on one path.
struct State {
  std::size_t at = 0;
  Symbol a;
  Symbol x;
  std::array<Symbol, BPF_MEMWORDS> memory;
  std::array<WordConstraint, 12> words;
  std::array<std::uint32_t, 12> witnesses{};  // words[i].holds(witnesses[i])
};

// A set of values of one word, as the pairs of a disjoint union: (word & mask) == value each.
using Pairs = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

// The words with (word & mask) > limit, or <= limit. They differ from `limit` first at some bit of
// the mask, counted from above: one pair for each such bit.
Pairs masked_side(std::uint32_t mask, std::uint32_t limit, bool above) {
  Pairs pairs;
  std::uint32_t prefix = 0;
  for (std::uint32_t bit = 0x80000000U; bit != 0; bit >>= 1U) {
    const bool in_limit = (limit & bit) != 0;
    if ((mask & bit) == 0) {
      // The masked word has 0 here. A limit with 1 here is above every word with this prefix.
      if (!in_limit) continue;
      if (!above) pairs.emplace_back(prefix, limit & prefix);
      return pairs;
    }
    if (in_limit != above) pairs.emplace_back(prefix | bit, (limit & prefix) | (above ? bit : 0));
    prefix |= bit;
  }
  if (!above) pairs.emplace_back(prefix, limit & prefix);
  return pairs;
}

// Explores the program for the number `first`, and notes up to which number every branch on it goes
// the same way: each comparison of the number lowers `last` where it has to.
class Explorer {
 public:
  Explorer(std::span<const sock_filter> program, std::uint32_t audit_arch, std::uint32_t first,
           std::uint32_t last, std::size_t most_paths, std::uint64_t steps)
      : program_(program),
        audit_arch_(audit_arch),
        first_(first),
        last_(last),
        most_paths_(most_paths),
        steps_left_(steps) {}

  Decider::Range explore() {
    pending_.emplace_back();
    while (!pending_.empty() && decision_.decided) {
      State state = std::move(pending_.back());
      pending_.pop_back();
      follow(std::move(state));
    }
    return {last_, std::move(decision_)};
  }

  std::uint64_t steps_left() const { return steps_left_; }

 private:
  void spend(std::uint64_t steps) {
    steps_left_ -= std::min(steps_left_, steps);
    if (steps_left_ == 0) decision_.decided = false;
  }

  // The number under a mask as the plain number that it is for `first`: no other one then counts.
  Symbol only_first(const Symbol& symbol) {
    if (symbol.kind != Symbol::Kind::kCall) return symbol;
    last_ = first_;
    return Symbol::constant(first_ & symbol.number);
  }

  // The same for a comparison of some bits only: within a block as large as the lowest of them they
  // do not change, and where they differ from `value` they do so up to the next number that has it.
  void limit_masked(std::uint16_t code, std::uint32_t bits, std::uint32_t value) {
    const std::uint32_t lowest = bits & (0U - bits);
    const bool ordered = BPF_OP(code) == BPF_JGT || BPF_OP(code) == BPF_JGE;
    if (ordered || (first_ & bits) == value) {
      last_ = std::min(last_, first_ | (lowest - 1));
      return;
    }
    WordConstraint next;
    if (first_ == UINT32_MAX || !next.require_between(first_ + 1, UINT32_MAX) ||
        !next.require_equal(bits, value)) {
      return;
    }
    if (const auto other = witness(next)) last_ = std::min(last_, *other - 1);
  }

  // Lowers `last` so that (number & mask) compares with k as that of `first` does.
  void limit(std::uint16_t code, std::uint32_t mask, std::uint32_t k) {
    const bool any_bit = BPF_OP(code) == BPF_JSET;
    const std::uint32_t bits = any_bit ? mask & k : mask;
    if (bits == 0) return;
    if (any_bit || mask != kFullMask) {
      limit_masked(code, bits, any_bit ? 0 : k);
      return;
    }
    switch (BPF_OP(code)) {
      case BPF_JEQ:
        if (k == first_) last_ = first_;
        if (k > first_) last_ = std::min(last_, k - 1);
        return;
      case BPF_JGT:
        if (k >= first_) last_ = std::min(last_, k);
        return;
      default:  // BPF_JGE
        if (k > first_) last_ = std::min(last_, k - 1);
        return;
    }
  }

  // Runs one path to its return, or to a branch that forks it.
  void follow(State state) {
    const std::size_t start = state.at;
    run(state);
    spend(state.at - start);  // at most: jumps go forward only
  }

  void run(State& state) {
    for (;;) {
      const sock_filter& instruction = program_[state.at++];
      switch (BPF_CLASS(instruction.code)) {
        case BPF_LD:
          state.a = loaded(state, instruction);
          break;
        case BPF_LDX:
          state.x = loaded(state, instruction);
          break;
        case BPF_ST:
          state.memory[instruction.k] = state.a;
          break;
        case BPF_STX:
          state.memory[instruction.k] = state.x;
          break;
        case BPF_ALU:
          if (!calculate(state, instruction)) return;
          break;
        case BPF_JMP:
          if (!jump(state, instruction)) return;
          break;
        case BPF_RET:
          finish(state, instruction);
          return;
        default:  // BPF_MISC
          (BPF_MISCOP(instruction.code) == BPF_TAX ? state.x : state.a) =
              BPF_MISCOP(instruction.code) == BPF_TAX ? state.a : state.x;
          break;
      }
    }
  }

  Symbol loaded(const State& state, const sock_filter& instruction) const {
    const std::uint32_t k = instruction.k;
    switch (BPF_MODE(instruction.code)) {
      case BPF_MEM:
        return state.memory[k];
      case BPF_LEN:
        return Symbol::constant(sizeof(seccomp_data));
      case BPF_IMM:
        return Symbol::constant(k);
      default:  // BPF_ABS
        break;
    }
    if (k == offsetof(seccomp_data, nr)) return Symbol::call_number(kFullMask);
    if (k == offsetof(seccomp_data, arch)) return Symbol::constant(audit_arch_);
    if (k < offsetof(seccomp_data, args)) return Symbol::unknown();
    const auto word = static_cast<std::uint8_t>((k - offsetof(seccomp_data, args)) / 4);
    return Symbol::masked(word, kFullMask);
  }

  // False when the path ended: division by a register that is zero.
  bool calculate(State& state, const sock_filter& instruction) {
    const bool by_register = BPF_SRC(instruction.code) == BPF_X;
    const bool negation = BPF_OP(instruction.code) == BPF_NEG;
    const Symbol operand =
        by_register && !negation ? only_first(state.x) : Symbol::constant(instruction.k);
    if (state.a.kind == Symbol::Kind::kCall) {
      if (BPF_OP(instruction.code) == BPF_AND && operand.kind == Symbol::Kind::kNumber) {
        state.a = Symbol::call_number(state.a.number & operand.number);
        return true;
      }
      state.a = only_first(state.a);
    }
    if (BPF_OP(instruction.code) == BPF_DIV) {
      // Zero ends the program, and whether an argument is zero is no branch that we can fork on.
      if (operand.kind != Symbol::Kind::kNumber) {
        decision_.decided = false;
        return false;
      }
      if (operand.number == 0) {
        add_path(state, 0);
        return false;
      }
    }
    if (state.a.kind == Symbol::Kind::kNumber && operand.kind == Symbol::Kind::kNumber) {
      state.a = Symbol::constant(alu(instruction.code, state.a.number, operand.number).value_or(0));
      return true;
    }
    if (BPF_OP(instruction.code) == BPF_AND) {
      if (state.a.kind == Symbol::Kind::kWord && operand.kind == Symbol::Kind::kNumber) {
        state.a = Symbol::masked(state.a.word, state.a.number & operand.number);
        return true;
      }
      if (operand.kind == Symbol::Kind::kWord && state.a.kind == Symbol::Kind::kNumber) {
        state.a = Symbol::masked(operand.word, operand.number & state.a.number);
        return true;
      }
    }
    // Sums, shifts and the like of an argument have no form as a constraint on its bits.
    state.a = Symbol::unknown();
    return true;
  }

  // False when the path forked, or can't be followed.
  bool jump(State& state, const sock_filter& instruction) {
    if (BPF_OP(instruction.code) == BPF_JA) {
      state.at += instruction.k;
      return true;
    }
    const Symbol operand =
        BPF_SRC(instruction.code) == BPF_X ? only_first(state.x) : Symbol::constant(instruction.k);
    if (state.a.kind == Symbol::Kind::kCall && operand.kind == Symbol::Kind::kNumber) {
      limit(instruction.code, state.a.number, operand.number);
      const std::uint32_t number = first_ & state.a.number;
      state.at +=
          branch_taken(instruction.code, number, operand.number) ? instruction.jt : instruction.jf;
      return true;
    }
    if (state.a.kind == Symbol::Kind::kNumber && operand.kind == Symbol::Kind::kNumber) {
      state.at += branch_taken(instruction.code, state.a.number, operand.number) ? instruction.jt
                                                                                 : instruction.jf;
      return true;
    }
    if (state.a.kind == Symbol::Kind::kWord && operand.kind == Symbol::Kind::kNumber) {
      fork(state, instruction, operand.number);
    } else {
      // An unknown value, or two argument words against each other.
      decision_.decided = false;
    }
    return false;
  }

  // Continues on both sides of a comparison of (word & mask) with a number, where they are
  // possible.
  void fork(const State& state, const sock_filter& instruction, std::uint32_t number) {
    const std::uint8_t word = state.a.word;
    const std::uint32_t mask = state.a.number;
    decision_.arguments |= static_cast<std::uint8_t>(1U << (word / 2U));
    const std::size_t taken = state.at + instruction.jt;
    const std::size_t not_taken = state.at + instruction.jf;
    const auto branch = [&](std::size_t target, auto&& constrain) {
      continue_at(state, target, word, constrain);
    };
    const auto equal = [&](std::uint32_t bits, std::uint32_t value) {
      return [=](WordConstraint& c) { return c.require_equal(bits, value); };
    };
    const auto different = [&](std::uint32_t bits, std::uint32_t value) {
      return [=](WordConstraint& c) { return c.require_different(bits, value); };
    };
    switch (BPF_OP(instruction.code)) {
      case BPF_JEQ:
        branch(taken, equal(mask, number));
        branch(not_taken, different(mask, number));
        return;
      case BPF_JSET:
        branch(taken, different(mask & number, 0));
        branch(not_taken, equal(mask & number, 0));
        return;
      default:
        break;
    }
    // JGE n is JGT n - 1; JGE 0 always holds.
    const bool greater = BPF_OP(instruction.code) == BPF_JGT;
    if (!greater && number == 0) {
      branch(taken, equal(0, 0));
      return;
    }
    const std::uint32_t limit = greater ? number : number - 1;
    if (mask == kFullMask) {
      branch(not_taken, [=](WordConstraint& c) { return c.require_between(0, limit); });
      if (limit == UINT32_MAX) return;
      branch(taken, [=](WordConstraint& c) { return c.require_between(limit + 1, UINT32_MAX); });
      return;
    }
    for (const auto& [bits, value] : masked_side(mask, limit, true)) {
      branch(taken, equal(bits, value));
    }
    for (const auto& [bits, value] : masked_side(mask, limit, false)) {
      branch(not_taken, equal(bits, value));
    }
  }

  template <typename Constrain>
  void continue_at(const State& state, std::size_t target, std::uint8_t word,
                   const Constrain& constrain) {
    State next = state;
    next.at = target;
    WordConstraint& constraint = next.words[word];
    std::size_t exclusions = 0;
    for (const WordConstraint& each : next.words) exclusions += each.excluded.size();
    spend(next.words.size() + exclusions);
    if (!constrain(constraint)) return;
    if (!constraint.holds(next.witnesses[word])) {
      const auto other = witness(constraint, steps_left_);
      if (steps_left_ == 0) decision_.decided = false;
      if (!other) return;
      next.witnesses[word] = *other;
    }
    pending_.push_back(std::move(next));
  }

  void finish(const State& state, const sock_filter& instruction) {
    if (BPF_RVAL(instruction.code) == BPF_K) {
      add_path(state, instruction.k);
    } else if (const Symbol a = only_first(state.a); a.kind == Symbol::Kind::kNumber) {
      add_path(state, a.number);
    } else {
      decision_.decided = false;  // an argument as the return value
    }
  }

  void add_path(const State& state, std::uint32_t return_value) {
    if (decision_.paths.size() >= most_paths_) {
      decision_.decided = false;
      return;
    }
    decision_.paths.push_back({state.words, verdict_of(return_value)});
  }

  std::span<const sock_filter> program_;
  std::uint32_t audit_arch_;
  std::uint32_t first_;
  std::uint32_t last_;
  std::size_t most_paths_;
  std::uint64_t steps_left_;
  std::vector<State> pending_;
  Decision decision_;
};

bool require_word(Words& words, std::size_t word, std::uint64_t mask, std::uint64_t value) {
  return words[word].require_equal(static_cast<std::uint32_t>(mask),
                                   static_cast<std::uint32_t>(value));
}

// An argument vector within `words` that meets all requirements; also nullopt when `work` runs out.
std::optional<Arguments> solve(Words words, std::span<const Requirement> requirements,
                               std::uint64_t& work) {
  if (requirements.empty()) return witness(words, work);
  const Requirement& first = requirements.front();
  const auto rest = requirements.subspan(1);
  const std::size_t low = std::size_t{first.index} * 2;
  if (!first.nonzero) {
    if (!require_word(words, low, first.mask, first.value) ||
        !require_word(words, low + 1, first.mask >> 32U, first.value >> 32U)) {
      return std::nullopt;
    }
    return solve(std::move(words), rest, work);
  }
  // A bit in the low half or one in the high half.
  for (const std::size_t half : {low, low + 1}) {
    const auto mask = static_cast<std::uint32_t>(first.mask >> (half == low ? 0U : 32U));
    Words with = words;
    if (!with[half].require_different(mask, 0)) continue;
    if (auto args = solve(std::move(with), rest, work)) return args;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Words> intersection(const Words& a, const Words& b, std::uint64_t& work) {
  Words both = a;
  for (std::size_t i = 0; i < both.size(); ++i) {
    if (b[i].is_free()) continue;
    if (a[i].is_free()) {
      both[i] = b[i];
    } else if (!both[i].require_all(b[i]) || !witness(both[i], work)) {
      return std::nullopt;
    }
  }
  return both;
}

std::optional<Arguments> witness(const Words& words, std::uint64_t& work) {
  Arguments args{};
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto word = witness(words[i], work);
    if (!word) return std::nullopt;
    args[i / 2] |= std::uint64_t{*word} << (i % 2 == 0 ? 0U : 32U);
  }
  return args;
}

std::optional<profile::Verdict> Decision::constant() const {
  if (!decided || paths.empty()) return std::nullopt;
  for (const Path& path : paths) {
    if (path.verdict != paths.front().verdict) return std::nullopt;
  }
  return paths.front().verdict;
}

bool Decision::always_allows() const {
  if (!decided) return false;
  for (const Path& path : paths) {
    if (!path.verdict.allows()) return false;
  }
  return true;
}

Decider::Decider(std::span<const sock_filter> program, const Bounds& bounds)
    : program_(program), bounds_(bounds), loads_(check(program).has_value()) {}

Decider::Range Decider::decide_from(syscalls::Arch arch, std::uint32_t first, std::uint32_t last) {
  return decide_audit(syscalls::audit_arch(arch), first, last);
}

Decider::Range Decider::decide_audit(std::uint32_t audit_arch, std::uint32_t first,
                                     std::uint32_t last) {
  const std::uint64_t steps = std::min(bounds_.most_steps, bounds_.most_steps_in_all);
  if (!loads_ || steps == 0) {
    Range undecided{last, {}};
    undecided.decision.decided = false;
    return undecided;
  }
  Explorer explorer(program_, audit_arch, first, last, bounds_.most_paths, steps);
  Range range = explorer.explore();
  bounds_.most_steps_in_all -= steps - explorer.steps_left();
  return range;
}

Decision decide(std::span<const sock_filter> program, syscalls::Arch arch, std::uint32_t nr,
                std::size_t most_paths) {
  Bounds bounds;
  bounds.most_paths = most_paths;
  return Decider(program, bounds).decide(arch, nr);
}

Reachable allowed_with(const Decision& decision, std::span<const Requirement> requirements) {
  std::uint64_t work = Bounds{}.most_steps;
  for (const Path& path : decision.paths) {
    if (!path.verdict.allows()) continue;
    if (auto args = solve(path.words, requirements, work)) return {true, args};
    if (work == 0) return {false, std::nullopt};
  }
  return {decision.decided, std::nullopt};
}

}  // namespace whittle::filter
