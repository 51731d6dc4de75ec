#include "cli/verb_baseline_capture.h"

#include <algorithm>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/text.h"
#include "cli/captured_default.h"
#include "cli/output.h"
#include "filter/change_text.h"
#include "filter/read_back.h"
#include "host/containers.h"
#include "host/default_container.h"
#include "host/kernel.h"

namespace whittle::cli {

namespace {

using host::Manager;

constexpr std::size_t kMostChangesShown = 20;

Result<CapturedDefault> capture(pid_t pid) {
  CapturedDefault captured;
  captured.captured = utc_timestamp();
  captured.kernel = host::kernel_facts().release;
  captured.arch = syscalls::native_of(syscalls::host_arch());
  TRY_ASSIGN(captured.caps, host::bounding_caps(pid));
  TRY_ASSIGN(captured.filters, filter::read_back(pid));
  return captured;
}

Result<Manager> asked_manager(const Arguments& arguments) {
  const std::vector<Manager> installed = host::installed_managers();
  std::vector<std::string> names;
  for (const Manager manager : installed) names.emplace_back(host::manager_name(manager));
  if (const auto name = arguments.value("--runtime")) {
    if (const auto manager = host::manager_from_name(*name)) return *manager;
    return input_error(format("--runtime {}: whittle starts no container with it", *name), {},
                       "start one that asks for no profile, and name it with --container");
  }
  if (names.size() == 1) return installed.front();
  if (names.empty()) {
    return environment_error("none of podman, docker and ctr (containerd) is installed", {},
                             "name a running container with --container");
  }
  return input_error(format("{} are installed", join(names, ", ")), {},
                     format("say which one with --runtime, as in --runtime {}", names.front()));
}

Result<CapturedDefault> from_new_container(const Arguments& arguments) {
  TRY_ASSIGN(const Manager manager, asked_manager(arguments));
  show_progress(format("starting a container with {}", host::manager_name(manager)));
  TRY_ASSIGN(const host::DefaultContainer container, host::DefaultContainer::start(manager));
  TRY_ASSIGN(CapturedDefault captured, capture(container.pid()));
  captured.runtime = host::manager_name(manager);
  captured.version = container.version();
  captured.oci_runtime = container.oci_runtime();
  end_progress();
  return captured;
}

Result<CapturedDefault> from_running_container(const Arguments& arguments, const std::string& id) {
  TRY_ASSIGN(const host::Cgroups cgroups, host::Cgroups::of_host());
  const auto all = host::containers(cgroups);
  TRY_ASSIGN(const host::Container container, host::find_container(all, id));
  const std::string runtime = arguments.value_or("--runtime", container.manager);
  if (runtime.empty()) {
    return input_error("no container manager is known to have started it", printable(id),
                       "say which one with --runtime");
  }
  TRY_ASSIGN(CapturedDefault captured, capture(container.pid));
  captured.runtime = runtime;
  captured.version = arguments.value_or("--version", "");
  captured.oci_runtime = container.runtime;
  return captured;
}

json::Value changes_json(const filter::Comparison& comparison) {
  json::Array changes;
  for (const filter::Change& change : comparison.changes) {
    json::Value item;
    item.set("arch", syscalls::arch_name(change.arch));
    item.set("subject", filter::subject_text(change));
    item.set("direction", filter::direction_name(change.direction));
    item.set("text", filter::headline(change));
    changes.push_back(std::move(item));
  }
  return changes;
}

json::Value or_null(const std::string& text) {
  return text.empty() ? json::Value() : json::Value(text);
}

json::Value to_json(const Recognised& recognised) {
  json::Value value;
  value.set("equals", or_null(recognised.equals)).set("since", or_null(recognised.since));
  value.set("own_version", recognised.own);
  value.set("compared_with", or_null(recognised.own ? std::string() : recognised.nearest));
  value.set("changes",
            recognised.own ? json::Value(json::Array()) : changes_json(recognised.difference));
  return value;
}

std::string named(const CapturedDefault& captured) {
  return captured.runtime + (captured.version.empty() ? "" : "@" + captured.version);
}

std::string differences_text(const Recognised& recognised) {
  std::string text;
  const auto& changes = recognised.difference.changes;
  for (std::size_t i = 0; i < std::min(changes.size(), kMostChangesShown); ++i) {
    text += format("    {} ({}): {}\n", filter::subject_text(changes[i]),
                   syscalls::arch_name(changes[i].arch), filter::headline(changes[i]));
  }
  if (changes.size() > kMostChangesShown) {
    text += format("    and {} more changes\n", changes.size() - kMostChangesShown);
  }
  if (!recognised.difference.undecided.empty()) text += "    and calls that can't be compared\n";
  return text;
}

std::string to_text(const CapturedDefault& captured, const Recognised& recognised) {
  std::string text = bold(named(captured)) + "\n";
  text += format(
      "  a container with {}, started by {}: {} instructions\n",
      captured.caps.size() == 1 ? "1 capability" : format("{} capabilities", captured.caps.size()),
      captured.oci_runtime, captured.filters.front().size());
  if (recognised.own) {
    text += format("  {} the default of {}", good("equal"), recognised.equals);
    if (recognised.since != recognised.equals)
      text += format(", unchanged since {}", recognised.since);
    return text + "\n";
  }
  if (!recognised.equals.empty()) {
    text += format("  {} the default of {}", bold("equal"), recognised.equals);
    if (recognised.since != recognised.equals) text += format(" (since {})", recognised.since);
    text += "\n";
  }
  if (recognised.nearest.empty()) return text;
  text += format("  {} from {}:\n", bad("differs"), recognised.nearest);
  return text + differences_text(recognised);
}

}  // namespace

Result<int> capture_baseline(const Arguments& arguments) {
  if (arguments.operands().size() != 1) {
    return input_error(
        format("baseline capture: unexpected argument \"{}\"", printable(arguments.operands()[1])),
        {}, "usage: whittle baseline capture [--runtime NAME] [-o FILE]");
  }
  const auto output = arguments.value("--output");
  if (output && *output != "-") TRY(check_writable(*output));
  const auto id = arguments.value("--container");
  TRY_ASSIGN(const CapturedDefault captured,
             id ? from_running_container(arguments, *id) : from_new_container(arguments));
  TRY_ASSIGN(const Recognised recognised, recognise(captured));
  const std::string path = output.value_or(named(captured) + ".captured.json");
  TRY(write_file(path, json::dump(to_json(captured)) + "\n"));
  if (path != "-") {
    if (arguments.flag("--json")) {
      json::Value value = to_json(recognised);
      value.set("runtime", captured.runtime).set("version", or_null(captured.version));
      value.set("oci_runtime", captured.oci_runtime);
      value.set("caps", json::Array(captured.caps.begin(), captured.caps.end()));
      value.set("file", path);
      TRY(print_json(value));
    } else {
      TRY(print_result(to_text(captured, recognised) + format("  written to {}\n", path)));
    }
  }
  const bool known = recognised.own || (captured.version.empty() && !recognised.equals.empty());
  return known ? 0 : 1;
}

}  // namespace whittle::cli
