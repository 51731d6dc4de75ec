// What the clues of doctor come to: doctor_clues.h.
#include <algorithm>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "cli/doctor_clues.h"

namespace whittle::cli {

namespace {

using deploy::FailureMatch;
using deploy::KnownFailure;

constexpr std::size_t kMostShown = 20;

void add_once(std::vector<std::string>& all, const std::string& text) {
  if (std::find(all.begin(), all.end(), text) == all.end()) all.push_back(text);
}

class Diagnosis {
 public:
  Diagnosis(const Clues& clues, std::span<const KnownFailure> known)
      : clues_(clues), known_(known), matches_(match_failures(known, clues.symptoms.lines)) {}

  std::vector<Cause> causes() {
    add_matches([](const FailureMatch& match) {
      return !match.failure->general && match.failure->id != "profile-too-strict";
    });
    if (!clues_.default_changes.empty()) {
      add("runtime-default-changed", "capture", clues_.default_changes, {});
    }
    for (const Refused& one : clues_.refused) {
      if (one.foreign) {
        add("wrong-architecture", one.by, {one.text}, {one.call});
      } else {
        add("profile-too-strict", one.by, {one.text}, {one.call});
      }
    }
    // What a program says of a call that failed is a guess at the call, until a recorder saw it.
    add_matches([this](const FailureMatch& match) {
      return match.failure->id == "profile-too-strict" && clues_.refused.empty();
    });
    add_suspicions();
    // What says little adds nothing to what the text says clearly.
    const bool clear = !causes_.empty() && causes_.front().by == "text";
    add_matches([clear](const FailureMatch& match) { return match.failure->general && !clear; });
    for (Cause& cause : causes_) cut(cause.shown);
    return std::move(causes_);
  }

 private:
  Cause* add(std::string_view id, std::string_view by, const std::vector<std::string>& shown,
             const std::vector<std::string>& calls) {
    const KnownFailure* failure = deploy::failure_of(known_, id);
    if (failure == nullptr) return nullptr;
    auto at = std::find_if(causes_.begin(), causes_.end(),
                           [failure](const Cause& cause) { return cause.failure == failure; });
    if (at == causes_.end()) {
      at = causes_.insert(causes_.end(), Cause{failure, std::string(by), {}, {}, {}});
    }
    for (const std::string& line : shown) add_once(at->shown, line);
    for (const std::string& call : calls) add_once(at->calls, call);
    return &*at;
  }

  // In the order in which failures count.
  void add_suspicions() {
    for (const KnownFailure& failure : known_) {
      for (const deploy::Suspicion& one : clues_.suspicions) {
        const bool known = std::any_of(causes_.begin(), causes_.end(), [&](const Cause& cause) {
          return cause.failure == &failure;
        });
        if (one.failure != failure.id || (one.weak && !known)) continue;
        add(one.failure, "profile", {one.text}, one.calls);
      }
    }
  }

  template <typename Wanted>
  void add_matches(const Wanted& wanted) {
    for (const FailureMatch& match : matches_) {
      if (!wanted(match)) continue;
      std::vector<std::string> shown;
      for (const deploy::ShownLine& line : match.shown) {
        shown.push_back(format("line {}: {}", line.line, printable(trim(line.text), 600)));
      }
      std::vector<std::string> calls = match.calls;
      const auto named = match.captures.find("call");
      if (named != match.captures.end()) calls.push_back(printable(named->second));
      Cause* cause = add(match.failure->id, "text", shown, calls);
      const auto path = match.captures.find("path");
      if (cause != nullptr && path != match.captures.end()) look_for(path->second, *cause);
    }
  }

  // Where on this machine a profile of that name is.
  void look_for(const std::string& path, Cause& cause) const {
    if (cause.failure->id != "profile-file-missing") return;
    const auto places = deploy::profiles_called(path, deploy::profile_directories(clues_.root));
    for (const std::string& place : places) {
      if (place == path) {
        cause.found.push_back("it is there now: " + printable(place));
      } else if (place.starts_with(clues_.root + "/")) {
        cause.found.push_back(format("this machine has {}: localhostProfile: {}", printable(place),
                                     printable(place.substr(clues_.root.size() + 1))));
      } else {
        cause.found.push_back(
            format("this machine has {}: whittle install {}", printable(place), printable(place)));
      }
    }
    if (places.empty()) {
      cause.found.push_back(
          format("no file of that name is below {} on this machine, or where "
                 "engines keep theirs",
                 printable(clues_.root)));
    }
  }

  static void cut(std::vector<std::string>& lines) {
    if (lines.size() <= kMostShown) return;
    const std::size_t more = lines.size() - kMostShown;
    lines.resize(kMostShown);
    lines.push_back(format("and {} more", more));
  }

  const Clues& clues_;
  std::span<const KnownFailure> known_;
  std::vector<FailureMatch> matches_;
  std::vector<Cause> causes_;
};

}  // namespace

std::vector<Cause> diagnose(const Clues& clues, std::span<const KnownFailure> known) {
  return Diagnosis(clues, known).causes();
}

}  // namespace whittle::cli
