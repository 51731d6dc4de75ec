#include "base/text.h"
#include "cli/load_profile.h"
#include "cli/output.h"
#include "cli/probe_report.h"
#include "cli/verbs_list.h"

namespace whittle::cli {

namespace {

Result<int> run_probe(const Arguments& arguments) {
  const std::string& path = arguments.operands().front();
  TRY_ASSIGN(const LoadedProfile loaded, load_document(path, default_setting()));
  TRY_ASSIGN(const trial::ProbeReport report,
             trial::probe_profile(loaded.profile, loaded.document,
                                  arguments.value_or("--runtime", "none")));
  if (arguments.flag("--json")) {
    json::Value out;
    out.set("probes", probe_json(report));
    out.set("blocked", report.blocked()).set("total", report.probes.size());
    TRY(print_json(out));
  } else {
    TRY(print_result(probe_table(report)));
  }
  return report.blocked() == report.probes.size() ? 0 : 1;
}

}  // namespace

const Verb& probe_verb() {
  static const Verb verb = {
      .name = "probe",
      .summary = "try the known attack steps from inside, under a profile",
      .synopsis = "P [--runtime none|runc|crun] [--json]",
      .description =
          "Runs a small program under the profile that tries 24 attack steps: namespaces, mounts, "
          "ptrace, kernel modules, BPF, io_uring, rare socket families, 32-bit and x32 calls and "
          "so on. Every step is tried with arguments that change nothing, for root too.\n\n"
          "A step is blocked when the filter refuses all its calls. What the kernel refuses, for "
          "a capability that is missing or for bad arguments, was reached: the kernel's code ran, "
          "and the step is open. The filter itself is asked which of the two it was.\n\n"
          "--runtime none runs the program without a container and needs no privilege; runc or "
          "crun runs it in a container with Docker's default capabilities and needs root.\n\n"
          "Exit status: 0 when all steps are blocked, 1 when one is open, 2 when the profile does "
          "not let a program start and write, 3 when the machine lacks something.",
      .examples = {"whittle probe nginx.profile.json",
                   "whittle probe baseline:docker --runtime runc",
                   "whittle probe nginx.profile.json --json"},
      .options = {{"--runtime",
                   0,
                   "RUNTIME",
                   "none, runc or crun (default: none)",
                   {"none", "runc", "crun"}},
                  {"--json", 0, "", "the report as JSON"}},
      .operand = "P",
      .least_operands = 1,
      .most_operands = 1,
      .run = run_probe,
  };
  return verb;
}

}  // namespace whittle::cli
