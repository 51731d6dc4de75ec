#include "review/closing.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "base/text.h"
#include "filter/compare.h"
#include "review/refuse.h"
#include "review/score.h"
#include "review/steps.h"

namespace whittle::review {

namespace {

using evidence::Observation;
using profile::Profile;
using syscalls::Arch;

bool meets(const filter::Requirement& requirement, std::uint64_t value) {
  const std::uint64_t masked = value & requirement.mask;
  return requirement.nonzero ? masked != 0 : masked == requirement.value;
}

// Recorded values of one argument, or of several together.
struct Unit {
  std::vector<unsigned> indexes;
  bool closed = true;
  std::vector<std::vector<std::uint64_t>> values;
};

std::vector<Unit> units_of(const Observation& observation) {
  std::vector<Unit> units;
  for (const auto& argument : observation.args) {
    Unit unit{{argument.index}, argument.closed, {}};
    for (const std::uint64_t value : argument.values) unit.values.push_back({value});
    units.push_back(std::move(unit));
  }
  for (const auto& tuple : observation.tuples) {
    units.push_back({tuple.indexes, tuple.closed, {tuple.values.begin(), tuple.values.end()}});
  }
  return units;
}

bool holds(const Unit& unit, const std::vector<std::uint64_t>& values, const Way& way) {
  return std::all_of(way.args.begin(), way.args.end(), [&](const filter::Requirement& one) {
    const auto at = std::find(unit.indexes.begin(), unit.indexes.end(), one.index);
    return at != unit.indexes.end() &&
           meets(one, values[static_cast<std::size_t>(at - unit.indexes.begin())]);
  });
}

bool covers(const Unit& unit, const Way& way) {
  return std::all_of(way.args.begin(), way.args.end(), [&unit](const filter::Requirement& one) {
    return std::find(unit.indexes.begin(), unit.indexes.end(), one.index) != unit.indexes.end();
  });
}

// The data asks for arguments that are recorded together, or one of them: what stands in several
// units, or in none, can't be told.
Use use_of(const Observation& observation, const Way& way) {
  if (way.args.empty()) return Use::kSeen;
  for (const Unit& unit : units_of(observation)) {
    if (!covers(unit, way)) continue;
    const bool seen = std::any_of(unit.values.begin(), unit.values.end(),
                                  [&](const auto& values) { return holds(unit, values, way); });
    if (seen) return Use::kSeen;
    return unit.closed ? Use::kNotSeen : Use::kUntold;
  }
  return Use::kUntold;
}

std::string loses_text(Use use, const Way& way) {
  switch (use) {
    case Use::kNotAsked:
      return {};
    case Use::kNotSeen:
      return format("nothing that the evidence shows: {} was not seen", way_text(way));
    case Use::kUntold:
      return format(
          "perhaps something: the workload calls {}, with which of these arguments is "
          "not recorded",
          way.syscall);
    case Use::kSeen:
      return format("what it uses: the evidence shows {}", way_text(way));
  }
  return {};
}

// A step refused, on its own.
struct Closed {
  Profile profile;
  std::vector<ClosedWay> ways;
  std::size_t whole_calls = 0;  // calls that go whole although the step needs only some arguments
};

class Closer {
 public:
  Closer(filter::Flavour flavour, std::vector<Arch> arches, const evidence::Evidence* evidence)
      : flavour_(flavour), arches_(std::move(arches)), evidence_(evidence) {}

  Result<filter::Program> compiled(const Profile& profile) const {
    TRY_ASSIGN(filter::Compiled result, filter::compile(profile, flavour_));
    return std::move(result.program);
  }

  // The profile with every open way of the step refused; nullopt when no change does that.
  Result<std::optional<Closed>> close(const Profile& profile, const filter::Program& program,
                                      const Step& step) const {
    const StepJudge judge({&program, 1}, arches_);
    std::vector<const Way*> open;
    for (const Way& way : step.ways) {
      if (judge.passes(way, judge.native())) open.push_back(&way);
    }
    for (const bool whole : {false, true}) {
      Closed closed = attempt(profile, open, whole);
      if (closes(closed.profile, program, step)) return std::optional<Closed>(std::move(closed));
    }
    return std::optional<Closed>();
  }

 private:
  Closed attempt(const Profile& profile, const std::vector<const Way*>& ways, bool whole) const {
    Closed closed{profile, {}, 0};
    for (const Way* way : ways) {
      // The words and places are those of the profile as it was given.
      Refusal refusal = refused(profile, *way, whole);
      const bool goes_whole = std::all_of(refusal.rules.begin(), refusal.rules.end(),
                                          [](const auto& rule) { return rule.args.empty(); });
      if (goes_whole && !way->args.empty()) ++closed.whole_calls;
      closed.profile = refused(closed.profile, *way, whole).profile;
      const Use use = evidence_ == nullptr ? Use::kNotAsked : review::use_of(*evidence_, *way);
      closed.ways.push_back({way->syscall, std::move(refusal.text), std::move(refusal.pointers),
                             std::move(refusal.rules), use, loses_text(use, *way)});
    }
    return closed;
  }

  Refusal refused(const Profile& profile, const Way& way, bool whole) const {
    return whole ? refuse_whole(profile, way.syscall) : refuse(profile, flavour_, way);
  }

