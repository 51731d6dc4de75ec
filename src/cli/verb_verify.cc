#include <optional>
#include <tuple>
#include <utility>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/text.h"
#include "cli/budget.h"
#include "cli/keep_trial.h"
#include "cli/output.h"
#include "cli/trial_input.h"
#include "cli/trial_report.h"
#include "cli/user.h"
#include "cli/verbs_list.h"
#include "evidence/evidence.h"
#include "record/signals.h"
#include "trial/probe.h"
#include "trial/trial.h"

namespace whittle::cli {

namespace {

// The workload that a command line describes.
Result<host::Workload> workload_of_command(const Arguments& arguments) {
  host::Workload workload;
  workload.run.command = arguments.command();
  const std::string& program = workload.run.command.at(0);
  workload.name = program.substr(program.rfind('/') + 1);
  const std::string runtime = arguments.value_or("--runtime", "none");
  if (runtime != "none") workload.run.runtime = runtime;
  workload.run.no_new_privileges = arguments.value_or("--no-new-privileges", "on") == "on";
  if (const auto text = arguments.value("--user")) {
    TRY_ASSIGN(const User user, read_user(*text));
    if (workload.run.runtime.empty()) {
      return input_error("--user is for a container", {}, "add --runtime runc or --runtime crun");
    }
    std::tie(workload.run.uid, workload.run.gid) = user;
  }
  const auto profile = arguments.value("--profile");
  if (!profile) return input_error("--profile is missing", {}, "give the profile to run under");
  workload.profile = *profile;
  return workload;
}

Result<std::vector<host::Workload>> read_workloads(const Arguments& arguments) {
  const std::vector<std::string>& operands = arguments.operands();
  std::vector<host::Workload> workloads;
  if (operands.empty()) {
    if (arguments.command().empty()) {
      return input_error("nothing to run is given", {},
                         "a directory with a workload.yaml, or --profile P and a command after --");
    }
    TRY_ASSIGN(host::Workload workload, workload_of_command(arguments));
    workloads.push_back(std::move(workload));
    return workloads;
  }
  if (!arguments.command().empty()) {
    return input_error("a command and a workload were given", {}, "verify one, or the other");
  }
  for (const char* option : {"--user", "--no-new-privileges"}) {
    if (arguments.value(option)) {
      return input_error(format("{} does not go with a workload", option), {},
                         "its workload.yaml says it");
    }
  }
  for (const char* option : {"--profile", "--evidence"}) {
    if (arguments.value(option) && operands.size() > 1) {
      return input_error(format("{} does not go with several workloads", option));
    }
  }
  for (const std::string& path : operands) {
    TRY_ASSIGN(host::Workload workload, trial_workload("verify --profile P", arguments, path));
    workloads.push_back(std::move(workload));
  }
  return workloads;
}

// What is to be tried, and what was found before it is.
struct Planned {
  trial::TrialSpec spec;
  std::optional<host::Budget> budget;
  std::optional<BudgetReport> report;
};

// Of --budget, else the workload's own; --against wins over what it says.
Result<std::optional<host::Budget>> budget_of(const Arguments& arguments,
                                              const host::Workload& workload) {
  std::optional<host::Budget> budget = workload.budget;
  if (const auto path = arguments.value("--budget")) {
    TRY_ASSIGN(budget, host::read_budget(*path));
  }
  if (const auto against = arguments.value("--against")) {
    if (!budget) budget.emplace();
    if (!budget->against.empty()) budget->directory.clear();
    budget->against = *against;
  }
  return budget;
}

Result<Planned> plan(const Arguments& arguments, host::Workload workload) {
  TRY_ASSIGN(std::optional<host::Budget> budget, budget_of(arguments, workload));
  TRY_ASSIGN(trial::TrialSpec spec, trial_spec(arguments, std::move(workload)));
  Planned planned{std::move(spec), std::move(budget), {}};
  if (planned.budget) {
    TRY_ASSIGN(planned.report, check_budget(planned.spec.workload, *planned.budget,
                                            {planned.spec.profile, planned.spec.profile_json}));
  }
  return planned;
}

Result<TrialOutcome> try_out(const Arguments& arguments, Planned planned) {
  trial::TrialSpec& spec = planned.spec;
  const double start = monotonic_seconds();
  TRY_ASSIGN(trial::TrialReport report, trial::run_trial(spec));
  std::optional<trial::ProbeReport> probes;
  if (spec.mode == trial::Mode::kEnforce && !arguments.flag("--no-probes") &&
      !report.filters.empty()) {
    TRY_ASSIGN(const trial::ProbeSetting setting, trial::probe_setting(spec.workload));
    TRY_ASSIGN(probes, trial::probe_profile(spec.profile, spec.profile_json, setting));
  }
  if (planned.report) {
    add_denials(report.denials, spec.workload, *planned.budget, *planned.report);
  }
  return TrialOutcome{std::move(spec), std::move(report), std::move(probes),
                      std::move(planned.report), monotonic_seconds() - start};
}

Result<void> write_evidence_of(const TrialOutcome& outcome, const std::string& path) {
  evidence::Evidence evidence;
  evidence.workload = outcome.spec.workload.name;
  evidence.runs.push_back(outcome.report.run);
  return write_file(path, evidence::write(evidence));
}

Result<void> write_reports(const Arguments& arguments, const std::vector<TrialOutcome>& outcomes) {
  if (const auto path = arguments.value("--evidence")) {
    TRY(write_evidence_of(outcomes.front(), *path));
  }
  if (const auto path = arguments.value("--junit")) TRY(write_file(*path, junit_xml(outcomes)));
  if (const auto path = arguments.value("--markdown")) {
    TRY(write_file(*path, trial_markdown(outcomes)));
  }
  if (const auto path = arguments.value("--sarif")) {
    TRY(write_file(*path, json::dump(trial_sarif(outcomes)) + "\n"));
  }
  if (arguments.flag("--json")) return print_json(trial_json(outcomes));
  if (outcomes.size() < 2) return {};
  std::size_t passed = 0;
  for (const TrialOutcome& outcome : outcomes) passed += outcome.pass() ? 1 : 0;
  return print_result(format("{} of {} pass\n", passed, plural(outcomes.size(), "workload")));
}

// The record beside the profile: no part of the verdict.
void keep(const Arguments& arguments, const TrialOutcome& outcome) {
  if (outcome.spec.workload.path.empty() || arguments.flag("--no-record")) return;
  const auto kept = keep_trial(outcome.spec, outcome.report, arguments.value_or("--evidence", ""));
  if (!kept) print_warning("the trial is not recorded: " + kept.error().text());
}

Result<int> run_verify(const Arguments& arguments) {
  for (const char* option : {"--evidence", "--junit", "--markdown", "--sarif"}) {
    if (const auto path = arguments.value(option)) TRY(check_writable(*path));
  }
  TRY_ASSIGN(std::vector<host::Workload> workloads, read_workloads(arguments));
  // All of them first: a mistake in the last one is not to be found after an hour.
  std::vector<Planned> plans;
  for (host::Workload& workload : workloads) {
    TRY_ASSIGN(Planned planned, plan(arguments, std::move(workload)));
    plans.push_back(std::move(planned));
  }
  const record::SignalCatcher signals;
  std::vector<TrialOutcome> outcomes;
  for (Planned& planned : plans) {
    if (plans.size() > 1) show_progress("verify " + planned.spec.workload.name);
    auto outcome = try_out(arguments, std::move(planned));
    end_progress();
    if (!outcome) return tl::unexpected(std::move(outcome).error());
    if (!arguments.flag("--json")) TRY(print_result(trial_text(*outcome)));
    if (!outcome->report.pass()) print_tail(outcome->report.output);
    keep(arguments, *outcome);
    outcomes.push_back(*std::move(outcome));
    if (record::SignalCatcher::caught() > 0 && outcomes.size() < plans.size()) {
      print_warning("interrupted: the other workloads were not tried");
      TRY(write_reports(arguments, outcomes));
      return 1;
    }
  }
  TRY(write_reports(arguments, outcomes));
  return all_pass(outcomes) ? 0 : 1;
}

}  // namespace

const Verb& verify_verb() {
  static const Verb verb = {
      .name = "verify",
      .summary = "run workloads under their profiles and say what was refused",
      .synopsis =
          "(DIR... | --profile P -- CMD...) [--mode log|enforce] [--runtime none|runc|crun] "
          "[--budget FILE] [OPTION...]",
      .description =
          "Starts the workload of DIR/workload.yaml under its profile, waits until it is ready, "
          "runs its exercises, stops it, and says what the profile refused it. It passes when "
          "every exercise holds, nothing was refused, nothing is undecided, and nothing was lost. "
          "Several workloads give one report. A workload's trial that passes is kept in "
          "NAME.trial.json beside its profile, for `install` and `promote`.\n\n"
          "With --profile, CMD is run until it ends: drive it meanwhile as you did while it was "
          "recorded.\n\n"
          "--runtime runc or crun runs it in a container made from this machine's own "
          "directories, with its network and process ids, Docker's default capabilities and "
          "no_new_privileges; the profile reaches the runtime unmodified. --runtime none runs it "
          "without a container. Refused calls are seen where they return, with their arguments, "
          "and judged by the filter that is read back from the running process.\n\n"
          "A budget (--budget, or `budget` in workload.yaml) fails a change that makes the profile "
          "looser than another one or than it was at a commit, leaves calls in it that no "
          "recording has used for long, blocks fewer exploits or allows more calls than it says, "
          "or needs calls outside the profile. Each finding has the file and line of its "
          "cause.\n\n"
          "In log mode nothing is refused but what the profile answers with ENOSYS on purpose; "
          "what the profile would have refused is listed. Under enforce the attack steps of "
          "`whittle probe` are tried in the same setting too.\n\n"
          "CMD's own output goes to standard error, that of a workload is shown when it fails. "
          "Exit status: 0 pass, 1 a denial, a command that failed, an incomplete trial or a budget "
          "that is not kept, 3 when the machine lacks something. Containers need "
          "root; without it refusals are seen by seccomp notification.",
      .examples =
          {"whittle verify deploy/web",
           "whittle verify deploy/* --junit report.xml --markdown summary.md",
           "whittle verify deploy/web --budget budget.yaml --against git:origin/main",
           "whittle verify --profile nginx.profile.json --runtime runc -- nginx -g 'daemon off;'",
           "whittle verify --profile app.profile.json --mode log -- ./run-all-tests",
           "whittle verify --profile app.profile.json --json -- ./app --self-test"},
      .options =
          {{"--profile", 0, "P",
            "a profile file, - for standard input, or baseline:ID (default: the workload's)"},
           {"--mode", 0, "MODE", "enforce or log (default: enforce)", {"enforce", "log"}},
           {"--runtime",
            0,
            "RUNTIME",
            "none, runc or crun (default: the workload's, or none)",
            {"none", "runc", "crun"}},
           {"--via",
            0,
            "WAY",
            "how refusals are seen: auto, ebpf, notify, ptrace or audit (default: auto)",
            {"auto", "ebpf", "notify", "ptrace", "audit"}},
           {"--no-new-privileges", 0, "ON", "on or off (default: on)", {"on", "off"}},
           {"--user", 0, "UID[:GID]", "run as this user in the container (default: 0:0)"},
           {"--for", 0, "TIME", "stop CMD after this time, as in 30s"},
           {"--no-probes", 0, "", "do not try the attack steps"},
           {"--budget", 0, "FILE", "fail what is not within this budget (default: the workload's)"},
           {"--against", 0, "P", "fail a profile looser than P, or git:REF for itself there"},
           {"--evidence", 0, "FILE", "write what was observed as evidence, too"},
           {"--no-record", 0, "", "do not write the record of trials beside the profile"},
           {"--junit", 0, "FILE", "write a report as JUnit XML"},
           {"--markdown", 0, "FILE", "write a summary in Markdown"},
           {"--sarif", 0, "FILE", "write what is wrong as SARIF"},
           {"--json", 0, "", "the report as JSON"}},
      .operand = "DIR",
      .most_operands = SIZE_MAX,
      .takes_command = true,
      .command_optional = true,
      .run = run_verify,
  };
  return verb;
}

}  // namespace whittle::cli
