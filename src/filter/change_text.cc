#include "filter/change_text.h"

#include <optional>
#include <set>
#include <vector>

#include "base/text.h"
#include "filter/describe.h"
#include "filter/survey.h"
#include "syscalls/arguments.h"

namespace whittle::filter {

namespace {

constexpr std::size_t kMostNames = 8;

// "A", "A and B", "A, B and 7 more".
std::string list_text(const std::vector<std::string>& names) {
  if (names.size() == 1) return names.front();
  if (names.size() > kMostNames) {
    const auto first = std::span(names).first(kMostNames - 1);
    return format("{} and {} more", join(first, ", "), names.size() - first.size());
  }
  return format("{} and {}", join(std::span(names).first(names.size() - 1), ", "), names.back());
}

// Symbols of one argument whose values got through on one side only, flags apart from whole values.
struct Names {
  std::vector<std::string> flags;
  std::vector<std::string> values;
};

// `closed` is the decision of the side that lets nothing through with these values; `changed` the
// vectors that the other side lets through.
Names names_of(const Change& change, const Decision& closed, const Decision& changed) {
  Names names;
  for (unsigned index = 0; index < 6; ++index) {
    const auto symbols = syscalls::symbols(change.name, index);
    std::size_t count = 0;
    std::set<std::uint64_t> seen;
    for (const syscalls::Symbol& symbol : symbols) {
      const bool whole = symbol.mask == UINT64_MAX;
      // No flag, or another name of a value.
      if ((!whole && symbol.value == 0) || !seen.insert(symbol.value).second) continue;
      const Requirement has{index, symbol.mask, symbol.value, false};
      if (!allowed_with(changed, {&has, 1}).args || allowed_with(closed, {&has, 1}).args) continue;
      (whole ? names.values : names.flags).emplace_back(symbol.name);
      ++count;
    }
    // All of them: it is not this argument that tells the change.
    if (count == seen.size() && count != 0) return {};
  }
  return names;
}

Names names_of(const Change& change) {
  Decision changed;
  for (const Path& path : *change.changed) {
    changed.paths.push_back({path.words, {profile::Action::kAllow, 0}});
  }
  return names_of(change, change.direction == Direction::kLooser ? *change.before : *change.after,
                  changed);
}

std::string changed_text(const Change& change) {
  std::vector<std::string> texts;
  for (const Path& path : *change.changed) texts.push_back(path_text(path, change.name));
  return some_of(texts);
}

std::string looser_text(const Change& change) {
  const auto constant = change.after->constant();
  if (!can_allow(*change.before)) {
    if (constant)
      return constant->action == profile::Action::kLog ? "now allowed, and logged" : "now allowed";
    return "now allowed when " + some_of(allowing_paths(*change.after, change.name));
  }
  const Names names = names_of(change);
  std::vector<std::string> parts;
  if (!names.values.empty()) parts.push_back(list_text(names.values) + " now allowed");
  if (!names.flags.empty()) parts.push_back(list_text(names.flags) + " no longer refused");
  if (!parts.empty()) return join(parts, ", ");
  if (change.after->always_allows()) return "now allowed with any arguments";
  return "now allowed when " + changed_text(change);
}

std::string tighter_text(const Change& change) {
  if (!can_allow(*change.after)) {
    return format("now refused ({})", profile::verdict_text(change.verdict_after));
  }
  const Names names = names_of(change);
  std::vector<std::string> all = names.values;
  all.insert(all.end(), names.flags.begin(), names.flags.end());
  if (!all.empty()) return list_text(all) + " now refused";
  return "now refused when " + changed_text(change);
}

// What the decision refuses with, when that is always the same.
std::optional<profile::Verdict> refusal(const Decision& decision) {
  std::optional<profile::Verdict> found;
  for (const Path& path : decision.paths) {
    if (path.verdict.allows()) continue;
    if (found && *found != path.verdict) return std::nullopt;
    found = path.verdict;
  }
  return found;
}

std::string other_text(const Change& change) {
  const std::string text = format("{} is now {}", profile::verdict_text(change.verdict_before),
                                  profile::verdict_text(change.verdict_after));
  if (change.before->constant() && change.after->constant()) return text;
  if (refusal(*change.before) == change.verdict_before &&
      refusal(*change.after) == change.verdict_after) {
    return text + " where it is refused";
  }
  return text + " when " + changed_text(change);
}

std::string whole_text(bool open, const profile::Verdict& verdict) {
  if (open) return "open";
  return format("closed ({})", profile::verdict_text(verdict));
}

}  // namespace

std::string subject_text(const Change& change) {
  switch (change.scope) {
    case Change::Scope::kCall:
      return std::string(change.name);
    case Change::Scope::kUnnamed:
      if (change.numbers.first == change.numbers.last) return format("number {}", change.nr);
      return format("numbers {} to {}", change.numbers.first, change.numbers.last);
    case Change::Scope::kArchitecture:
      break;
  }
  return "the whole ABI";
}

std::string headline(const Change& change) {
  const bool looser = change.direction == Direction::kLooser;
  if (change.scope == Change::Scope::kArchitecture) return looser ? "now open" : "now closed";
  if (looser) return looser_text(change);
  return change.direction == Direction::kTighter ? tighter_text(change) : other_text(change);
}

std::string before_text(const Change& change) {
  if (change.scope != Change::Scope::kArchitecture) {
    return decision_text(*change.before, change.name);
  }
  return whole_text(change.direction == Direction::kTighter, change.verdict_before);
}

std::string after_text(const Change& change) {
  if (change.scope != Change::Scope::kArchitecture)
    return decision_text(*change.after, change.name);
  return whole_text(change.direction == Direction::kLooser, change.verdict_after);
}

}  // namespace whittle::filter
