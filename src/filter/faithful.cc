#include "filter/faithful.h"

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/text.h"
#include "filter/decide.h"
#include "filter/stub.h"
#include "syscalls/table.h"

namespace whittle::filter {

namespace {

using profile::Condition;
using profile::Profile;
using profile::Rule;
using profile::Verdict;

// Of each call: more points than this are not a better test.
constexpr std::size_t kMostPoints = 20'000;

// The profile with only the rules of one call, which is all that its meaning depends on.
Profile only(const Profile& profile, std::string_view name) {
  Profile::Parts parts = profile.parts();
  std::erase_if(parts.rules, [name](const Rule& rule) {
    return std::find(rule.names.begin(), rule.names.end(), name) == rule.names.end();
  });
  return Profile(std::move(parts));
}

// Values at which the answer of a condition can change, and their neighbours.
void add_boundaries(const Condition& condition, std::set<std::uint64_t>& values) {
  const auto add_around = [&values](std::uint64_t value) {
    values.insert({value - 1, value, value + 1, value ^ (std::uint64_t{1} << 32U),
                   value | 0xffffffff00000000U, value & UINT32_MAX});
  };
  if (condition.op != profile::Operator::kMaskedEq) {
    add_around(condition.value);
    return;
  }
  add_around(condition.value_two);
  values.insert(condition.value_two | ~condition.value);
  for (std::uint64_t bit = 1; bit != 0; bit <<= 1U) {
    if ((condition.value & bit) != 0) values.insert(condition.value_two ^ bit);
  }
}

// Argument vectors at every combination of boundary values, up to the bound.
std::vector<Arguments> boundary_points(const Profile& profile) {
  std::array<std::set<std::uint64_t>, 6> values;
  for (const Rule& rule : profile.rules()) {
    for (const Condition& condition : rule.args) {
      if (condition.index < values.size()) add_boundaries(condition, values[condition.index]);
    }
  }
  std::vector<Arguments> points = {Arguments{}};
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i].empty()) continue;
    values[i].insert({0, UINT32_MAX, UINT64_MAX});
    const std::vector<Arguments> before = std::move(points);
    points.clear();
    for (const Arguments& point : before) {
      for (const std::uint64_t value : values[i]) {
        if (points.size() >= kMostPoints) break;
        points.push_back(point);
        points.back()[i] = value;
      }
    }
  }
  return points;
}

Arguments witness_of(const Path& path) {
  Arguments args{};
  for (std::size_t i = 0; i < path.words.size(); ++i) {
    args[i / 2] |= std::uint64_t{witness(path.words[i]).value_or(0)} << (i % 2 == 0 ? 0U : 32U);
  }
  return args;
}

class Comparison {
 public:
  Comparison(const Profile& profile, const Program& program, Flavour flavour)
      : profile_(profile), program_(program), flavour_(flavour) {}

  Result<std::vector<Difference>> run() {
    TRY(check(program_));
    for (const syscalls::Arch arch : profile_.arches()) {
      for (const syscalls::Entry& entry : syscalls::entries(arch)) TRY(compare(arch, entry));
    }
    return std::move(differences_);
  }

 private:
  Result<void> compare(syscalls::Arch arch, const syscalls::Entry& entry) {
    const Profile meaning = only(profile_, entry.name);
    const Decision decision = decide(program_, arch, entry.nr);
    if (!decision.decided) {
      return input_error(format("the filter's answer to {} on {} can't be told exactly", entry.name,
                                syscalls::arch_name(arch)));
    }
    seen_.clear();
    std::vector<Arguments> points = boundary_points(meaning);
    for (const Path& path : decision.paths) points.push_back(witness_of(path));
    for (const Arguments& args : points) {
      const Verdict compiled = evaluate_checked(program_, call(arch, entry.nr, args));
      const Verdict documented = profile::documented_verdict(meaning, arch, entry.name, args);
      if (compiled == documented || is_stub_answer(meaning, compiled)) continue;
      note({arch, std::string(entry.name), entry.nr, args, documented, compiled});
    }
    return {};
  }

  // runc's ENOSYS for calls that the profile does not name is as documented.
  bool is_stub_answer(const Profile& meaning, const Verdict& compiled) const {
    return flavour_ == Flavour::kRunc && meaning.rules().empty() &&
           has_stub(profile_.default_verdict()) &&
           compiled == Verdict{profile::Action::kErrno, ENOSYS};
  }

  // One witness for each pair of verdicts of a call is enough.
  void note(Difference difference) {
    const auto same = [&difference](const auto& pair) {
      return pair.first == difference.documented && pair.second == difference.compiled;
    };
    if (std::any_of(seen_.begin(), seen_.end(), same)) return;
    seen_.emplace_back(difference.documented, difference.compiled);
    differences_.push_back(std::move(difference));
  }

  const Profile& profile_;
  const Program& program_;
  Flavour flavour_;
  std::vector<std::pair<Verdict, Verdict>> seen_;  // of the call at hand
  std::vector<Difference> differences_;
};

}  // namespace

Result<std::vector<Difference>> differences(const Profile& profile, const Program& program,
                                            Flavour flavour) {
  return Comparison(profile, program, flavour).run();
}

}  // namespace whittle::filter
