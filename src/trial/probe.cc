#include "trial/probe.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <optional>

#include "base/embedded.h"
#include "base/errno_name.h"
#include "base/text.h"
#include "filter/decide.h"
#include "syscalls/table.h"
#include "trial/probe_steps.h"

namespace whittle::trial {

WHITTLE_EMBEDDED(probe_program)

namespace {

using filter::Program;
using profile::Action;
using profile::Verdict;
using syscalls::Arch;

struct Step {
  std::string_view name;
  std::string_view technique;
};

constexpr Step kSteps[] = {
#define WHITTLE_PROBE_STEP(id, name, technique) {name, technique},
    WHITTLE_PROBE_STEPS(WHITTLE_PROBE_STEP)
#undef WHITTLE_PROBE_STEP
};

struct Call {
  whittle_probe_step step;
  std::string_view syscall;
  std::string_view label;
};

constexpr Call kCalls[] = {
#define WHITTLE_PROBE_CALL(step, entry, name, label, ...) {WHITTLE_PROBE_##step, #name, label},
    WHITTLE_PROBE_CALLS(WHITTLE_PROBE_CALL)
#undef WHITTLE_PROBE_CALL
};

// A call as the program reported it.
struct Attempt {
  std::size_t call = 0;  // index into kCalls
  Arch arch = Arch::kX86_64;
  std::uint32_t nr = 0;
  filter::Arguments args{};
  std::optional<std::int64_t> result;  // nullopt: it did not return
  ExitStatus status;                   // how the program ended, when it did not
};

struct Judgement {
  bool blocked = false;
  std::string text;
};

// "CALL AUDIT_ARCH NUMBER A0 ... A5 [RESULT]"
std::optional<Attempt> parse_line(std::string_view line) {
  std::vector<std::uint64_t> numbers;
  for (const std::string& word : split(trim(line), ' ')) {
    const auto number = parse_u64(word);
    if (!number) return std::nullopt;
    numbers.push_back(*number);
  }
  if (numbers.size() != 9 && numbers.size() != 10) return std::nullopt;
  Attempt attempt;
  attempt.call = numbers[0];
  attempt.nr = static_cast<std::uint32_t>(numbers[2]);
  const auto arch = syscalls::arch_from_audit(static_cast<std::uint32_t>(numbers[1]), attempt.nr);
  if (!arch || attempt.call >= std::size(kCalls)) return std::nullopt;
  attempt.arch = *arch;
  std::copy_n(numbers.begin() + 3, attempt.args.size(), attempt.args.begin());
  if (numbers.size() == 10) attempt.result = static_cast<std::int64_t>(numbers[9]);
  return attempt;
}

// Attempts of one run, which began with the call `first`.
Result<std::vector<Attempt>> parse_run(const ProgramRun& run, std::size_t first) {
  std::vector<Attempt> attempts;
  for (const std::string& line : split(run.output, '\n')) {
    if (line.empty()) continue;
    auto attempt = parse_line(line);
    if (!attempt || attempt->call != first + attempts.size() ||
        (!attempts.empty() && !attempts.back().result)) {
      return bug("the probe program reported \"" + printable(line) + "\"");
    }
    attempt->status = run.status;
    attempts.push_back(*attempt);
  }
  if (attempts.empty()) {
    return input_error(
        "the probe program did not come to its first step (" + run.status.text() + ")", {},
        "the profile must let a program start (in a container: what the runtime itself calls just "
        "before) and write");
  }
  return attempts;
}

Result<std::vector<Attempt>> make_attempts(const ProgramStarter& start) {
  std::vector<Attempt> attempts;
  while (attempts.size() < std::size(kCalls)) {
    TRY_ASSIGN(const ProgramRun run,
               start({format("{}", attempts.size()), format("{}", std::size(kCalls))}));
    TRY_ASSIGN(const std::vector<Attempt> made, parse_run(run, attempts.size()));
    attempts.insert(attempts.end(), made.begin(), made.end());
  }
  return attempts;
}

bool kills(const Verdict& verdict) {
  return verdict.action == Action::kKillProcess || verdict.action == Action::kKillThread ||
         verdict.action == Action::kTrap;
}

// What a refused call returns, as an errno; notify and trace without a listener are ENOSYS
// (seccomp(2)). nullopt: it does not return.
std::optional<std::uint16_t> errno_of(const Verdict& verdict) {
  constexpr std::uint16_t kMaxErrno = 4095;  // include/linux/err.h
  if (kills(verdict)) return std::nullopt;
  return verdict.action == Action::kErrno ? std::min(verdict.data, kMaxErrno)
                                          : static_cast<std::uint16_t>(ENOSYS);
}

std::string outcome_text(std::int64_t result) {
  return result < 0 ? errno_name(static_cast<int>(-result)) : "success";
}

Judgement judge_result(std::int64_t result, const Verdict& verdict) {
  if (verdict.allows()) {
    if (result >= 0) return {false, "succeeded"};
    if (result == -ENOSYS) return {false, "ENOSYS by the kernel, which lacks it: let through"};
    return {false, outcome_text(result) + " by the kernel: reached"};
  }
  const auto expected = errno_of(verdict);
  if (expected && result == -std::int64_t{*expected}) {
    return {true, outcome_text(result) + " by the filter"};
  }
  return {false, format("{}, where the filter was to answer {}", outcome_text(result),
                        profile::verdict_text(verdict))};
}

// The arguments with which the attack is the same, beside those that were tried.
std::vector<filter::Requirement> same_attack(const Attempt& attempt) {
  constexpr std::uint64_t kNamespaces = 0x7e020000;  // all CLONE_NEW* of clone(2)
  constexpr std::uint64_t kWord = UINT32_MAX;
  // The call with bits above the 32 that the kernel takes stands for all such; the other for
  // itself.
  const std::uint64_t family_mask = attempt.args[0] > kWord ? kWord : UINT64_MAX;
  switch (kCalls[attempt.call].step) {
    case WHITTLE_PROBE_UNSHARE:
    case WHITTLE_PROBE_CLONE:
      return {{.index = 0, .mask = attempt.args[0] & kNamespaces, .nonzero = true}};
    case WHITTLE_PROBE_AF_ALG:
    case WHITTLE_PROBE_AF_VSOCK:
    case WHITTLE_PROBE_AF_PACKET:
      return {{.index = 0, .mask = family_mask, .value = attempt.args[0]}};
    case WHITTLE_PROBE_NETFILTER:
      return {{.index = 0, .mask = family_mask, .value = attempt.args[0]},
              {.index = 2, .mask = kWord, .value = attempt.args[2]}};
    default:
      return {};
  }
}

// Arguments for the same attack that no filter refuses, as "unshare(0x30000000, ...)"; empty when
// there are none, which is so when one filter refuses the whole set.
std::string way_around(const Attempt& attempt, std::span<const Program> filters) {
  const auto requirements = same_attack(attempt);
  std::string way;
  if (requirements.empty()) return way;
  for (const Program& program : filters) {
    const auto decision = filter::decide(program, attempt.arch, attempt.nr);
    const auto reachable = filter::allowed_with(decision, requirements);
    if (reachable.decided && !reachable.args) return {};
    if (!reachable.args) continue;
    const filter::Arguments& args = *reachable.args;
    way = format("{}({:#x}, {:#x}, {:#x}, ...)", kCalls[attempt.call].syscall, args[0], args[1],
                 args[2]);
  }
  return way;
}

Result<Judgement> judge(const Attempt& attempt, std::span<const Program> filters) {
  if (filters.empty()) {
    return attempt.result ? judge_result(*attempt.result, {Action::kAllow, 0})
                          : Judgement{false, attempt.status.text()};
  }
  TRY_ASSIGN(const Verdict verdict,
             filter::evaluate_all(filters, filter::call(attempt.arch, attempt.nr, attempt.args)));
  Judgement judgement;
  if (attempt.result) {
    judgement = judge_result(*attempt.result, verdict);
  } else if (kills(verdict)) {
    judgement = {true, "SIGSYS by the filter"};
  } else {
    // int 0x80 on a kernel without 32-bit support ends the program with SIGSEGV.
    judgement = {!verdict.allows(), format("{}; the filter answers {}", attempt.status.text(),
                                           profile::verdict_text(verdict))};
  }
  if (!judgement.blocked) return judgement;
  const std::string way = way_around(attempt, filters);
  if (!way.empty()) return Judgement{false, judgement.text + ", but lets through " + way};
  return judgement;
}

void add_once(std::vector<std::string>& list, std::string text) {
  if (std::find(list.begin(), list.end(), text) == list.end()) list.push_back(std::move(text));
}

Result<Probe> judge_step(std::size_t step, std::span<const Attempt> attempts,
                         std::span<const Program> filters) {
  std::vector<std::string> calls;
  std::vector<std::string> refused;
  std::vector<std::string> open;           // the results of what was not blocked
  std::vector<std::string> open_labelled;  // the same, each with its call in front
  for (const Attempt& attempt : attempts) {
    const Call& call = kCalls[attempt.call];
    if (call.step != step) continue;
    TRY_ASSIGN(const Judgement judgement, judge(attempt, filters));
    add_once(calls, std::string(call.syscall));
    add_once(judgement.blocked ? refused : open, judgement.text);
    if (!judgement.blocked) {
      open_labelled.push_back(format("{}: {}", call.label, judgement.text));
    }
  }
  Probe probe;
  probe.name = kSteps[step].name;
  probe.technique = kSteps[step].technique;
  probe.syscall = join(calls, ", ");
  probe.blocked = open.empty();
  const bool alike = open.size() == 1 && refused.empty();
  probe.result =
      join(probe.blocked || alike ? (open.empty() ? refused : open) : open_labelled, "; ");
  return probe;
}

// What the program and its start need, asked beforehand: the answer names the call, where a failed
// start would say little.
Result<void> check_needs(std::span<const Program> filters) {
  if (filters.empty()) return {};
  const Arch arch = syscalls::host_arch();
  for (const auto& [name, args] :
       {std::pair{"execve", filter::Arguments{}}, std::pair{"write", filter::Arguments{1}}}) {
    const auto number = syscalls::number(arch, name);
    if (!number) return bug(format("no number for {}", name));
    TRY_ASSIGN(const Verdict verdict,
               filter::evaluate_all(filters, filter::call(arch, *number, args)));
    if (verdict.allows()) continue;
    return input_error(format("the profile refuses {} ({}), so that no probe can run and report",
                              name, profile::verdict_text(verdict)),
                       {}, "allow execve and write in the profile that is probed");
  }
  return {};
}

}  // namespace

std::size_t ProbeReport::blocked() const {
  return static_cast<std::size_t>(
      std::count_if(probes.begin(), probes.end(), [](const Probe& p) { return p.blocked; }));
}

std::string_view probe_program() { return embedded_probe_program(); }

Result<ProbeReport> run_probes(const ProgramStarter& start, std::span<const Program> filters) {
  TRY(check_needs(filters));
  TRY_ASSIGN(const std::vector<Attempt> attempts, make_attempts(start));
  ProbeReport report;
  for (std::size_t step = 0; step < std::size(kSteps); ++step) {
    TRY_ASSIGN(Probe probe, judge_step(step, attempts, filters));
    report.probes.push_back(std::move(probe));
  }
  return report;
}

}  // namespace whittle::trial
