#include "filter/describe.h"

#include <algorithm>

#include "base/text.h"
#include "syscalls/arguments.h"

namespace whittle::filter {

namespace {

constexpr std::size_t kMostTexts = 5;
constexpr std::uint32_t kClose = 16;  // an interval of fewer words may be written as its words ...
constexpr std::size_t kFew = 4;       // ... when it has no more than these
constexpr std::ptrdiff_t kMostFlags = 8;  // a mask of more is easier to read as a number
constexpr std::uint64_t kLowHalf = UINT32_MAX;

// One argument of a call, or one half of it, in a description.
struct Subject {
  std::string name;          // "arg0", "low arg0"
  std::string_view syscall;  // empty: no symbols
  unsigned index = 0;

  std::string value(std::uint64_t value) const {
    if (syscalls::symbols(syscall, index).empty()) return format("{:#x}", value);
    return syscalls::value_text(syscall, index, value);
  }
  // (name & mask) OP value, without the mask when it is the whole.
  std::string comparison(std::uint64_t mask, std::uint64_t whole, std::string_view op,
                         std::uint64_t of) const {
    if (mask == whole) return format("{} {} {}", name, op, value(of));
    std::string bits = value(mask);
    const auto more = std::count(bits.begin(), bits.end(), '|');
    if (more >= kMostFlags) bits = format("{:#x}", mask);
    const bool several = more > 0 && more < kMostFlags;
    return format("({} & {}{}{}) {} {}", name, several ? "(" : "", bits, several ? ")" : "", op,
                  of == 0 ? "0x0" : value(of));
  }
};

// The words that meet the constraint, when they are few and close together; else none.
std::vector<std::uint32_t> few_words(const WordConstraint& word) {
  std::vector<std::uint32_t> words;
  if (word.hi - word.lo >= kClose) return words;
  for (std::uint64_t value = word.lo; value <= word.hi; ++value) {
    if (word.holds(static_cast<std::uint32_t>(value))) {
      words.push_back(static_cast<std::uint32_t>(value));
    }
  }
  if (words.size() > kFew) words.clear();
  return words;
}

// "arg0 == AF_ALG", "arg0 in {AF_ALG, AF_VSOCK}".
std::string words_text(const Subject& half, std::span<const std::uint32_t> words) {
  if (words.size() == 1) return half.comparison(kLowHalf, kLowHalf, "==", words.front());
  std::vector<std::string> values;
  for (const std::uint32_t word : words) values.push_back(half.value(word));
  return format("{} in {{{}}}", half.name, join(values, ", "));
}

// What is asked of one half beyond its fixed bits.
void describe_rest(const Subject& half, const WordConstraint& word,
                   std::vector<std::string>& terms) {
  const bool fixed = word.known_mask == UINT32_MAX;
  if (word.lo != 0 && !fixed) terms.push_back(format("{} >= {:#x}", half.name, word.lo));
  if (word.hi != UINT32_MAX && !fixed) terms.push_back(format("{} <= {:#x}", half.name, word.hi));
  for (const auto& [mask, value] : word.excluded) {
    if (!fixed) terms.push_back(half.comparison(mask, kLowHalf, "!=", value));
  }
}

void describe_argument(const Subject& whole, const WordConstraint& low, const WordConstraint& high,
                       std::vector<std::string>& terms) {
  const std::uint64_t mask = std::uint64_t{high.known_mask} << 32U | low.known_mask;
  const std::uint64_t value = std::uint64_t{high.known_value} << 32U | low.known_value;
  const bool high_is_zero = high.known_mask == UINT32_MAX && high.known_value == 0;
  // With a high half of zero, what holds of the low half holds of the whole.
  const Subject low_half = {high_is_zero ? whole.name : "low " + whole.name, whole.syscall,
                            whole.index};
  const auto few = few_words(low);
  if (!few.empty() && (high_is_zero || high.is_free())) {
    terms.push_back(words_text(low_half, few));
    return;
  }
  if (high_is_zero && low.known_mask != UINT32_MAX) {
    terms.push_back(format("{} <= {:#x}", whole.name, low.hi));
    if (low.known_mask != 0) {
      terms.push_back(whole.comparison(low.known_mask, kLowHalf, "==", low.known_value));
    }
    WordConstraint rest = low;
    rest.hi = UINT32_MAX;
    describe_rest(whole, rest, terms);
    return;
  }
  if (high.is_free() && low.known_mask == UINT32_MAX) {
    terms.push_back(low_half.comparison(mask, kLowHalf, "==", value));
    return;
  }
  if (mask != 0) terms.push_back(whole.comparison(mask, UINT64_MAX, "==", value));
  describe_rest(low_half, low, terms);
  describe_rest({"high " + whole.name, {}, whole.index}, high, terms);
}

// The paths with one verdict.
struct Group {
  profile::Verdict verdict;
  std::vector<std::string> texts;
};

// How much there is to read; of equal texts the one with "!=" is the longer.
std::size_t length_of(const Group& group) {
  std::size_t length = 0;
  for (const std::string& text : group.texts) {
    length += text.size() + (text.find("!=") != std::string::npos ? 1 : 0);
  }
  return length;
}

}  // namespace

std::string path_text(const Path& path, std::string_view syscall) {
  std::vector<std::string> terms;
  for (unsigned i = 0; i < path.words.size() / 2; ++i) {
    const Subject argument = {format("arg{}", i), syscall, i};
    describe_argument(argument, path.words[2 * i], path.words[2 * i + 1], terms);
  }
  return terms.empty() ? "any" : join(terms, " and ");
}

std::vector<std::string> allowing_paths(const Decision& decision, std::string_view syscall) {
  std::vector<std::string> texts;
  for (const Path& path : decision.paths) {
    if (path.verdict.allows()) texts.push_back(path_text(path, syscall));
  }
  return texts;
}

std::string some_of(std::span<const std::string> texts) {
  if (texts.size() <= kMostTexts) return join(texts, "; or ");
  return format("{} (and {} more)", join(texts.first(kMostTexts), "; or "),
                texts.size() - kMostTexts);
}

std::string decision_text(const Decision& decision, std::string_view syscall) {
  if (!decision.decided) return "can't be told exactly";
  if (const auto constant = decision.constant()) return profile::verdict_text(*constant);
  std::vector<Group> groups;
  for (const Path& path : decision.paths) {
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const Group& g) { return g.verdict == path.verdict; });
    if (group == groups.end()) group = groups.insert(group, Group{path.verdict, {}});
    group->texts.push_back(path_text(path, syscall));
  }
  // The one that takes the most words is the rest.
  std::stable_sort(groups.begin(), groups.end(),
                   [](const Group& a, const Group& b) { return length_of(a) < length_of(b); });
  std::string text;
  for (const Group& group : groups) {
    const std::string verdict = profile::verdict_text(group.verdict);
    if (&group == &groups.back()) return text + "else " + verdict;
    text += format("{} when {}, ", verdict, some_of(group.texts));
  }
  return text;
}

}  // namespace whittle::filter
