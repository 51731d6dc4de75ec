#include "base/text.h"
#include "cli/load_profile.h"
#include "cli/output.h"
#include "cli/verbs_list.h"
#include "profile/baseline.h"

namespace whittle::cli {

namespace {

Result<int> list(bool as_json) {
  const std::vector<std::string> ids = profile::baseline_ids();
  if (as_json) {
    json::Value result;
    result.set("default", profile::default_baseline_id());
    result.set("baselines", json::Array(ids.begin(), ids.end()));
    TRY(print_json(result));
    return 0;
  }
  TRY(print_result(join(ids, "\n") + "\n"));
  return 0;
}

// The profile is JSON already: with --json it is the same.
Result<int> show(std::string id, const profile::Setting& setting) {
  constexpr std::string_view kPrefix = "baseline:";
  if (id.starts_with(kPrefix)) id.erase(0, kPrefix.size());
  TRY_ASSIGN(const profile::Profile profile, profile::baseline(id, setting));
  TRY(print_result(profile::write_oci(profile)));
  return 0;
}

Result<int> run_baseline(const Arguments& arguments) {
  const std::vector<std::string>& operands = arguments.operands();
  const std::string& what = operands.at(0);
  TRY_ASSIGN(const profile::Setting setting, setting_of(arguments));
  if (what == "list") {
    if (operands.size() == 1) return list(arguments.flag("--json"));
    return input_error(format("baseline list: unexpected argument \"{}\"", printable(operands[1])),
                       {}, "usage: whittle baseline list");
  }
  if (what == "show") {
    if (operands.size() == 2) return show(operands[1], setting);
    return input_error("baseline show: ID is missing", {},
                       format("write one that `whittle baseline list` prints, such as {}",
                              profile::default_baseline_id()));
  }
  return input_error(format("baseline: unknown argument \"{}\"", printable(what)), {},
                     "write `whittle baseline list` or `whittle baseline show ID`");
}

}  // namespace

const Verb& baseline_verb() {
  static const Verb verb = {
      .name = "baseline",
      .summary = "the default profiles of container runtimes, version by version",
      .synopsis = "list | show ID [--arch A] [--caps LIST] [--kernel V]",
      .description =
          "`baseline list` prints the id of every default profile that is known: of Docker, "
          "containerd, Podman and CRI-O. `baseline show ID` writes one to standard output as plain "
          "OCI JSON, as it holds for one container on one host: these profiles depend on the "
          "architecture, on the capabilities of the container and on the kernel.\n\n"
          "An ID is RUNTIME@VERSION. docker@29 and docker@29.4 are the newest known of those, "
          "docker is the newest of all. What is shown is for this machine and for a container with "
          "the capabilities that the runtime gives by default, unless --arch, --caps and --kernel "
          "say something else.\n\n"
          "Wherever a command takes a profile, baseline:ID does as well.",
      .examples = {"whittle baseline list",
                   "whittle baseline show docker@29.4.3 > docker.profile.json",
                   "whittle baseline show podman --caps docker,SYS_ADMIN --arch aarch64"},
      .options =
          {{"--arch", 0, "ARCH", "the architecture of the host: x86_64 or aarch64"},
           {"--caps", 0, "LIST",
            "the container's capabilities, as in CHOWN,KILL; docker: its default ones; none"},
           {"--kernel", 0, "VERSION", "the kernel of the host, as in 6.18"},
           {"--json", 0, "", "print the list as JSON"}},
      .operand = "list or show",
      .least_operands = 1,
      .most_operands = 2,
      .run = run_baseline,
  };
  return verb;
}

}  // namespace whittle::cli
