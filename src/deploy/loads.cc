#include "deploy/loads.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <thread>

#include "base/text.h"

namespace whittle::deploy {

namespace {

const char* runtime_name(filter::Flavour flavour) {
  return flavour == filter::Flavour::kCrun ? "crun" : "runc";
}

// crun hands libseccomp the same rules as runc, but for conditions of a rule after the sixth, and
// adds no stub: what runc loads, crun does. Most profiles are so compiled once for both.
bool crun_reads_all(const profile::Profile& profile) {
  constexpr std::size_t kConditionsThatCrunReads = 6;
  const auto& rules = profile.rules();
  return std::all_of(rules.begin(), rules.end(), [](const profile::Rule& rule) {
    return rule.args.size() <= kConditionsThatCrunReads;
  });
}

using Outcome = Result<std::vector<std::string>>;  // the skipped names

Outcome named(Outcome outcome, const NamedProfile& profile, filter::Flavour flavour) {
  if (outcome) return outcome;
  Error error = outcome.error();
  error.message = format("{} can't load it: {}", runtime_name(flavour), error.message);
  error.place = profile.name + (error.place.empty() ? "" : " " + error.place);
  return tl::unexpected(std::move(error));
}

// In the order of the profiles; an outcome that is an error stays.
void compile_some(std::span<const NamedProfile> profiles, std::span<const filter::Flavour> runtimes,
                  std::span<Outcome> outcomes) {
  bool runc_asked = false;
  for (const filter::Flavour flavour : runtimes) {
    std::vector<std::size_t> asked;
    std::vector<const profile::Profile*> documents;
    for (std::size_t i = 0; i < profiles.size(); ++i) {
      const bool answered =
          flavour == filter::Flavour::kCrun && runc_asked && crun_reads_all(*profiles[i].profile);
      if (!outcomes[i] || answered) continue;
      asked.push_back(i);
      documents.push_back(profiles[i].profile);
    }
    std::vector<Outcome> compiled = filter::check_compiles(documents, flavour);
    for (std::size_t i = 0; i < asked.size(); ++i) {
      outcomes[asked[i]] = named(std::move(compiled[i]), profiles[asked[i]], flavour);
    }
    runc_asked = runc_asked || flavour == filter::Flavour::kRunc;
  }
}

}  // namespace

Result<LoadReport> check_loads(std::span<const NamedProfile> profiles,
                               std::span<const filter::Flavour> runtimes) {
  constexpr std::size_t kBatch = 256;  // one child for so many
  std::vector<Outcome> outcomes(profiles.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t from = next.fetch_add(kBatch); from < profiles.size();
         from = next.fetch_add(kBatch)) {
      const std::size_t count = std::min(kBatch, profiles.size() - from);
      compile_some(profiles.subspan(from, count), runtimes,
                   std::span(outcomes).subspan(from, count));
    }
  };
  std::vector<std::thread> others;
  const std::size_t threads =
      std::min<std::size_t>(std::thread::hardware_concurrency(), profiles.size() / kBatch + 1);
  for (std::size_t i = 1; i < threads; ++i) others.emplace_back(work);
  work();
  for (std::thread& thread : others) thread.join();
  LoadReport report;
  for (Outcome& outcome : outcomes) {
    if (!outcome) return tl::unexpected(outcome.error());
    std::move(outcome->begin(), outcome->end(), std::back_inserter(report.skipped));
  }
  std::sort(report.skipped.begin(), report.skipped.end());
  report.skipped.erase(std::unique(report.skipped.begin(), report.skipped.end()),
                       report.skipped.end());
  return report;
}

}  // namespace whittle::deploy
