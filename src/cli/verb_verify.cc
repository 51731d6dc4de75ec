#include <map>
#include <tuple>

#include "base/file_system.h"
#include "base/text.h"
#include "cli/load_profile.h"
#include "cli/output.h"
#include "cli/probe_report.h"
#include "cli/user.h"
#include "cli/verbs_list.h"
#include "evidence/evidence.h"
#include "trial/trial.h"

namespace whittle::cli {

namespace {

json::Value arguments_json(const std::array<std::uint64_t, 6>& args, bool hex) {
  json::Array values;
  for (const std::uint64_t arg : args) {
    values.push_back(hex ? json::Value(format("{:#x}", arg)) : json::Value(arg));
  }
  return values;
}

json::Value frame_json(const evidence::Frame& frame) {
  json::Value out;
  out.set("library", frame.object).set("build_id", frame.build_id);
  out.set("offset", frame.offset).set("symbol", frame.symbol);
  return out;
}

// Of the first occurrence; null what is not known.
void set_occurrence(const trial::Denial& denial, json::Value& item) {
  const trial::Occurrence& first = denial.first;
  const evidence::Frame* origin = trial::origin(denial);
  json::Array stack;
  for (const evidence::Frame& frame : first.stack) stack.push_back(frame_json(frame));
  item.set("text", trial::call_text(denial));
  item.set("thread", first.thread == 0 ? json::Value() : json::Value(first.thread));
  item.set("exe", first.executable.empty() ? json::Value() : json::Value(first.executable));
  item.set("time", first.time ? json::Value(*first.time) : json::Value());
  item.set("where", origin == nullptr ? json::Value() : frame_json(*origin));
  item.set("stack", std::move(stack));
}

json::Value denials_json(const std::vector<trial::Denial>& denials) {
  json::Array out;
  for (const trial::Denial& denial : denials) {
    json::Value item;
    item.set("arch", syscalls::arch_name(denial.arch));
    item.set("syscall", denial.syscall);
    item.set("nr", denial.nr);
    item.set("args", arguments_json(denial.args, false));
    item.set("hex", arguments_json(denial.args, true));
    item.set("action", profile::action_name(denial.verdict.action));
    item.set("data", static_cast<unsigned>(denial.verdict.data));
    item.set("comm", denial.comm);
    item.set("phase", denial.phase);
    item.set("count", denial.count);
    set_occurrence(denial, item);
    out.push_back(std::move(item));
  }
  return out;
}

json::Value undecided_json(const std::vector<trial::Undecided>& undecided) {
  json::Array out;
  for (const trial::Undecided& call : undecided) {
    json::Value item;
    item.set("arch", syscalls::arch_name(call.arch)).set("syscall", call.syscall);
    item.set("nr", call.nr).set("count", call.count).set("why", call.why);
    out.push_back(std::move(item));
  }
  return out;
}

struct Setup {
  trial::TrialSpec spec;
  bool probes = true;
};

json::Value report_json(const Setup& setup, const trial::TrialReport& report,
                        const std::optional<trial::ProbeReport>& probes) {
  json::Array exercises;
  for (const host::ExerciseResult& result : report.exercises) {
    json::Value exercise;
    exercise.set("name", result.name).set("ok", result.ok).set("detail", result.detail);
    exercises.push_back(std::move(exercise));
  }
  json::Value lost = json::Object();
  for (const auto& [kind, count] : report.run.lost) lost.set(kind, count);
  json::Value out;
  out.set("verdict", report.pass() ? "pass" : "fail");
  out.set("mode", setup.spec.mode == trial::Mode::kLog ? "log" : "enforce");
  const std::string& runtime = setup.spec.workload.run.runtime;
  out.set("runtime", runtime.empty() ? "none" : runtime);
  out.set("via", trial::via_name(report.via));
  out.set("exercises", std::move(exercises));
  out.set("denials", denials_json(report.denials));
  out.set("fallbacks", denials_json(report.fallbacks));
  out.set("undecided", undecided_json(report.undecided));
  out.set("probes", probes ? probe_json(*probes) : json::Value(json::Array()));
  out.set("complete", report.run.complete);
  out.set("lost", std::move(lost));
  out.set("timing", report.run.timing);
  return out;
}

std::string denial_line(const trial::Denial& denial) {
  const trial::Occurrence& first = denial.first;
  const std::string thread = first.thread == 0 ? "" : format(" ({})", first.thread);
  std::string text =
      format("  {} {}  {}  by {}{} in phase {}, {}\n", syscalls::arch_name(denial.arch),
             trial::call_text(denial), profile::verdict_text(denial.verdict),
             denial.comm.empty() ? "a task that is gone" : denial.comm, thread, denial.phase,
             plural(denial.count, "time"));
  std::vector<std::string> more;
  if (const evidence::Frame* origin = trial::origin(denial)) {
    more.push_back("from " + trial::frame_text(*origin));
    if (origin != &first.stack.front()) more.push_back("by " + trial::frame_text(first.stack[0]));
  }
  if (!first.executable.empty()) more.push_back("running " + first.executable);
  if (first.time) more.push_back(format("first after {:.3f} s", *first.time));
  if (!more.empty()) text += format("      {}\n", join(more, ", "));
  return text;
}

// By call: which arguments a fallback had says nothing.
std::string fallback_lines(const std::vector<trial::Denial>& fallbacks) {
  std::map<std::string, std::uint64_t> counts;
  for (const trial::Denial& denial : fallbacks) {
    counts[format("{} {} by {}", syscalls::arch_name(denial.arch), denial.syscall, denial.comm)] +=
        denial.count;
  }
  std::string text;
  for (const auto& [call, count] : counts) text += format("  {}: {}\n", call, count);
  return text;
}

std::string report_text(const Setup& setup, const trial::TrialReport& report,
                        const std::optional<trial::ProbeReport>& probes) {
  const std::string& runtime = setup.spec.workload.run.runtime;
  std::string text = format(
      "{}  {} mode, {}, via: {}\n", report.pass() ? good("PASS") : bad("FAIL"),
      setup.spec.mode == trial::Mode::kLog ? "log" : "enforce",
      runtime.empty() ? "without a container" : "in " + runtime, trial::via_name(report.via));
  for (const host::ExerciseResult& result : report.exercises) {
    text += format("{} {}: {}\n", result.ok ? "ok    " : bad("FAILED"), result.name,
                   printable(result.detail, 2000));
  }
  text += format("denials: {}\n", report.denials.size());
  for (const trial::Denial& denial : report.denials) text += denial_line(denial);
  if (!report.fallbacks.empty()) {
    text += "fallbacks (answered ENOSYS on purpose, the C library takes another way):\n";
    text += fallback_lines(report.fallbacks);
  }
  for (const trial::Undecided& call : report.undecided) {
    text += format("undecided: {} {}, {}: {}\n", syscalls::arch_name(call.arch), call.syscall,
                   plural(call.count, "time"), call.why);
  }
  if (probes) text += probe_summary(*probes);
  if (!report.run.complete) {
    text += "incomplete:";
    for (const auto& [kind, count] : report.run.lost) {
      if (count != 0) text += format(" {} lost of kind \"{}\"", count, kind);
    }
    text += "\n";
  }
  return text;
}

Result<Setup> read_setup(const Arguments& arguments) {
  Setup setup{{{}, profile::Profile({}), {}, {}, {}}, true};
  trial::TrialSpec& spec = setup.spec;
  host::WorkloadRun& run = spec.workload.run;
  run.command = arguments.command();
  const auto path = arguments.value("--profile");
  if (!path) return input_error("--profile is missing", {}, "give the profile to run under");
  TRY_ASSIGN(LoadedProfile loaded, load_document(*path, default_setting()));
  spec.profile = std::move(loaded.profile);
  spec.profile_json = std::move(loaded.document);
  if (arguments.value_or("--mode", "enforce") == "log") spec.mode = trial::Mode::kLog;
  spec.via = trial::via_from_name(arguments.value_or("--via", "auto")).value_or(trial::Via::kAuto);
  spec.whole_evidence = arguments.value("--evidence").has_value();
  const std::string runtime = arguments.value_or("--runtime", "none");
  if (runtime != "none") run.runtime = runtime;
  run.no_new_privileges = arguments.value_or("--no-new-privileges", "on") == "on";
  if (const auto text = arguments.value("--user")) {
    TRY_ASSIGN(const User user, read_user(*text));
    if (run.runtime.empty()) {
      return input_error("--user is for a container", {}, "add --runtime runc or --runtime crun");
    }
    std::tie(run.uid, run.gid) = user;
  }
  if (const auto limit = arguments.value("--for")) {
    spec.time_limit = parse_duration(*limit);
    if (!spec.time_limit || *spec.time_limit <= 0) {
      return input_error("--for " + printable(*limit) + ": not a duration", {}, "write it as 30s");
    }
  }
  setup.probes = spec.mode == trial::Mode::kEnforce && !arguments.flag("--no-probes");
  return setup;
}

Result<int> run_verify(const Arguments& arguments) {
  TRY_ASSIGN(const Setup setup, read_setup(arguments));
  const auto evidence_path = arguments.value("--evidence");
  if (evidence_path) TRY(check_writable(*evidence_path));
  TRY_ASSIGN(const trial::TrialReport report, trial::run_trial(setup.spec));
  std::optional<trial::ProbeReport> probes;
  if (setup.probes && !report.filters.empty()) {
    TRY_ASSIGN(const trial::ProbeSetting setting, trial::probe_setting(setup.spec.workload));
    TRY_ASSIGN(probes, trial::probe_profile(setup.spec.profile, setup.spec.profile_json, setting));
  }
  if (evidence_path) {
    evidence::Evidence evidence;
    const std::string& program = setup.spec.workload.run.command.at(0);
    evidence.workload = program.substr(program.rfind('/') + 1);
    evidence.runs.push_back(report.run);
    TRY(write_file(*evidence_path, evidence::write(evidence)));
  }
  if (arguments.flag("--json")) {
    TRY(print_json(report_json(setup, report, probes)));
  } else {
    TRY(print_result(report_text(setup, report, probes)));
  }
  return report.pass() ? 0 : 1;
}

}  // namespace

const Verb& verify_verb() {
  static const Verb verb = {
      .name = "verify",
      .summary = "run a command under a profile and say what the profile refused",
      .synopsis =
          "--profile P [--mode log|enforce] [--runtime none|runc|crun] [OPTION...] -- CMD...",
      .description =
          "Runs CMD under the profile until it ends, and says what the profile refused it. Drive "
          "the workload meanwhile as you did while it was recorded.\n\n"
          "--runtime runc or crun runs it in a container made from this machine's own "
          "directories, with its network and process ids, Docker's default capabilities and "
          "no_new_privileges; the profile reaches the runtime unmodified. --runtime none runs it "
          "without a container. Refused calls are seen where they return, with their arguments, "
          "and judged by the filter that is read back from the running process.\n\n"
          "In log mode nothing is refused but what the profile answers with ENOSYS on purpose; "
          "what the profile would have refused is listed. Under enforce the attack steps of "
          "`whittle probe` are tried in the same setting too.\n\n"
          "CMD's own output goes to standard error. Exit status: 0 pass, 1 a denial, a command "
          "that "
          "failed or an incomplete trial, 3 when the machine lacks something. Containers need "
          "root; without it refusals are seen by seccomp notification.",
      .examples =
          {"whittle verify --profile nginx.profile.json --runtime runc -- nginx -g 'daemon off;'",
           "whittle verify --profile app.profile.json --mode log -- ./run-all-tests",
           "whittle verify --profile app.profile.json --json -- ./app --self-test"},
      .options = {{"--profile", 0, "P", "a profile file, - for standard input, or baseline:ID"},
                  {"--mode", 0, "MODE", "enforce or log (default: enforce)", {"enforce", "log"}},
                  {"--runtime",
                   0,
                   "RUNTIME",
                   "none, runc or crun (default: none)",
                   {"none", "runc", "crun"}},
                  {"--via",
                   0,
                   "WAY",
                   "how refusals are seen: auto, ebpf, notify or ptrace (default: auto)",
                   {"auto", "ebpf", "notify", "ptrace"}},
                  {"--no-new-privileges", 0, "ON", "on or off (default: on)", {"on", "off"}},
                  {"--user", 0, "UID[:GID]", "run as this user in the container (default: 0:0)"},
                  {"--for", 0, "TIME", "stop CMD after this time, as in 30s"},
                  {"--no-probes", 0, "", "do not try the attack steps"},
                  {"--evidence", 0, "FILE", "write what was observed as evidence, too"},
                  {"--json", 0, "", "the report as JSON"}},
      .takes_command = true,
      .run = run_verify,
  };
  return verb;
}

}  // namespace whittle::cli
