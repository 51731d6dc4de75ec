#include <algorithm>

#include "base/text.h"
#include "cli/doctor_clues.h"
#include "cli/doctor_report.h"
#include "cli/output.h"
#include "cli/verbs_list.h"

namespace whittle::cli {

namespace {

// Commands are told by their verb; of one that this build does not have nothing is said.
bool is_ours(const std::string& command) {
  const std::string verb = command.substr(0, command.find(' '));
  const auto& all = verbs();
  return std::any_of(all.begin(), all.end(), [&verb](const Verb& v) { return v.name == verb; });
}

Result<int> report_machine(bool as_json) {
  std::vector<deploy::MachineItem> items = deploy::look_at_machine();
  for (deploy::MachineItem& item : items) {
    std::erase_if(item.commands, [](const std::string& command) { return !is_ours(command); });
  }
  const auto commands = deploy::command_states(items);
  if (as_json) {
    TRY(print_json(machine_json(items, commands)));
  } else {
    TRY(print_result(machine_text(items, commands)));
  }
  using State = deploy::CommandState::State;
  const bool missing = std::any_of(commands.begin(), commands.end(), [](const auto& command) {
    return command.state == State::kMissing;
  });
  return missing ? 1 : 0;
}

bool asks_about_failure(const Arguments& arguments) {
  if (!arguments.operands().empty()) return true;
  const auto given = [&arguments](const char* option) { return !arguments.values(option).empty(); };
  return given("--container") || given("--evidence") || given("--audit") || given("--profile") ||
         given("--before") || given("--after");
}

Result<int> run_doctor(const Arguments& arguments) {
  if (!asks_about_failure(arguments)) return report_machine(arguments.flag("--json"));
  TRY_ASSIGN(const auto known, deploy::known_failures());
  TRY_ASSIGN(const Clues clues, gather_clues(arguments));
  const std::vector<Cause> causes = diagnose(clues, known);
  if (arguments.flag("--json")) {
    TRY(print_json(causes_json(causes, clues)));
  } else {
    TRY(print_result(causes_text(causes, clues)));
  }
  return causes.empty() ? 1 : 0;
}

}  // namespace

const Verb& doctor_verb() {
  static const Verb verb = {
      .name = "doctor",
      .summary = "say what this machine lacks, or why a container fails and what helps",
      .synopsis = "[TEXT | CONTAINER] [OPTION...] [--json]",
      .description =
          "Without an argument: what this machine has and lacks for each command of whittle, what "
          "each lack costs, and the fix.\n\n"
          "With TEXT, a file, - or the words themselves, it says which of the known failures it "
          "shows, what shows it, "
          "and what helps. TEXT is what is at hand: `kubectl describe pod`, a pod or events in "
          "JSON or YAML, a line of a kubelet's, containerd's, CRI-O's, runc's or crun's. Where it "
          "names a profile that this machine has, the file is looked at as well; where a file is "
          "missing, it is looked for.\n\n"
          "With the id or name of a container that runs, the recorder watches it for a moment "
          "(--for), since calls that are refused with an errno leave no audit record unless the "
          "filter has the LOG flag; then the audit log and the profile that it was started with "
          "are read. --evidence takes what was recorded before, --audit a log, --profile the "
          "profile.\n\n"
          "--before compares the runtime's default profile with one that was saved by `whittle "
          "baseline capture`, before an update: with that of now, or --after.\n\n"
          "Exit status: 0 when the cause is known (without an argument: when each command can do "
          "its work, if with less), 1 when not, 2 for bad input, 3 when the machine lacks "
          "something that the question needs.",
      .examples = {"whittle doctor", "kubectl describe pod web | whittle doctor -",
                   "kubectl get pod web -o json | whittle doctor - --json",
                   "whittle doctor 'runc run failed: requested action matches default action'",
                   "whittle doctor --container web --for 30s",
                   "whittle doctor error.txt --profile profiles/web.json --runtime crun",
                   "whittle doctor --before containerd@1.7.2.captured.json"},
      .options =
          {{"--container", 0, "ID", "a container that runs, by its id or name"},
           {"--for", 0, "TIME", "how long the recorder watches it (default: 5s; 0: not)"},
           {"--profile", 0, "FILE", "the profile that it has, or is to have"},
           {"--evidence", 0, "EVIDENCE", "what was recorded of it under its profile", {}, true},
           {"--audit", 0, "FILE", "a log with audit records", {}, true},
           {"--before", 0, "CAPTURE", "the runtime's default as it was once captured"},
           {"--after", 0, "CAPTURE", "the one of now (default: asked of the runtime)"},
           {"--root", 0, "DIR",
            "where the kubelet looks for profiles (default: /var/lib/kubelet/seccomp)"},
           {"--runtime",
            0,
            "RUNTIME",
            "whose way of loading a profile counts (default: runc)",
            {"runc", "crun"}},
           {"--json", 0, "", "print JSON"}},
      .operand = "TEXT",
      .least_operands = 0,
      .most_operands = 1,
      .run = run_doctor,
  };
  return verb;
}

}  // namespace whittle::cli
