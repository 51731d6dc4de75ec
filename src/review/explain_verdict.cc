#include <algorithm>
#include <bitset>

#include "base/text.h"
#include "filter/describe.h"
#include "filter/survey.h"
#include "review/explain.h"
#include "syscalls/arguments.h"

namespace whittle::review {

namespace {

// Fewer fixed bits than these are a rule about flags ("no namespaces"), not a value.
constexpr std::size_t kLeastFixedBits = 16;

// The value that the path asks of an argument, as far as it asks for one: fixed bits alone.
struct Fixed {
  std::uint64_t value = 0;
  std::uint64_t free = 0;  // bits of the width that may be anything
};

bool only_fixes_bits(const filter::WordConstraint& word) {
  if (word.known_mask == UINT32_MAX) return true;
  return word.lo == 0 && word.hi == UINT32_MAX && word.excluded.empty();
}

std::optional<Fixed> fixed_value(const filter::Path& path, unsigned index, unsigned width) {
  const filter::WordConstraint& low = path.words[2 * index];
  const filter::WordConstraint& high = path.words[2 * index + 1];
  const bool whole = width == 64;
  if (!only_fixes_bits(low) || !only_fixes_bits(high)) return std::nullopt;
  if (std::bitset<32>(low.known_mask).count() < kLeastFixedBits) return std::nullopt;
  Fixed fixed{low.known_value, static_cast<std::uint32_t>(~low.known_mask)};
  if (!whole) return high.known_value == 0 ? std::optional(fixed) : std::nullopt;
  fixed.value |= std::uint64_t{high.known_value} << 32U;
  return high.known_mask == UINT32_MAX ? std::optional(fixed) : std::nullopt;
}

// True when the path asks nothing of arguments outside the unit.
bool within(const filter::Path& path, const syscalls::ArgumentSpec& spec) {
  for (unsigned index = 0; index < path.words.size() / 2; ++index) {
    const bool free = path.words[2 * index].is_free() && path.words[2 * index + 1].is_free();
    const bool in_unit =
        std::find(spec.indexes.begin(), spec.indexes.end(), index) != spec.indexes.end();
    if (!free && !in_unit) return false;
  }
  return true;
}

// "AF_INET, SOCK_STREAM [SOCK_NONBLOCK|SOCK_CLOEXEC], IPPROTO_TCP"
std::optional<std::string> values_text(const filter::Path& path,
                                       const syscalls::ArgumentSpec& spec) {
  if (!within(path, spec)) return std::nullopt;
  std::vector<std::uint64_t> values;
  std::vector<std::uint64_t> free;
  for (std::size_t i = 0; i < spec.indexes.size(); ++i) {
    const auto fixed = fixed_value(path, spec.indexes[i], spec.widths[i]);
    if (!fixed) return std::nullopt;
    values.push_back(fixed->value);
    free.push_back(fixed->free);
  }
  const std::vector<unsigned> indexes(spec.indexes.begin(), spec.indexes.end());
  std::vector<std::string> texts = syscalls::tuple_text(spec.syscall, indexes, values);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (free[i] == 0) continue;
    texts[i] += format(" [{}]", syscalls::value_text(spec.syscall, indexes[i], free[i]));
  }
  return join(texts, ", ");
}

// Those of every path that gets through; empty when one of them can't be written so.
std::vector<std::string> allowed_values(const filter::Decision& decision,
                                        const syscalls::ArgumentSpec& spec) {
  std::vector<std::string> texts;
  if (spec.in_struct) return texts;
  for (const filter::Path& path : decision.paths) {
    if (!path.verdict.allows()) continue;
    auto text = values_text(path, spec);
    if (!text) return {};
    texts.push_back(*std::move(text));
  }
  return texts;
}

// The verdicts of the paths that do not get through: "errno EPERM".
std::string refusals_text(const filter::Decision& decision) {
  std::vector<std::string> texts;
  for (const filter::Path& path : decision.paths) {
    if (path.verdict.allows()) continue;
    std::string text = profile::verdict_text(path.verdict);
    if (std::find(texts.begin(), texts.end(), text) == texts.end()) texts.push_back(text);
  }
  return join(texts, " or ");
}

}  // namespace

std::string_view answer_name(Answer answer) {
  switch (answer) {
    case Answer::kAllowed:
      return "allowed";
    case Answer::kConditional:
      return "conditional";
    case Answer::kRefused:
      return "refused";
    case Answer::kUntold:
      return "untold";
  }
  return "";
}

Verdict verdict_of(const filter::Decision& decision, syscalls::Arch arch, std::string_view call) {
  Verdict verdict;
  verdict.text = filter::decision_text(decision, call);
  if (!decision.decided) {
    verdict.answer = Answer::kUntold;
  } else if (decision.always_allows()) {
    verdict.answer = Answer::kAllowed;
  } else if (filter::can_allow(decision)) {
    verdict.answer = Answer::kConditional;
    verdict.conditions = filter::allowing_paths(decision, call);
    verdict.otherwise = refusals_text(decision);
    for (const syscalls::ArgumentSpec& spec : syscalls::argument_specs(arch, call)) {
      verdict.values = allowed_values(decision, spec);
      if (!verdict.values.empty()) break;
    }
  }
  return verdict;
}

}  // namespace whittle::review
