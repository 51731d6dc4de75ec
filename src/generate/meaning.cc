#include "generate/meaning.h"

#include <algorithm>
#include <bit>

#include "base/text.h"

namespace whittle::generate {

namespace {

using profile::Condition;
using profile::Operator;

enum class Truth : std::uint8_t { kNever, kAlways, kMixed };

Truth truth(bool always, bool never) {
  return always ? Truth::kAlways : never ? Truth::kNever : Truth::kMixed;
}

Truth negated(Truth t) {
  if (t == Truth::kMixed) return t;
  return t == Truth::kAlways ? Truth::kNever : Truth::kAlways;
}

// Of arguments whose bits under bits.mask are bits.value.
Truth on_bits(const Condition& condition, const Bits& bits) {
  const std::uint64_t least = bits.value;
  const std::uint64_t most = bits.value | ~bits.mask;
  const std::uint64_t value = condition.value;
  switch (condition.op) {
    case Operator::kEq:
      return truth(least == most && least == value, (value & bits.mask) != bits.value);
    case Operator::kNe:
      return negated(truth(least == most && least == value, (value & bits.mask) != bits.value));
    case Operator::kLt:
      return truth(most < value, least >= value);
    case Operator::kLe:
      return truth(most <= value, least > value);
    case Operator::kGt:
      return truth(least > value, most <= value);
    case Operator::kGe:
      return truth(least >= value, most < value);
    case Operator::kMaskedEq: {
      const std::uint64_t wanted = condition.value_two;
      const bool never = (wanted & ~value) != 0 || ((wanted ^ bits.value) & value & bits.mask) != 0;
      return truth(!never && (value & ~bits.mask) == 0, never);
    }
  }
  return Truth::kMixed;
}

// The highest bit on which a mixed condition still depends.
std::uint64_t split_bit(const Condition& condition, const Bits& bits) {
  std::uint64_t free = ~bits.mask;
  if (condition.op == Operator::kMaskedEq) free &= condition.value;
  return std::bit_floor(free);
}

Region with_bit(Region region, unsigned index, std::uint64_t bit, bool set) {
  region[index].mask |= bit;
  if (set) region[index].value |= bit;
  return region;
}

Arguments least_of(const Region& region) {
  Arguments args{};
  for (std::size_t i = 0; i < args.size(); ++i) args[i] = region[i].value;
  return args;
}

constexpr int kMostSteps = 1'000'000;

// Walks the parts of `region` in which `meaning` has one verdict until `visit` says stop (false).
// False also when the steps run out.
template <typename Visit>
bool walk(const Meaning& meaning, const Region& region, int& steps, const Visit& visit) {
  if (--steps < 0) return false;
  const Meaning::Answer answer = meaning.on(region);
  if (answer.verdict) return visit(region, *answer.verdict);
  return walk(meaning, with_bit(region, answer.index, answer.bit, false), steps, visit) &&
         walk(meaning, with_bit(region, answer.index, answer.bit, true), steps, visit);
}

bool all_parts(const Meaning& meaning, const Region& region, bool allowed) {
  int steps = kMostSteps;
  return walk(meaning, region, steps, [allowed](const Region&, const profile::Verdict& verdict) {
    return verdict.allows() == allowed;
  });
}

}  // namespace

std::optional<Region> intersection(const Region& a, const Region& b) {
  Region both;
  for (std::size_t i = 0; i < both.size(); ++i) {
    if (((a[i].value ^ b[i].value) & a[i].mask & b[i].mask) != 0) return std::nullopt;
    both[i] = {a[i].mask | b[i].mask, a[i].value | b[i].value};
  }
  return both;
}

std::optional<Region> region_of(const profile::Rule& rule) {
  Region region{};
  for (const Condition& condition : rule.args) {
    if (condition.index >= region.size()) return std::nullopt;
    Region one{};
    if (condition.op == Operator::kEq) {
      one[condition.index] = {UINT64_MAX, condition.value};
    } else if (condition.op == Operator::kMaskedEq) {
      if ((condition.value_two & ~condition.value) != 0) return std::nullopt;
      one[condition.index] = {condition.value, condition.value_two};
    } else {
      return std::nullopt;
    }
    const auto both = intersection(region, one);
    if (!both) return std::nullopt;
    region = *both;
  }
  return region;
}

std::vector<Condition> conditions_of(const Region& region) {
  std::vector<Condition> conditions;
  for (std::uint32_t i = 0; i < region.size(); ++i) {
    const Bits& bits = region[i];
    if (bits.mask == 0) continue;
    if (bits.mask == UINT64_MAX) {
      conditions.push_back({.index = i, .value = bits.value, .value_two = 0, .op = Operator::kEq});
    } else {
      conditions.push_back(
          {.index = i, .value = bits.mask, .value_two = bits.value, .op = Operator::kMaskedEq});
    }
  }
  return conditions;
}

Meaning::Meaning(const profile::Profile& profile, syscalls::Arch arch, std::string_view name)
    : default_verdict_(profile.default_verdict()),
      width_(syscalls::compares_64_bits(arch) ? UINT64_MAX : UINT32_MAX) {
  for (const profile::Rule& rule : profile.rules()) {
    if (std::find(rule.names.begin(), rule.names.end(), name) == rule.names.end()) continue;
    profile::Rule own{{std::string(name)}, rule.verdict, rule.args};
    if (own.args.empty()) {  // the first unconditional rule is the only one in effect
      rules_.assign(1, own);
      return;
    }
    bool can_match = true;
    for (Condition& condition : own.args) {
      condition.value &= width_;
      condition.value_two &= width_;
      can_match = can_match && condition.index < std::tuple_size_v<Region>;
    }
    if (can_match) rules_.push_back(std::move(own));
  }
}

Region Meaning::everything() const {
  Region region{};
  for (Bits& bits : region) bits.mask = ~width_;
  return region;
}

Region Meaning::seen(const Region& region) const {
  Region cut = region;
  for (Bits& bits : cut) bits = {bits.mask | ~width_, bits.value & width_};
  return cut;
}

Meaning::Answer Meaning::on(const Region& region) const {
  for (const profile::Rule& rule : rules_) {
    Truth all = Truth::kAlways;
    Answer split;
    for (const Condition& condition : rule.args) {
      const Bits& bits = region[condition.index];
      const Truth one = on_bits(condition, bits);
      if (one == Truth::kNever) {
        all = Truth::kNever;
        break;
      }
      if (one == Truth::kMixed && all == Truth::kAlways) {
        all = Truth::kMixed;
        split = {std::nullopt, condition.index, split_bit(condition, bits)};
      }
    }
    if (all == Truth::kAlways) return {rule.verdict};
    if (all == Truth::kMixed) return split;
  }
  return {default_verdict_};
}

Result<std::optional<Arguments>> loosened(const Meaning& before, const Meaning& after,
                                          const Region& within) {
  int steps = kMostSteps;
  std::optional<Arguments> witness;
  const bool done = walk(before, within, steps, [&](const Region& part, const auto& verdict) {
    if (verdict.allows()) return true;
    return walk(after, part, steps, [&](const Region& inner, const auto& inner_verdict) {
      if (inner_verdict.allows()) witness = least_of(inner);
      return !witness;
    });
  });
  if (!done && !witness) return bug("the proof against the base took too many steps");
  return witness;
}

bool allows_all(const Meaning& meaning, const Region& region) {
  return all_parts(meaning, region, true);
}

bool refuses_all(const Meaning& meaning, const Region& region) {
  return all_parts(meaning, region, false);
}

}  // namespace whittle::generate
