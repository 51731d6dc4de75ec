#include "filter/survey.h"

#include <algorithm>

#include "syscalls/table.h"

namespace whittle::filter {

namespace {

// The most severe verdict of both on every argument vector.
Decision stacked(const Decision& newer, const Decision& older) {
  const Bounds bounds;
  std::uint64_t work = bounds.most_steps;
  Decision result;
  result.decided = newer.decided && older.decided;
  result.arguments = newer.arguments | older.arguments;
  for (const Path& a : newer.paths) {
    for (const Path& b : older.paths) {
      auto words = intersection(a.words, b.words, work);
      if (work == 0 || result.paths.size() == bounds.most_paths) {
        result.decided = false;
        return result;
      }
      // The enumeration goes from the most severe action to the mildest.
      const bool older_counts = b.verdict.action < a.verdict.action;
      if (words) result.paths.push_back({*std::move(words), older_counts ? b.verdict : a.verdict});
    }
  }
  return result;
}

// One decider a filter: each checks its filter once.
Decision decide_all(std::span<Decider> filters, syscalls::Arch arch, std::uint32_t nr) {
  Decision result;
  if (filters.empty()) {
    result.paths.push_back({{}, {profile::Action::kAllow, 0}});
    return result;
  }
  result = filters.front().decide(arch, nr);
  for (Decider& older : filters.subspan(1)) result = stacked(result, older.decide(arch, nr));
  return result;
}

}  // namespace

Decision decide_all(std::span<const Program> filters, syscalls::Arch arch, std::uint32_t nr) {
  std::vector<Decider> deciders(filters.begin(), filters.end());
  return decide_all(deciders, arch, nr);
}

bool can_allow(const Decision& decision) {
  return !decision.decided || std::any_of(decision.paths.begin(), decision.paths.end(),
                                          [](const Path& path) { return path.verdict.allows(); });
}

std::vector<SurveyedCall> survey(std::span<const Program> filters, syscalls::Arch arch) {
  std::vector<Decider> deciders(filters.begin(), filters.end());
  std::vector<SurveyedCall> calls;
  for (const syscalls::Entry& entry : syscalls::entries(arch)) {
    calls.push_back({entry.name, entry.nr, decide_all(deciders, arch, entry.nr)});
  }
  return calls;
}

}  // namespace whittle::filter
