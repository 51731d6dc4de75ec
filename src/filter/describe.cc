#include "filter/describe.h"

#include "base/text.h"

namespace whittle::filter {

namespace {

// (name & mask) OP value, without the mask when it is the whole.
std::string comparison(const std::string& name, std::uint64_t mask, std::uint64_t whole,
                       std::string_view op, std::uint64_t value) {
  return mask == whole ? format("{} {} {:#x}", name, op, value)
                       : format("({} & {:#x}) {} {:#x}", name, mask, op, value);
}

// What is asked of one half beyond its fixed bits.
void describe_rest(const std::string& name, const WordConstraint& word,
                   std::vector<std::string>& terms) {
  const bool fixed = word.known_mask == UINT32_MAX;
  if (word.lo != 0 && !fixed) terms.push_back(format("{} >= {:#x}", name, word.lo));
  if (word.hi != UINT32_MAX && !fixed) terms.push_back(format("{} <= {:#x}", name, word.hi));
  for (const auto& [mask, value] : word.excluded) {
    if (!fixed) terms.push_back(comparison(name, mask, UINT32_MAX, "!=", value));
  }
}

bool is_free(const WordConstraint& word) {
  return word.lo == 0 && word.hi == UINT32_MAX && word.known_mask == 0 && word.excluded.empty();
}

void describe_argument(std::size_t index, const WordConstraint& low, const WordConstraint& high,
                       std::vector<std::string>& terms) {
  const std::string name = format("arg{}", index);
  const std::uint64_t mask = std::uint64_t{high.known_mask} << 32U | low.known_mask;
  const std::uint64_t value = std::uint64_t{high.known_value} << 32U | low.known_value;
  const bool high_is_zero = high.known_mask == UINT32_MAX && high.known_value == 0;
  // With a high half of zero, what holds of the low half holds of the whole.
  const std::string low_name = high_is_zero ? name : "low " + name;
  if (high_is_zero && low.known_mask != UINT32_MAX) {
    terms.push_back(format("{} <= {:#x}", name, low.hi));
    if (low.known_mask != 0) {
      terms.push_back(comparison(name, low.known_mask, UINT32_MAX, "==", low.known_value));
    }
    WordConstraint rest = low;
    rest.hi = UINT32_MAX;
    describe_rest(name, rest, terms);
    return;
  }
  if (is_free(high) && low.known_mask == UINT32_MAX) {
    terms.push_back(comparison(low_name, mask, UINT32_MAX, "==", value));
    return;
  }
  if (mask != 0) terms.push_back(comparison(name, mask, UINT64_MAX, "==", value));
  describe_rest(low_name, low, terms);
  describe_rest("high " + name, high, terms);
}

}  // namespace

std::string path_text(const Path& path) {
  std::vector<std::string> terms;
  for (std::size_t i = 0; i < path.words.size(); i += 2) {
    describe_argument(i / 2, path.words[i], path.words[i + 1], terms);
  }
  return terms.empty() ? "any" : join(terms, " and ");
}

std::vector<std::string> allowing_paths(const Decision& decision) {
  std::vector<std::string> texts;
  for (const Path& path : decision.paths) {
    if (path.verdict.allows()) texts.push_back(path_text(path));
  }
  return texts;
}

}  // namespace whittle::filter
