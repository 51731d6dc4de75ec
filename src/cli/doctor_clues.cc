#include "cli/doctor_clues.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/file_system.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/captured_default.h"
#include "cli/load_evidence.h"
#include "cli/output.h"
#include "deploy/node_store.h"
#include "filter/change_text.h"
#include "filter/read_back.h"
#include "host/default_container.h"
#include "record/audit_containers.h"
#include "record/audit_reader.h"
#include "record/audit_tally.h"
#include "record/signals.h"
#include "record/targets.h"
#include "syscalls/table.h"

namespace whittle::cli {

namespace {

constexpr const char* kAuditLog = "/var/log/audit/audit.log";
constexpr double kWatch = 5;  // seconds that the recorder looks at a container
constexpr std::size_t kLargestProfile = std::size_t{16} << 20U;

filter::Flavour flavour(const Arguments& arguments) {
  return arguments.value_or("--runtime", "runc") == "crun" ? filter::Flavour::kCrun
                                                           : filter::Flavour::kRunc;
}

void add_suspicions(const std::string& text, const std::string& file, filter::Flavour runtime,
                    Clues& clues) {
  for (deploy::Suspicion& one : deploy::suspect_profile(text, file, runtime)) {
    clues.suspicions.push_back(std::move(one));
  }
}

// Calls that the evidence says were refused; a fallback (ENOSYS) is no failure.
void add_refusals(std::span<const evidence::Run> runs, Clues& clues) {
  for (const evidence::Run& run : runs) {
    for (const evidence::Observation& call : run.syscalls) {
      // Refusals are told apart by their arguments, addresses among them: nobody asks for those
      // here.
      std::map<std::array<std::string, 3>, std::uint64_t> counts;
      for (const evidence::Refusal& refusal : call.refusals) {
        if (refusal.error == "ENOSYS") continue;
        counts[{refusal.error, refusal.comm, refusal.phase}] += refusal.count;
      }
      for (const auto& [kind, count] : counts) {
        const auto& [error, comm, phase] = kind;
        clues.refused.push_back(
            {call.name,
             format("{}: refused {}{} with {}, by {}, in phase {}", call.name,
                    call.refusals_closed ? "" : "at least ", plural(count, "time"), error,
                    printable(comm), printable(phase)),
             "recorder", false});
      }
    }
  }
}

void add_audit(const record::AuditTally& tally, const std::string& container, Clues& clues) {
  using record::AuditAction;
  for (const record::AuditGroup& group : tally.groups()) {
    if (group.action == AuditAction::kLog) continue;
    if (!container.empty() && group.container != container) continue;
    const auto arch = syscalls::arch_from_audit(group.audit_arch, group.nr);
    const std::string name =
        arch ? syscalls::display_name(*arch, group.nr) : format("syscall_{}", group.nr);
    const bool killed = group.action == AuditAction::kKillThread ||
                        group.action == AuditAction::kKillProcess ||
                        group.action == AuditAction::kKill;
    clues.refused.push_back(
        {name,
         format("{}: {} by {} ({}), {}", name, record::audit_action_name(group.action),
                printable(group.comm), printable(group.exe), plural(group.count, "record")),
         "audit", killed && arch && *arch != syscalls::native_of(*arch)});
  }
}

// Audit records that stand in the text itself.
void read_records_of(const std::string& text, Clues& clues) {
  record::AuditTally tally;
  record::AuditReader reader(tally);
  reader.feed(text);
  reader.finish();
  add_audit(tally, {}, clues);
}

// The recorder looks at the container for a moment: refusals as they happen.
Result<void> watch(const host::Container& container, const Arguments& arguments, Clues& clues) {
  const auto seconds = parse_duration(arguments.value_or("--for", format("{}", kWatch)));
  if (!seconds) {
    return input_error(format("\"{}\" is no time", printable(arguments.value_or("--for", ""))),
                       "--for", "10s, 500ms, 2m and 1h are");
  }
  if (*seconds <= 0) return {};
  if (!record::may_use_ebpf()) {
    clues.facts.emplace_back(
        "the recorder could not look: it needs root, or CAP_BPF and "
        "CAP_PERFMON");
    return {};
  }
  record::Target target;
  target.kind = record::Target::Kind::kContainer;
  target.name = container.id;
  record::RecordSpec spec;
  spec.time_limit = *seconds;
  spec.stacks = false;
  spec.warn = [](const std::string& text) { print_warning(text); };
  show_progress(format("watching {} for {} s", printable(container.id), *seconds));
  const record::SignalCatcher signals;
  const auto runs = record::record_target(target, spec);
  end_progress();
  if (!runs) {
    clues.facts.push_back("the recorder could not look: " + runs.error().text());
    return {};
  }
  const std::size_t before = clues.refused.size();
  add_refusals(*runs, clues);
  if (clues.refused.size() == before) {
    const bool idle = std::all_of(runs->begin(), runs->end(),
                                  [](const evidence::Run& run) { return run.syscalls.empty(); });
    clues.facts.push_back(format("the recorder watched it for {} s and saw {}", *seconds,
                                 idle ? "it make no call at all: ask again, with a longer --for, "
                                        "while it does what fails"
                                      : "no call refused"));
  }
  return {};
}

// The profile that the container was started with, as its runtime got it.
void read_bundle(const host::Container& container, filter::Flavour runtime, Clues& clues) {
  const std::string path = container.bundle + "/config.json";
  const auto text = read_file(path, kLargestProfile);
  if (!text) return;
  const auto config = json::parse(*text, path);
  if (!config) return;
  const json::Value* linux_part = config->find("linux");
  const json::Value* seccomp = linux_part != nullptr ? linux_part->find("seccomp") : nullptr;
  if (seccomp == nullptr || seccomp->is_null()) {
    clues.facts.emplace_back(
        "it was started without a profile: no call of it is refused by seccomp");
    return;
  }
  add_suspicions(json::dump(*seccomp), path + " /linux/seccomp", runtime, clues);
}

Result<void> read_own_audit(const host::Container& container, Clues& clues) {
  record::AuditTally tally;
  record::AuditContainers containers;
  tally.container_of = [&containers](const record::AuditRecord& r) { return containers.of(r); };
  if (::access(kAuditLog, R_OK) == 0) TRY(record::read_audit_log(kAuditLog, tally));
  add_audit(tally, container.name.empty() ? container.id : container.name, clues);
  return {};
}

Result<void> look_at_container(const std::string& wanted, const Arguments& arguments,
                               Clues& clues) {
  TRY_ASSIGN(const host::Cgroups cgroups, host::Cgroups::of_host());
  const auto all = host::containers(cgroups);
  auto container = host::find_container(all, wanted);
  if (!container) {
    Error error = container.error();
    error.message = "neither a file nor a container that runs";
    error.place = printable(wanted);
    error.hint =
        "of a container that has ended give what its runtime said, or `kubectl describe "
        "pod`, as a file or -; `whittle record --container NAME --wait` sees its next "
        "start";
    return tl::unexpected(std::move(error));
  }
  const std::string runtime = arguments.value_or("--runtime", container->runtime);
  read_bundle(*container, runtime == "crun" ? filter::Flavour::kCrun : filter::Flavour::kRunc,
              clues);
  TRY(watch(*container, arguments, clues));
  return read_own_audit(*container, clues);
}

Result<CapturedDefault> load_capture(const std::string& path) {
  TRY_ASSIGN(const std::string text, read_file(path));
  if (!is_captured_default(text)) {
    return input_error("this is no default that `whittle baseline capture` has saved", path,
                       "two profiles are compared by `whittle diff`");
  }
  return read_captured_default(text, path);
}

// What the runtime gives now: as captured, or by a container that is started for it.
Result<CapturedDefault> default_of_now(const CapturedDefault& before, const Arguments& arguments) {
  if (const auto path = arguments.value("--after")) return load_capture(*path);
  const auto manager = host::manager_from_name(before.runtime);
  if (!manager) {
    return input_error(format("whittle starts no container with {}", printable(before.runtime)),
                       "--before", "capture its default of now, and give it with --after");
  }
  TRY_ASSIGN(const auto container, host::DefaultContainer::start(*manager));
  CapturedDefault now;
  now.runtime = before.runtime;
  now.version = container.version();
  TRY_ASSIGN(now.caps, host::bounding_caps(container.pid()));
  TRY_ASSIGN(now.filters, filter::read_back(container.pid()));
  return now;
}

Result<void> compare_defaults(const std::string& path, const Arguments& arguments, Clues& clues) {
  TRY_ASSIGN(const CapturedDefault before, load_capture(path));
  TRY_ASSIGN(const CapturedDefault now, default_of_now(before, arguments));
  if (before.filters.size() != 1 || now.filters.size() != 1) {
    return input_error("a default is one filter", path);
  }
  std::vector<syscalls::Arch> arches;
  for (const syscalls::Arch arch : syscalls::kAllArches) {
    if (syscalls::native_of(arch) == before.arch) arches.push_back(arch);
  }
  TRY_ASSIGN(const auto comparison, filter::compare(before.filters[0], now.filters[0], arches));
  for (const filter::Change& change : comparison.changes) {
    clues.default_changes.push_back(format("{} ({}): {}", filter::subject_text(change),
                                           syscalls::arch_name(change.arch),
                                           filter::headline(change)));
  }
  if (before.caps != now.caps) {
    clues.facts.emplace_back(
        "the two captures are of containers with different capabilities, "
        "which changes defaults by itself");
  }
  if (clues.default_changes.empty()) {
    clues.facts.push_back(format("the default of {} {} is that of {}: it did not change",
                                 before.runtime, now.version, before.version));
  }
  return {};
}

// The files of profiles that the text names, where this machine has them.
void read_named_profiles(filter::Flavour runtime, Clues& clues) {
  for (const std::string& name : clues.symptoms.profiles) {
    const std::string path = name.starts_with('/') ? name : clues.root + "/" + name;
    const auto text = read_file(path, kLargestProfile);
    if (text) add_suspicions(*text, path, runtime, clues);
  }
}

Result<void> read_operand(const Arguments& arguments, Clues& clues) {
  const auto& operands = arguments.operands();
  const auto named = arguments.value("--container");
  if (named && !operands.empty()) {
    return input_error("a text and a container were given", {}, "ask about one, then the other");
  }
  if (named) return look_at_container(*named, arguments, clues);
  if (operands.empty()) return {};
  const std::string& operand = operands[0];
  std::string text = operand;
  std::string place = operand == "-" ? "standard input" : operand;
  if (operand != "-" && ::access(operand.c_str(), F_OK) != 0) {
    // No container has a name with blanks: it is what was said, itself.
    if (operand.find_first_of(" \n") == std::string::npos) {
      return look_at_container(operand, arguments, clues);
    }
    place = "TEXT";
  } else {
    TRY_ASSIGN(text, read_file(operand, deploy::kMostSymptoms));
  }
  TRY_ASSIGN(clues.symptoms, deploy::read_symptoms(text, place));
  read_records_of(text, clues);
  return {};
}

}  // namespace

Result<Clues> gather_clues(const Arguments& arguments) {
  Clues clues;
  clues.root = arguments.value_or("--root", deploy::kKubeletRoot);
  if (arguments.value("--after") && !arguments.value("--before")) {
    return input_error("--after goes with --before");
  }
  TRY(read_operand(arguments, clues));
  if (!arguments.values("--evidence").empty()) {
    TRY_ASSIGN(const auto all, load_evidence(arguments.values("--evidence")));
    for (const evidence::Evidence& one : all) add_refusals(one.runs, clues);
  }
  std::stable_partition(clues.refused.begin(), clues.refused.end(),
                        [](const Refused& one) { return one.by == "recorder"; });
  for (const std::string& path : arguments.values("--audit")) {
    record::AuditTally tally;
    TRY(record::read_audit_log(path, tally));
    add_audit(tally, {}, clues);
  }
  if (const auto path = arguments.value("--profile")) {
    TRY_ASSIGN(const std::string text, read_file(*path, kLargestProfile));
    add_suspicions(text, *path, flavour(arguments), clues);
  } else {
    read_named_profiles(flavour(arguments), clues);
  }
  if (const auto path = arguments.value("--before")) {
    TRY(compare_defaults(*path, arguments, clues));
  }
  return clues;
}

}  // namespace whittle::cli
