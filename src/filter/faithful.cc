#include "filter/faithful.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/text.h"
#include "filter/decide.h"
#include "filter/document.h"
#include "filter/stub.h"
#include "syscalls/table.h"

namespace whittle::filter {

namespace {

using profile::Profile;
using profile::Rule;
using profile::Verdict;

// The profile with only the rules of one call, which is all that its meaning depends on.
Profile only(const Profile& profile, std::string_view name) {
  Profile::Parts parts = profile.parts();
  std::erase_if(parts.rules, [name](const Rule& rule) {
    return std::find(rule.names.begin(), rule.names.end(), name) == rule.names.end();
  });
  return Profile(std::move(parts));
}

class Comparison {
 public:
  Comparison(const Profile& profile, const Program& program, Flavour flavour)
      : profile_(profile), program_(program), flavour_(flavour), decider_(program) {}

  Result<std::vector<Difference>> run() {
    TRY(check(program_));
    for (const syscalls::Arch arch : covered_arches(profile_)) {
      for (const syscalls::Entry& entry : syscalls::entries(arch)) TRY(compare(arch, entry));
    }
    return std::move(differences_);
  }

 private:
  Result<void> compare(syscalls::Arch arch, const syscalls::Entry& entry) {
    const Profile meaning = only(profile_, entry.name);
    const Decision documented = documented_decision(meaning, arch, entry.name);
    const Decision compiled = decider_.decide(arch, entry.nr);
    std::uint64_t work = Bounds{}.most_steps;
    std::vector<std::pair<Verdict, Verdict>> seen;
    for (const Path& a : documented.paths) {
      for (const Path& b : compiled.paths) {
        if (a.verdict == b.verdict || is_stub_answer(meaning, b.verdict)) continue;
        const std::pair verdicts(a.verdict, b.verdict);
        if (std::find(seen.begin(), seen.end(), verdicts) != seen.end()) continue;
        const auto words = intersection(a.words, b.words, work);
        const auto args = words ? witness(*words, work) : std::nullopt;
        if (!args) continue;
        seen.push_back(verdicts);
        TRY(note(meaning, {arch, std::string(entry.name), entry.nr, *args, a.verdict, b.verdict}));
      }
    }
    if (documented.decided && compiled.decided && work != 0) return {};
    return input_error(format("the filter's answer to {} on {} can't be told exactly", entry.name,
                              syscalls::arch_name(arch)));
  }

  // runc's ENOSYS for calls that the profile does not name is as documented.
  bool is_stub_answer(const Profile& meaning, const Verdict& compiled) const {
    return flavour_ == Flavour::kRunc && meaning.rules().empty() &&
           has_stub(profile_.default_verdict()) &&
           compiled == Verdict{profile::Action::kErrno, ENOSYS};
  }

  Result<void> note(const Profile& meaning, Difference difference) {
    const auto data = call(difference.arch, difference.nr, difference.args);
    if (evaluate_checked(program_, data) != difference.compiled ||
        profile::documented_verdict(meaning, difference.arch, difference.syscall,
                                    difference.args) != difference.documented) {
      return bug(format("a difference of {} on {} is not confirmed", difference.syscall,
                        syscalls::arch_name(difference.arch)));
    }
    differences_.push_back(std::move(difference));
    return {};
  }

  const Profile& profile_;
  const Program& program_;
  Flavour flavour_;
  Decider decider_;
  std::vector<Difference> differences_;
};

}  // namespace

Result<std::vector<Difference>> differences(const Profile& profile, const Program& program,
                                            Flavour flavour) {
  return Comparison(profile, program, flavour).run();
}

}  // namespace whittle::filter