  // Rules that libseccomp does not take, or that it makes something else of, close nothing.
  bool closes(const Profile& changed, const filter::Program& before, const Step& step) const {
    const auto after = compiled(changed);
    if (!after) return false;
    if (StepJudge({&*after, 1}, arches_).is_open(step)) return false;
    const auto comparison = filter::compare(before, *after, arches_);
    return comparison && std::none_of(comparison->changes.begin(), comparison->changes.end(),
                                      [](const filter::Change& change) {
                                        return change.direction == filter::Direction::kLooser;
                                      });
  }

  filter::Flavour flavour_;
  std::vector<Arch> arches_;
  const evidence::Evidence* evidence_;
};

// What is better to refuse, least first: what the workload is not seen to do, what takes no whole
// call away, what closes more exploits, what takes fewer changes.
std::tuple<Use, std::size_t, std::size_t, std::size_t> cost(const Closed& closed,
                                                            std::size_t exploits) {
  Use worst = Use::kNotAsked;
  for (const ClosedWay& way : closed.ways) worst = std::max(worst, way.use);
  return {worst, closed.whole_calls, SIZE_MAX - exploits, closed.ways.size()};
}

// Chooses a closable step for each open exploit.
class Chooser {
 public:
  Chooser(const std::vector<std::optional<Closed>>& closed, std::vector<const Exploit*> open)
      : closed_(closed), open_(std::move(open)) {}

  // Takes the next best step, with the exploits that it closes; nullopt: none closes any more.
  std::optional<std::size_t> next(std::vector<std::string>& cves) {
    std::optional<std::size_t> best;
    for (std::size_t step = 0; step < closed_.size(); ++step) {
      const std::size_t exploits = count(step);
      if (!closed_[step] || exploits == 0) continue;
      if (!best || cost(*closed_[step], exploits) < cost(*closed_[*best], count(*best))) {
        best = step;
      }
    }
    if (!best) return best;
    for (const Exploit* exploit : open_) {
      if (needs(*exploit, *best)) cves.push_back(exploit->cve);
    }
    std::erase_if(open_, [&](const Exploit* exploit) { return needs(*exploit, *best); });
    return best;
  }

  const std::vector<const Exploit*>& left() const { return open_; }

 private:
  static bool needs(const Exploit& exploit, std::size_t step) {
    return std::find(exploit.needs.begin(), exploit.needs.end(), step) != exploit.needs.end();
  }
  std::size_t count(std::size_t step) const {
    return static_cast<std::size_t>(
        std::count_if(open_.begin(), open_.end(),
                      [step](const Exploit* exploit) { return needs(*exploit, step); }));
  }

  const std::vector<std::optional<Closed>>& closed_;
  std::vector<const Exploit*> open_;
};

}  // namespace

Use use_of(const evidence::Evidence& evidence, const Way& way) {
  Use worst = Use::kNotSeen;
  for (const Observation& observation : evidence.syscalls()) {
    // clone3 is recorded in the words of clone, and is answered ENOSYS under a profile of ours.
    const bool as_clone = way.syscall == "clone" && observation.name == "clone3";
    if ((observation.name != way.syscall && !as_clone) || observation.needed() == 0) continue;
    worst = std::max(worst, use_of(observation, way));
  }
  return worst;
}

Result<Closings> closings(const Profile& profile, filter::Flavour flavour,
                          const evidence::Evidence* evidence) {
  TRY_ASSIGN(const Exploits known, known_exploits());
  const std::vector<Arch> arches = filter::covered_arches(profile);
  const Closer closer(flavour, arches, evidence);
  TRY_ASSIGN(filter::Program program, closer.compiled(profile));
  TRY_ASSIGN(const Score before, score({&program, 1}, arches));
  std::vector<const Exploit*> open;
  for (const Exploit& exploit : known.exploits) {
    if (std::find(before.open.begin(), before.open.end(), exploit.cve) != before.open.end()) {
      open.push_back(&exploit);
    }
  }
  std::vector<std::optional<Closed>> closed(known.steps.size());
  for (std::size_t step = 0; step < known.steps.size(); ++step) {
    const bool wanted = std::any_of(open.begin(), open.end(), [step](const Exploit* exploit) {
      return std::find(exploit->needs.begin(), exploit->needs.end(), step) != exploit->needs.end();
    });
    if (!wanted) continue;
    TRY_ASSIGN(closed[step], closer.close(profile, program, known.steps[step]));
  }

  Closings result;
  result.arch = StepJudge({&program, 1}, arches).native();
  Chooser chooser(closed, std::move(open));
  Profile together = profile;
  while (true) {
    std::vector<std::string> cves;
    const auto step = chooser.next(cves);
    if (!step) break;
    result.closings.push_back(
        {known.steps[*step].name, known.steps[*step].what, closed[*step]->ways, std::move(cves)});
    TRY_ASSIGN(auto both, closer.close(together, program, known.steps[*step]));
    if (!both) continue;
    together = std::move(both->profile);
    TRY_ASSIGN(program, closer.compiled(together));
  }
  for (const Exploit* exploit : chooser.left()) result.without.push_back(exploit->cve);
  std::stable_sort(
      result.closings.begin(), result.closings.end(),
      [](const Closing& a, const Closing& b) { return a.cves.size() > b.cves.size(); });
  TRY_ASSIGN(const Score after, score({&program, 1}, arches));
  result.blocked_then = after.blocked();
  return result;
}

}  // namespace whittle::review
