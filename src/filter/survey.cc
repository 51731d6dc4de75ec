#include "filter/survey.h"

#include <algorithm>

#include "syscalls/table.h"

namespace whittle::filter {

namespace {

constexpr std::size_t kMostPaths = 4096;

bool require_all_of(WordConstraint& word, const WordConstraint& other) {
  if (!word.require_between(other.lo, other.hi) ||
      !word.require_equal(other.known_mask, other.known_value)) {
    return false;
  }
  return std::all_of(other.excluded.begin(), other.excluded.end(), [&word](const auto& pair) {
    return word.require_different(pair.first, pair.second);
  });
}

// The argument vectors of both paths, with the more severe verdict; nullopt when there are none.
std::optional<Path> both(const Path& newer, const Path& older) {
  Path path = newer;
  for (std::size_t i = 0; i < path.words.size(); ++i) {
    if (!require_all_of(path.words[i], older.words[i]) || !witness(path.words[i])) {
      return std::nullopt;
    }
  }
  // The enumeration goes from the most severe action to the mildest.
  if (older.verdict.action < newer.verdict.action) path.verdict = older.verdict;
  return path;
}

Decision stacked(const Decision& newer, const Decision& older) {
  Decision result;
  result.decided = newer.decided && older.decided;
  result.arguments = newer.arguments | older.arguments;
  for (const Path& a : newer.paths) {
    for (const Path& b : older.paths) {
      auto path = both(a, b);
      if (!path) continue;
      if (result.paths.size() == kMostPaths) {
        result.decided = false;
        return result;
      }
      result.paths.push_back(*std::move(path));
    }
  }
  return result;
}

}  // namespace

Decision decide_all(std::span<const Program> filters, syscalls::Arch arch, std::uint32_t nr) {
  Decision result;
  if (filters.empty()) {
    result.paths.push_back({{}, {profile::Action::kAllow, 0}});
    return result;
  }
  result = decide(filters.front(), arch, nr, kMostPaths);
  for (const Program& older : filters.subspan(1)) {
    result = stacked(result, decide(older, arch, nr, kMostPaths));
  }
  return result;
}

bool can_allow(const Decision& decision) {
  return !decision.decided || std::any_of(decision.paths.begin(), decision.paths.end(),
                                          [](const Path& path) { return path.verdict.allows(); });
}

std::vector<SurveyedCall> survey(std::span<const Program> filters, syscalls::Arch arch) {
  std::vector<SurveyedCall> calls;
  for (const syscalls::Entry& entry : syscalls::entries(arch)) {
    calls.push_back({entry.name, entry.nr, decide_all(filters, arch, entry.nr)});
  }
  return calls;
}

}  // namespace whittle::filter
