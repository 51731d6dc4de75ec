#include "trial/judge.h"

#include <algorithm>
#include <cerrno>

#include "filter/decide.h"
#include "record/refusals.h"
#include "syscalls/table.h"

namespace whittle::trial {

namespace {

using profile::Action;
using syscalls::Arch;

constexpr profile::Verdict kNoSuchCall = {Action::kErrno, ENOSYS};

// Calls that the recorder counts elsewhere than where it judges, so that the two numbers differ:
// those that succeed or never return, and the new task's own return from fork. None of these is a
// refusal.
bool is_counted_elsewhere(const evidence::Observation& seen) {
  static constexpr const char* kNames[] = {
      "execve", "execveat", "exit", "exit_group", "sigreturn", "rt_sigreturn", "restart_syscall"};
  return std::any_of(std::begin(kNames), std::end(kNames),
                     [&](const char* name) { return seen.name == name; });
}

// `real`: those that were kept; where the others are there, too, all were. Registers that are no
// argument of the call are dropped, but for those that a filter looks at all the same.
void take_arguments(const filter::Arguments& args, std::uint8_t real, std::uint8_t looked_at,
                    Denial& denial) {
  unsigned known = real;
  for (unsigned i = 0; i < args.size(); ++i) {
    if (((real >> i) & 1U) == 0 && args[i] != 0) known = 0x3f;
  }
  known &= ((1U << meaningful_arguments(denial.arch, denial.syscall)) - 1) | looked_at;
  for (unsigned i = 0; i < args.size(); ++i) {
    if (((known >> i) & 1U) != 0) denial.args[i] = args[i];
  }
  denial.first.args = denial.args;
  denial.first.known = static_cast<std::uint8_t>(known);
}

// Of one kind more: the first of both is the first, and what is known of either stays known.
void add_to(Denial& denial, Denial& more) {
  denial.count += more.count;
  const bool earlier = more.first.time.value_or(0) < denial.first.time.value_or(0);
  if (earlier) denial.first.time = more.first.time;
  if (denial.first.stack.empty() || (earlier && !more.first.stack.empty())) {
    const std::optional<double> time = denial.first.time;
    if (!more.first.stack.empty()) denial.first = more.first;
    denial.first.time = time;
  }
}

}  // namespace

bool is_fallback(const profile::Profile& profile, Arch arch, const std::string& syscall,
                 const filter::Arguments& args) {
  return profile.default_verdict() != kNoSuchCall &&
         profile::documented_verdict(profile, arch, syscall, args) == kNoSuchCall;
}

Judge::Judge(const profile::Profile& profile, std::vector<filter::Program> filters,
             std::span<const record::JudgeSpec> kept, By by)
    : profile_(profile), filters_(std::move(filters)), by_(by) {
  for (const record::JudgeSpec& spec : kept) kept_[{spec.arch, spec.nr}] = spec.arguments;
}

const Judge::Reach& Judge::reach(const Call& call) {
  const auto [found, added] = reach_.try_emplace(call);
  if (!added) return found->second;
  for (const filter::Program& program : filters_) {
    const filter::Decision decision = filter::decide(program, call.first, call.second);
    found->second.arguments |= decision.decided ? decision.arguments : std::uint8_t{0x3f};
    found->second.always_allows = found->second.always_allows && decision.always_allows();
  }
  return found->second;
}

void Judge::cannot_tell(const Call& call, std::uint64_t count, const char* why) {
  if (count != 0) undecided_[{call, why}] += count;
}

void Judge::add(const record::JudgedCall& call) {
  const Call id = {call.arch, call.nr};
  judged_[id] += call.count;
  const bool unnamed = (call.nr & ~syscalls::kX32Bit) >= record::first_uncounted_number();
  const auto kept = kept_.find(id);
  const std::uint8_t real =
      unnamed ? std::uint8_t{0x3f} : (kept == kept_.end() ? std::uint8_t{0} : kept->second);
  if ((reach(id).arguments & ~real) != 0) {
    return cannot_tell(id, call.count,
                       "the filter in force looks at arguments that were not kept: the runtime "
                       "made another filter of the profile than was expected");
  }
  const auto verdict = filter::evaluate_all(filters_, filter::call(call.arch, call.nr, call.args));
  if (!verdict) return cannot_tell(id, call.count, "the filter in force cannot be evaluated");
  if (verdict->allows()) return;
  if (by_ == By::kResult && !record::answered(*verdict, call)) return;
  Denial denial;
  denial.arch = call.arch;
  denial.nr = call.nr;
  denial.syscall = syscalls::display_name(call.arch, call.nr);
  take_arguments(call.args, real, reach(id).arguments, denial);
  denial.verdict = *verdict;
  denial.comm = call.comm;
  denial.phase = call.phase;
  denial.count = call.count;
  denial.first.time = call.time;
  denial.first.thread = call.thread;
  denial.first.executable = call.executable;
  denial.first.stack = call.stack;
  for (const auto& [index, value] : call.more_arguments) {
    if (((denial.first.known >> index) & 1U) != 0) continue;
    denial.first.args.at(index) = value;
    denial.first.known = static_cast<std::uint8_t>(denial.first.known | (1U << index));
  }
  Denials& into =
      is_fallback(profile_, denial.arch, denial.syscall, denial.args) ? fallbacks_ : denials_;
  const Key key = {denial.arch,        denial.nr,    denial.args,
                   denial.comm,        denial.phase, denial.verdict.action,
                   denial.verdict.data};
  const auto [found, added] = into.emplace(key, denial);
  if (!added) add_to(found->second, denial);
}

void Judge::add_uncounted(std::span<const evidence::Observation> seen, std::uint64_t lost) {
  for (const evidence::Observation& observation : seen) {
    const Call id = {observation.arch, observation.nr};
    if ((observation.nr & ~syscalls::kX32Bit) >= record::first_uncounted_number()) continue;
    if (kept_.contains(id)) {
      const auto judged = judged_.find(id);
      const std::uint64_t known = judged == judged_.end() ? 0 : judged->second;
      if (lost != 0 && observation.count > known && !is_counted_elsewhere(observation)) {
        cannot_tell(id, observation.count - known,
                    "more kinds of its arguments came than there is room to keep");
      }
    } else if (!reach(id).always_allows) {
      cannot_tell(id, observation.count,
                  "the filter in force may refuse it though the expected one does not, so it was "
                  "not kept");
    }
  }
}

std::vector<Denial> Judge::values(const Denials& denials) {
  std::vector<Denial> all;
  all.reserve(denials.size());
  for (const auto& [key, denial] : denials) all.push_back(denial);
  return all;
}

std::vector<Undecided> Judge::undecided() const {
  std::vector<Undecided> all;
  for (const auto& [key, count] : undecided_) {
    const auto& [call, why] = key;
    all.push_back(
        {call.first, syscalls::display_name(call.first, call.second), call.second, count, why});
  }
  return all;
}

}  // namespace whittle::trial
