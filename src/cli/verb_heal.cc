#include <filesystem>
#include <optional>
#include <set>
#include <utility>

#include "base/file_system.h"
#include "base/text.h"
#include "cli/base_option.h"
#include "cli/comparison_report.h"
#include "cli/heal_report.h"
#include "cli/keep_trial.h"
#include "cli/output.h"
#include "cli/trial_input.h"
#include "cli/trial_report.h"
#include "cli/verbs_list.h"
#include "evidence/evidence.h"
#include "filter/compile.h"
#include "record/signals.h"
#include "review/dangerous.h"
#include "syscalls/table.h"
#include "trial/heal.h"

namespace whittle::cli {

namespace {

// The base and the rules of generate, as the workload's policy has them.
Result<generate::Options> options_of(const Arguments& arguments, const trial::TrialSpec& trial) {
  const host::WorkloadPolicy& policy = trial.workload.policy;
  generate::Options options;
  options.arches = generate::native_arches(trial.profile);
  if (policy.arguments == "base") options.arguments = syscalls::Level::kBase;
  if (policy.arguments == "all") options.arguments = syscalls::Level::kAll;
  options.allow = {policy.allow.begin(), policy.allow.end()};
  for (const std::string& name : arguments.values("--allow")) {
    if (!syscalls::is_known(name)) {
      const auto names = syscalls::known_names();
      const auto near = nearest(name, std::vector<std::string>(names.begin(), names.end()));
      return input_error(format("--allow {}: no such system call", printable(name)), {},
                         near ? "did you mean " + *near + "?" : "");
    }
    options.allow.insert(name);
  }
  Arguments base;
  if (!policy.base.empty()) base.options_["--base"] = {policy.base};
  TRY(read_base(base, options));
  return options;
}

// What is never added: what the workload's policy says, and what is dangerous and was not asked
// for.
std::vector<generate::LeftOut> never_added(const host::WorkloadPolicy& policy,
                                           std::set<std::string>& allow) {
  std::vector<generate::LeftOut> never;
  for (const std::string& name : policy.deny) {
    allow.erase(name);
    never.push_back({name, "", "policy.deny of the workload says so", ""});
  }
  for (const review::Dangerous& dangerous : review::dangerous_calls()) {
    const std::string name(dangerous.call);
    if (allow.count(name) != 0) continue;
    never.push_back({name, "", format("dangerous: {}", dangerous.why), "--allow " + name});
  }
  return never;
}

Result<trial::HealSpec> heal_spec(const Arguments& arguments) {
  TRY_ASSIGN(host::Workload workload,
             trial_workload("verify --profile P", arguments, arguments.operands().at(0)));
  TRY_ASSIGN(trial::TrialSpec trial, trial_spec(arguments, std::move(workload)));
  if (trial.workload.profile == "-" || trial.workload.profile.starts_with("baseline:")) {
    return input_error("the profile is no file that could be healed",
                       printable(trial.workload.profile));
  }
  trial::HealSpec spec{std::move(trial), {}, {}, 5, {}};
  TRY_ASSIGN(spec.options, options_of(arguments, spec.trial));
  spec.never = never_added(spec.trial.workload.policy, spec.options.allow);
  const auto rounds = parse_u64(arguments.value_or("--rounds", "5"));
  if (!rounds || *rounds < 1 || *rounds > 100) {
    return input_error("--rounds takes a number from 1 to 100");
  }
  spec.rounds = static_cast<unsigned>(*rounds);
  spec.progress = [](const std::string& text) { show_progress("heal: " + text); };
  return spec;
}

// What the healed profile answers otherwise, as the runtime compiles it.
Result<HealDifference> difference_of(const trial::TrialSpec& before,
                                     const profile::Profile& after) {
  const filter::Flavour flavour =
      before.workload.run.runtime == "crun" ? filter::Flavour::kCrun : filter::Flavour::kRunc;
  HealDifference difference;
  difference.arches = filter::covered_arches(before.profile);
  TRY_ASSIGN(const filter::Compiled old, filter::compile(before.profile, flavour));
  TRY_ASSIGN(const filter::Compiled fresh, filter::compile(after, flavour));
  TRY_ASSIGN(difference.comparison, filter::compare(old.program, fresh.program, difference.arches));
  return difference;
}

// What was allowed stays allowed.
Result<void> check_difference(const HealDifference& difference) {
  for (const filter::Change& change : difference.comparison.changes) {
    if (change.direction != filter::Direction::kTighter) continue;
    return bug(format("the healed profile refuses what the old one allowed: {} on {}", change.name,
                      syscalls::arch_name(change.arch)));
  }
  return {};
}

Result<evidence::Evidence> known_evidence(const host::Workload& workload) {
  std::error_code error;
  if (!std::filesystem::exists(workload.evidence, error)) {
    evidence::Evidence none;
    none.workload = workload.name;
    return none;
  }
  TRY_ASSIGN(const std::string text, read_file(workload.evidence));
  return evidence::read(text, workload.evidence);
}

// Where the results go: with -o the workload's own files stay as they are.
struct Output {
  std::string profile;
  std::string evidence;  // empty: none
};

Result<void> write_results(const Output& output, const trial::HealSpec& spec,
                           const trial::Healing& healing, evidence::Evidence evidence) {
  trial::TrialSpec healed = spec.trial;
  if (healing.rounds != 0) {
    healed.profile = healing.profile;
    healed.profile_json = profile::write_oci(healing.profile);
  }
  if (healing.rounds != 0 || output.profile != spec.trial.workload.profile) {
    TRY(output.profile == "-" ? print_result(healed.profile_json)
                              : write_file(output.profile, healed.profile_json));
  }
  if (!output.evidence.empty() && !healing.runs.empty()) {
    evidence::Evidence seen;
    seen.workload = evidence.workload;
    seen.runs = healing.runs;
    const evidence::Evidence parts[] = {std::move(evidence), std::move(seen)};
    TRY(write_file(output.evidence, evidence::write(evidence::merge(parts))));
  }
  // The two that speak of the profile as it is now: the last in log mode, and the enforce pass.
  healed.workload.profile = output.profile;
  const std::size_t trials = healing.trials.size();
  for (std::size_t i = trials < 2 ? 0 : trials - 2; i < trials; ++i) {
    healed.mode = healing.trials[i].mode;
    if (!healing.trials[i].report.pass()) continue;
    TRY_ASSIGN(const std::string path,
               keep_trial(healed, healing.trials[i].report, output.evidence));
  }
  return {};
}

Result<Output> output_of(const Arguments& arguments, const host::Workload& workload) {
  Output output{workload.profile, workload.evidence};
  if (const auto path = arguments.value("--output")) output = {*path, ""};
  if (output.profile == "-" && arguments.flag("--json")) {
    return input_error("--json and -o - both go to standard output", {},
                       "write the profile to a file");
  }
  if (!arguments.flag("--dry-run")) {
    if (output.profile != "-") TRY(check_writable(output.profile));
    if (!output.evidence.empty()) TRY(check_writable(output.evidence));
  }
  return output;
}

Result<int> run_heal(const Arguments& arguments) {
  TRY_ASSIGN(const trial::HealSpec spec, heal_spec(arguments));
  TRY_ASSIGN(const Output output, output_of(arguments, spec.trial.workload));
  TRY_ASSIGN(evidence::Evidence evidence, known_evidence(spec.trial.workload));
  const record::SignalCatcher signals;
  auto healing = trial::heal(spec);
  end_progress();
  if (!healing) return tl::unexpected(std::move(healing).error());
  TRY_ASSIGN(const HealDifference difference, difference_of(spec.trial, healing->profile));
  TRY(check_difference(difference));
  const bool dry = arguments.flag("--dry-run");
  const bool writes = healing->pass() && !dry;
  if (writes) TRY(write_results(output, spec, *healing, std::move(evidence)));
  const HealReport report{spec, *healing, difference, writes ? output.profile : ""};
  if (arguments.flag("--json")) {
    TRY(print_json(heal_json(report)));
  } else if (output.profile == "-" && writes) {
    print_note(heal_text(report));
  } else {
    TRY(print_result(heal_text(report)));
  }
  if (!healing->pass()) print_tail(healing->trials.back().report.output);
  return healing->pass() && healing->not_healed.empty() ? 0 : 1;
}

}  // namespace

const Verb& heal_verb() {
  static const Verb verb = {
      .name = "heal",
      .summary = "add to a profile what its workload needs and it refuses, and prove it",
      .synopsis = "DIR [--allow CALL]... [--rounds N] [--dry-run] [-o PROFILE] [--json]",
      .description =
          "Runs the workload of DIR/workload.yaml under its profile in log mode, where nothing is "
          "refused, and adds the calls that would have been, with the narrowest rules that their "
          "arguments allow. It runs again until nothing is missing, and then in enforce mode. "
          "Only when that passes the profile is written, and what was seen goes into the "
          "workload's evidence.\n\n"
          "What the base refuses stays refused, and so do the calls of the list of dangerous ones "
          "(`whittle lint` shows them) and those of policy.deny: they are listed with the reason, "
          "and the exit status is 1. --allow CALL admits one, in the values that were seen; "
          "nothing admits what policy.deny names.\n\n"
          "It ends with each addition and its reason (exercise, thread, function), and with what "
          "changes between the profile before and after, over all calls and argument values. "
          "--dry-run writes nothing.\n\n"
          "Containers need root. Without it, natively, refused calls are seen by seccomp "
          "notification.",
      .examples = {"whittle heal deploy/web", "whittle heal deploy/web --dry-run",
                   "whittle heal deploy/web --allow unshare -o web.new.json"},
      .options = {{"--allow",
                   0,
                   "CALL",
                   "admit this call though it is dangerous or beyond the base",
                   {},
                   true},
                  {"--rounds", 0, "N", "add something at most this often (default: 5)"},
                  {"--dry-run", 0, "", "only say what would be added"},
                  {"--output", 'o', "FILE",
                   "write the profile there, and leave the workload's files as they are"},
                  {"--profile", 0, "P", "the profile to heal (default: the workload's)"},
                  {"--runtime",
                   0,
                   "RUNTIME",
                   "none, runc or crun (default: the workload's, or none)",
                   {"none", "runc", "crun"}},
                  {"--via",
                   0,
                   "WAY",
                   "how refusals are seen: auto, ebpf or notify (default: auto)",
                   {"auto", "ebpf", "notify"}},
                  {"--json", 0, "", "the report as JSON"}},
      .operand = "DIR",
      .least_operands = 1,
      .most_operands = 1,
      .run = run_heal,
  };
  return verb;
}

}  // namespace whittle::cli
