#include <sys/stat.h>

#include <optional>

#include "base/text.h"
#include "cli/load_profile.h"
#include "cli/output.h"
#include "cli/probe_report.h"
#include "cli/user.h"
#include "cli/verbs_list.h"
#include "host/capabilities.h"
#include "host/kernel.h"
#include "host/workload.h"

namespace whittle::cli {

namespace {

// What is probed, and how.
struct Subject {
  std::optional<LoadedProfile> loaded;  // nullopt: without a filter
  trial::ProbeSetting setting;
};

bool is_workload(const std::string& p) {
  struct stat info = {};
  return p.ends_with(".yaml") || p.ends_with(".yml") ||
         (::stat(p.c_str(), &info) == 0 && S_ISDIR(info.st_mode));
}

Result<Subject> read_subject(const Arguments& arguments) {
  std::string p = arguments.operands().front();
  Subject subject;
  if (is_workload(p)) {
    TRY_ASSIGN(const host::Workload workload, host::read_workload(p));
    TRY_ASSIGN(subject.setting, trial::probe_setting(workload));
    p = workload.profile;
  }
  trial::ProbeSetting& setting = subject.setting;
  if (const auto runtime = arguments.value("--runtime")) setting.runtime = *runtime;
  if (const auto text = arguments.value("--user")) {
    TRY_ASSIGN(setting.user, read_user(*text));
  }
  if (const auto word = arguments.value("--no-new-privileges")) {
    setting.no_new_privileges = *word == "on";
  }
  TRY_ASSIGN(const profile::Setting reading, setting_of(arguments));
  if (reading.caps) setting.capabilities = host::capability_bits(*reading.caps);
  if (p == "none") return subject;
  TRY_ASSIGN(subject.loaded, load_document(p, reading));
  return subject;
}

json::Value setting_json(const trial::ProbeSetting& setting) {
  const std::uint64_t bits = trial::effective_capabilities(setting);
  json::Array names;
  for (std::size_t bit = 0; bit < host::kCapabilities.size(); ++bit) {
    if ((bits >> bit & 1U) != 0) names.emplace_back(host::kCapabilities.at(bit));
  }
  json::Value out;
  out.set("runtime", setting.runtime).set("no_new_privileges", setting.no_new_privileges);
  if (setting.user) out.set("uid", setting.user->first).set("gid", setting.user->second);
  out.set("capabilities", std::move(names));
  return out;
}

Result<int> run_probe(const Arguments& arguments) {
  TRY_ASSIGN(const Subject subject, read_subject(arguments));
  if (subject.setting.runtime == "none" && host::under_seccomp_filter()) {
    print_warning(
        "whittle runs under a seccomp filter itself: what that refuses is put down to the kernel");
  }
  const auto probe = [&subject]() {
    return subject.loaded ? trial::probe_profile(subject.loaded->profile, subject.loaded->document,
                                                 subject.setting)
                          : trial::probe_without_filter(subject.setting);
  };
  TRY_ASSIGN(const trial::ProbeReport report, probe());
  if (arguments.flag("--json")) {
    json::Value out;
    out.set("probes", probe_json(report));
    out.set("blocked", report.blocked()).set("total", report.probes.size());
    out.set("setting", setting_json(subject.setting)).set("marker", report.marker);
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
      .synopsis = "P|DIR|none [--runtime none|runc|crun] [--user UID[:GID]] [--caps LIST] [--json]",
      .description =
          "Runs a small program under the profile that tries the steps of known attacks: "
          "namespaces, mounts, ptrace, kernel modules, BPF, io_uring, rare socket families, "
          "32-bit and x32 calls and so on. Every step is tried with arguments that change "
          "nothing, for root too. docs/probes.md lists them with their sources.\n\n"
          "A step is blocked when the filter refuses all its calls. What the filter lets through "
          "is reported by what else stands in the way: a capability that is missing, the "
          "kernel's configuration, or nothing (open). Which it was is not guessed from the "
          "errno: the filter is asked about the arguments, and the steps are tried a second time "
          "with every errno of the filter replaced by one that the kernel never returns.\n\n"
          "DIR has a workload.yaml: its profile, runtime, user and the capabilities of its "
          "bundle are taken; options come before them. \"none\" probes without a filter, which "
          "tells what is left to the filter on this machine.\n\n"
          "--runtime none runs the program without a container and needs no privilege, unless "
          "with --user or --caps; runc or crun runs it in a container with Docker's default "
          "capabilities, or those of --caps, and needs root.\n\n"
          "Exit status: 0 when all steps are blocked, 1 when one is open, 2 when the profile does "
          "not let a program start and write, 3 when the machine lacks something.",
      .examples = {"whittle probe nginx.profile.json",
                   "whittle probe baseline:docker --runtime runc --user 65534",
                   "whittle probe none --caps docker",
                   "whittle probe ./nginx --json   # with ./nginx/workload.yaml"},
      .options = {{"--runtime",
                   0,
                   "RUNTIME",
                   "none, runc or crun (default: none)",
                   {"none", "runc", "crun"}},
                  {"--user", 0, "UID[:GID]", "run as this user (default: root in a container)"},
                  {"--caps", 0, "LIST",
                   "the capabilities, as in docker,CAP_SYS_ADMIN or none; P is read for them too"},
                  {"--no-new-privileges", 0, "ON", "on or off (default: on)", {"on", "off"}},
                  {"--json", 0, "", "the report as JSON"}},
      .operand = "P",
      .least_operands = 1,
      .most_operands = 1,
      .run = run_probe,
  };
  return verb;
}

}  // namespace whittle::cli
