#include <algorithm>

#include "base/text.h"
#include "cli/load_profile.h"
#include "cli/output.h"
#include "cli/verb_baseline_capture.h"
#include "cli/verbs_list.h"
#include "profile/baseline.h"

namespace whittle::cli {

namespace {

using profile::BaselineChange;

constexpr std::string_view kPrefix = "baseline:";

std::string without_prefix(std::string id) {
  if (id.starts_with(kPrefix)) id.erase(0, kPrefix.size());
  return id;
}

json::Value names_json(const std::vector<std::string>& names) {
  return json::Array(names.begin(), names.end());
}

json::Value to_json(const BaselineChange& change) {
  json::Value value;
  value.set("id", change.id).set("last", change.last);
  value.set("after", change.after.empty() ? json::Value() : json::Value(change.after));
  value.set("added", names_json(change.added)).set("dropped", names_json(change.dropped));
  value.set("changed", names_json(change.changed));
  if (change.default_verdict) {
    value.set("default", profile::verdict_text(*change.default_verdict));
  }
  return value;
}

std::string version_of(const std::string& id) { return id.substr(id.find('@') + 1); }

void add_names(std::string& line, char sign, const std::vector<std::string>& names) {
  for (const std::string& name : names) line += format(" {}{}", sign, name);
}

// "  docker@25.0.0 to 25.0.2  -io_uring_enter -io_uring_register -io_uring_setup"
std::string to_text(const BaselineChange& change) {
  std::string line = "  " + change.id;
  if (change.last != change.id) line += " to " + version_of(change.last);
  line += change.after.empty() ? "  the first known" : " ";
  add_names(line, '+', change.added);
  add_names(line, '-', change.dropped);
  add_names(line, '~', change.changed);
  if (change.default_verdict) {
    line += " default " + profile::verdict_text(*change.default_verdict);
  }
  return line + "\n";
}

Result<std::vector<std::string>> asked_runtimes(const std::vector<std::string>& operands) {
  std::vector<std::string> names = profile::baseline_runtime_names();
  if (operands.size() == 1) return names;
  if (std::find(names.begin(), names.end(), operands[1]) != names.end()) {
    return std::vector<std::string>{operands[1]};
  }
  return input_error(format("baseline list: no baselines of \"{}\" are known, unexpected argument",
                            printable(operands[1])),
                     {}, format("known are {}", join(names, ", ")));
}

Result<int> list(const Arguments& arguments) {
  TRY_ASSIGN(const std::vector<std::string> runtimes, asked_runtimes(arguments.operands()));
  std::vector<std::string> ids = profile::baseline_ids();
  std::erase_if(ids, [&runtimes](const std::string& id) {
    return std::find(runtimes.begin(), runtimes.end(), id.substr(0, id.find('@'))) ==
           runtimes.end();
  });
  if (arguments.flag("--json")) {
    json::Array changes;
    for (const std::string& runtime : runtimes) {
      for (const BaselineChange& change : profile::baseline_changes(runtime)) {
        changes.push_back(to_json(change));
      }
    }
    json::Value result;
    result.set("default", profile::default_baseline_id());
    result.set("baselines", names_json(ids));
    result.set("changes", std::move(changes));
    TRY(print_json(result));
    return 0;
  }
  if (arguments.flag("--all")) {
    TRY(print_result(join(ids, "\n") + "\n"));
    return 0;
  }
  std::string text;
  for (const std::string& runtime : runtimes) {
    text += bold(runtime) + "\n";
    for (const BaselineChange& change : profile::baseline_changes(runtime)) text += to_text(change);
  }
  TRY(print_result(text));
  return 0;
}

json::Value setting_json(const std::string& runtime, const profile::Setting& setting) {
  const auto caps = setting.caps ? *setting.caps : profile::baseline_default_caps(runtime);
  json::Value value;
  value.set("arch", syscalls::arch_name(setting.arch));
  value.set("caps", json::Array(caps.begin(), caps.end()));
  value.set("kernel", format("{}.{}", setting.kernel.major, setting.kernel.minor));
  return value;
}

Result<int> show(const Arguments& arguments, const profile::Setting& setting) {
  TRY_ASSIGN(const profile::ResolvedBaseline resolved,
             profile::resolve_baseline(without_prefix(arguments.operands().at(1)), setting));
  const std::string document = profile::write_oci(resolved.profile);
  if (resolved.since != resolved.id) {
    print_note(format("{}: unchanged since {}", resolved.id, resolved.since));
  }
  if (!arguments.flag("--json")) {
    TRY(print_result(document));
    return 0;
  }
  TRY_ASSIGN(json::Value profile, json::parse(document, resolved.id));
  json::Value value;
  value.set("id", resolved.id).set("since", resolved.since);
  value.set("setting", setting_json(resolved.id.substr(0, resolved.id.find('@')), setting));
  value.set("profile", std::move(profile));
  TRY(print_json(value));
  return 0;
}

Result<int> run_baseline(const Arguments& arguments) {
  const std::vector<std::string>& operands = arguments.operands();
  const std::string& what = operands.at(0);
  if (what == "list") return list(arguments);
  if (what == "capture") return capture_baseline(arguments);
  if (what == "show") {
    TRY_ASSIGN(const profile::Setting setting, setting_of(arguments));
    if (operands.size() == 2) return show(arguments, setting);
    return input_error("baseline show: ID is missing", {},
                       format("write one that `whittle baseline list` prints, such as {}",
                              profile::default_baseline_id()));
  }
  return input_error(
      format("baseline: unknown argument \"{}\"", printable(what)), {},
      "write `whittle baseline list`, `whittle baseline show ID` or `whittle baseline "
      "capture`; to compare two, "
      "`whittle diff baseline:ID baseline:ID`");
}

}  // namespace

const Verb& baseline_verb() {
  static const Verb verb = {
      .name = "baseline",
      .summary = "the default profiles of container runtimes, version by version",
      .synopsis =
          "list [RUNTIME] [--all] | show ID [--arch A] [--caps LIST] [--kernel V] | "
          "capture [--runtime NAME] [-o FILE]",
      .description =
          "`baseline list` prints the releases of Docker, containerd, Podman and CRI-O that "
          "changed "
          "the default profile, and how: +call is allowed from then on, -call no longer, ~call by "
          "other rules, each in some setting. With --all it prints the id of every release that is "
          "known. `baseline show ID` writes one to standard output as plain "
          "OCI JSON, as it holds for one container on one host: these profiles depend on the "
          "architecture, on the capabilities of the container and on the kernel.\n\n"
          "An ID is RUNTIME@VERSION. docker@29 and docker@29.4 are the newest known of those, "
          "docker is the newest of all. What is shown is for this machine and for a container with "
          "the capabilities that the runtime gives by default, unless --arch, --caps and --kernel "
          "say something else. Most releases change nothing: then a note names the one that did "
          "last. "
          "What a release brings that is newer than the known ones is not guessed.\n\n"
          "`baseline capture` starts a container with the runtime that is installed here, without "
          "a "
          "profile, reads the filter back that it runs under, says which known default that is or "
          "how it differs, and writes it to FILE, so that it can be told later that an upgrade "
          "changed it. No image is needed. Docker and containerd are asked through `docker` and "
          "`ctr`: DOCKER_HOST and CONTAINERD_ADDRESS count. With --container a container that runs "
          "already is read instead, as for CRI-O. Reading a filter needs CAP_SYS_ADMIN. The exit "
          "status is 0 when it is the known default of its own version, and 1 when not.\n\n"
          "Wherever a command takes a profile, baseline:ID does as well: "
          "`whittle diff baseline:A baseline:B` compares two exactly.",
      .examples = {"whittle baseline list docker",
                   "whittle baseline show docker@29.4.3 > docker.profile.json",
                   "whittle baseline show podman --caps docker,SYS_ADMIN --arch aarch64",
                   "whittle baseline capture --runtime podman"},
      .options =
          {{"--arch", 0, "ARCH", "the architecture of the host: x86_64 or aarch64"},
           {"--caps", 0, "LIST",
            "the container's capabilities, as in CHOWN,KILL; docker: its default ones; none"},
           {"--kernel", 0, "VERSION", "the kernel of the host, as in 6.18"},
           {"--all", 0, "", "list every known release, one id a line"},
           {"--runtime",
            0,
            "NAME",
            "whose default to capture; the only one installed when not given",
            {"podman", "docker", "containerd", "cri-o"}},
           {"--container", 0, "ID", "capture the filter of this running container"},
           {"--version", 0, "VERSION", "with --container: the version of its manager"},
           {"--output", 'o', "FILE",
            "where to write what was captured (RUNTIME@VERSION.captured.json)"},
           {"--json", 0, "",
            "print JSON: the list with its changes, or the profile in its setting"}},
      .operand = "list, show or capture",
      .least_operands = 1,
      .most_operands = 2,
      .run = run_baseline,
  };
  return verb;
}

}  // namespace whittle::cli
