#include "deploy/loads.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <thread>

#include "base/text.h"

namespace whittle::deploy {

namespace {

constexpr std::size_t kWorthAThread = 8;

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

Result<std::vector<std::string>> compile_one(const NamedProfile& one,
                                             std::span<const filter::Flavour> runtimes) {
  std::vector<std::string> skipped;
  bool runc_loads = false;
  for (const filter::Flavour flavour : runtimes) {
    if (flavour == filter::Flavour::kCrun && runc_loads && crun_reads_all(*one.profile)) continue;
    auto compiled = filter::compile(*one.profile, flavour);
    if (!compiled) {
      Error error = compiled.error();
      error.message = format("{} can't load it: {}", runtime_name(flavour), error.message);
      error.place = one.name + (error.place.empty() ? "" : " " + error.place);
      return tl::unexpected(std::move(error));
    }
    skipped = std::move(compiled->skipped);
    runc_loads = runc_loads || flavour == filter::Flavour::kRunc;
  }
  return skipped;
}

}  // namespace

Result<LoadReport> check_loads(std::span<const NamedProfile> profiles,
                               std::span<const filter::Flavour> runtimes) {
  std::vector<Result<std::vector<std::string>>> outcomes(profiles.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < profiles.size(); i = next++) {
      outcomes[i] = compile_one(profiles[i], runtimes);
    }
  };
  std::vector<std::thread> others;
  const std::size_t threads =
      std::min<std::size_t>(std::thread::hardware_concurrency(), profiles.size() / kWorthAThread);
  for (std::size_t i = 1; i < threads; ++i) others.emplace_back(work);
  work();
  for (std::thread& thread : others) thread.join();
  LoadReport report;
  for (auto& outcome : outcomes) {
    if (!outcome) return tl::unexpected(outcome.error());
    std::move(outcome->begin(), outcome->end(), std::back_inserter(report.skipped));
  }
  std::sort(report.skipped.begin(), report.skipped.end());
  report.skipped.erase(std::unique(report.skipped.begin(), report.skipped.end()),
                       report.skipped.end());
  return report;
}

}  // namespace whittle::deploy
