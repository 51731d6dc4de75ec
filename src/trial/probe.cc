#include "trial/probe.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/embedded.h"
#include "base/text.h"
#include "syscalls/table.h"
#include "trial/probe_catalog.h"
#include "trial/probe_judge.h"

namespace whittle::trial {

WHITTLE_EMBEDDED(probe_program)

namespace {

using filter::Program;
using syscalls::Arch;

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
  if (!arch || attempt.call >= probe_calls().size()) return std::nullopt;
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

// One for each of probe_calls().
Result<std::vector<Attempt>> make_attempts(const ProgramStarter& start) {
  const std::size_t count = probe_calls().size();
  std::vector<Attempt> attempts;
  while (attempts.size() < count) {
    TRY_ASSIGN(const ProgramRun run, start({format("{}", attempts.size()), format("{}", count)}));
    TRY_ASSIGN(const std::vector<Attempt> made, parse_run(run, attempts.size()));
    attempts.insert(attempts.end(), made.begin(), made.end());
  }
  return attempts;
}

void add_once(std::vector<std::string>& list, std::string text) {
  if (std::find(list.begin(), list.end(), text) == list.end()) list.push_back(std::move(text));
}

// nullopt: none of the step's calls is one of this machine's architecture.
Result<std::optional<Probe>> judge_step(const ProbeStep& step, std::span<const Attempt> attempts,
                                        std::span<const Attempt> second,
                                        const JudgeSetting& setting) {
  std::vector<std::string> calls;
  std::vector<std::string> refused;
  std::vector<std::string> open;           // the results of what was not blocked
  std::vector<std::string> open_labelled;  // the same, each with its call in front
  ProbeBy furthest = ProbeBy::kSeccomp;
  for (const Attempt& attempt : attempts) {
    const ProbeCall& call = probe_calls()[attempt.call];
    if (call.step != step.name) continue;
    const Attempt* again = second.empty() ? nullptr : &second[attempt.call];
    TRY_ASSIGN(const Judgement judgement, judge(attempt, again, setting));
    const bool blocked = judgement.by == ProbeBy::kSeccomp;
    furthest = std::max(furthest, judgement.by);
    add_once(calls, std::string(call.syscall));
    add_once(blocked ? refused : open, judgement.text);
    if (!blocked) open_labelled.push_back(format("{}: {}", call.label, judgement.text));
  }
  if (calls.empty()) return std::optional<Probe>();
  Probe probe;
  probe.name = step.name;
  probe.syscall = join(calls, ", ");
  probe.blocked = furthest == ProbeBy::kSeccomp;
  probe.by = furthest;
  const bool alike = open.size() == 1 && refused.empty();
  probe.result =
      join(probe.blocked || alike ? (open.empty() ? refused : open) : open_labelled, "; ");
  probe.tries = step.tries;
  probe.technique = step.technique;
  probe.source = step.source;
  probe.expected_root = step.root;
  probe.expected_nobody = step.nobody;
  probe.expected_docker = step.docker;
  return std::optional<Probe>(std::move(probe));
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
    TRY_ASSIGN(const profile::Verdict verdict,
               filter::evaluate_all(filters, filter::call(arch, *number, args)));
    if (verdict.allows()) continue;
    return input_error(format("the profile refuses {} ({}), so that no probe can run and report",
                              name, profile::verdict_text(verdict)),
                       {}, "allow execve and write in the profile that is probed");
  }
  return {};
}

// Empty when the second run cannot be made: the first one stands on the filter's word then.
std::vector<Attempt> second_attempts(const ProbeRun& run) {
  if (!run.start_marked) return {};
  auto attempts = make_attempts(run.start_marked);
  return attempts ? *std::move(attempts) : std::vector<Attempt>();
}

}  // namespace

std::string_view probe_by_name(ProbeBy by) {
  constexpr std::array<std::string_view, 4> kNames = {"seccomp", "capability", "kernel", "open"};
  return kNames.at(static_cast<std::size_t>(by));
}

std::size_t ProbeReport::blocked() const {
  return static_cast<std::size_t>(
      std::count_if(probes.begin(), probes.end(), [](const Probe& p) { return p.blocked; }));
}

std::string_view probe_program() { return embedded_probe_program(); }

Result<ProbeReport> run_probes(const ProbeRun& run) {
  TRY(check_needs(run.filters));
  TRY_ASSIGN(const std::vector<Attempt> attempts, make_attempts(run.start));
  const std::vector<Attempt> second = second_attempts(run);
  ProbeReport report;
  report.marker = !second.empty();
  for (const ProbeStep& step : probe_steps()) {
    TRY_ASSIGN(std::optional<Probe> probe,
               judge_step(step, attempts, second, {run.filters, run.marked, run.capabilities}));
    if (probe) report.probes.push_back(*std::move(probe));
  }
  return report;
}

}  // namespace whittle::trial
