#include "cli/trial_input.h"

#include <utility>

#include "base/text.h"
#include "cli/load_profile.h"
#include "cli/load_workload.h"
#include "cli/output.h"

namespace whittle::cli {

Result<host::Workload> trial_workload(const std::string& verb, const Arguments& arguments,
                                      const std::string& path) {
  TRY_ASSIGN(host::Workload workload, load_workload(verb, path));
  if (const auto runtime = arguments.value("--runtime")) {
    const bool container = !workload.run.rootfs.empty() || !workload.run.bundle.empty();
    if (*runtime == "none" && container) {
      return input_error("--runtime none: this workload is a container", workload.path,
                         "runc or crun");
    }
    workload.run.runtime = *runtime == "none" ? "" : *runtime;
  }
  if (const auto profile = arguments.value("--profile")) workload.profile = *profile;
  return workload;
}

Result<trial::TrialSpec> trial_spec(const Arguments& arguments, host::Workload workload) {
  trial::TrialSpec spec{{}, profile::Profile({}), {}, {}, {}, {}, {}, {}, {}};
  auto loaded = load_document(workload.profile, default_setting());
  if (!loaded) {
    if (!workload.path.empty() && !arguments.value("--profile") && loaded.error().hint.empty()) {
      loaded.error().hint = "`whittle record` and `whittle generate` make it";
    }
    return tl::unexpected(std::move(loaded).error());
  }
  spec.profile = std::move(loaded->profile);
  spec.profile_json = std::move(loaded->document);
  if (arguments.value_or("--mode", "enforce") == "log") spec.mode = trial::Mode::kLog;
  if (const auto limit = arguments.value("--for")) {
    spec.time_limit = parse_duration(*limit);
    if (!spec.time_limit || *spec.time_limit <= 0) {
      return input_error("--for " + printable(*limit) + ": not a duration", {}, "write it as 30s");
    }
  }
  spec.via = trial::via_from_name(arguments.value_or("--via", "auto")).value_or(trial::Via::kAuto);
  spec.whole_evidence = arguments.value("--evidence").has_value();
  spec.keep_output = !workload.path.empty();
  spec.warn = [](const std::string& text) { print_warning(text); };
  spec.workload = std::move(workload);
  return spec;
}

}  // namespace whittle::cli
