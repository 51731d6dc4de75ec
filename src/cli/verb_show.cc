#include <algorithm>

#include "base/file_system.h"
#include "base/text.h"
#include "cli/compiled_profile.h"
#include "cli/load_profile.h"
#include "cli/output.h"
#include "cli/verbs_list.h"
#include "filter/bytes.h"
#include "filter/describe.h"
#include "filter/read_back.h"
#include "filter/survey.h"
#include "host/containers.h"

namespace whittle::cli {

namespace {

using syscalls::Arch;

struct Shown {
  std::string source;                    // "process 123", the profile's name
  std::vector<filter::Program> filters;  // newest first
  std::vector<Arch> arches;
};

// Calls with one refusal, by name.
struct Refused {
  profile::Verdict verdict;
  std::vector<std::string> names;
};

struct ArchView {
  Arch arch;
  std::vector<std::string> allowed;
  std::vector<const filter::SurveyedCall*> conditional;  // the verdict depends on arguments
  std::vector<Refused> refused;                          // the most calls first
};

ArchView view_of(Arch arch, const std::vector<filter::SurveyedCall>& calls) {
  ArchView view{arch, {}, {}, {}};
  for (const filter::SurveyedCall& call : calls) {
    const auto constant = call.decision.constant();
    if (call.decision.always_allows()) {
      view.allowed.emplace_back(call.name);
    } else if (!constant) {
      view.conditional.push_back(&call);
    } else {
      auto group = std::find_if(view.refused.begin(), view.refused.end(),
                                [&](const Refused& r) { return r.verdict == *constant; });
      if (group == view.refused.end()) {
        group = view.refused.insert(group, Refused{*constant, {}});
      }
      group->names.emplace_back(call.name);
    }
  }
  std::sort(view.allowed.begin(), view.allowed.end());
  std::stable_sort(
      view.refused.begin(), view.refused.end(),
      [](const Refused& a, const Refused& b) { return a.names.size() > b.names.size(); });
  for (Refused& group : view.refused) std::sort(group.names.begin(), group.names.end());
  return view;
}

json::Value names_json(const std::vector<std::string>& names) {
  return json::Array(names.begin(), names.end());
}

json::Value to_json(const ArchView& view) {
  json::Array conditional;
  for (const filter::SurveyedCall* call : view.conditional) {
    json::Value item;
    item.set("syscall", call->name).set("nr", call->nr).set("decided", call->decision.decided);
    // The ways that were found before the bound are not the whole: no claim is made.
    const auto& decision = call->decision;
    item.set("allowed_when",
             decision.decided ? names_json(filter::allowing_paths(decision)) : json::Array());
    conditional.push_back(std::move(item));
  }
  json::Array refused;
  for (const Refused& group : view.refused) {
    json::Value item;
    item.set("action", profile::action_name(group.verdict.action));
    item.set("data", static_cast<unsigned>(group.verdict.data));
    item.set("syscalls", names_json(group.names));
    refused.push_back(std::move(item));
  }
  json::Value value;
  value.set("arch", syscalls::arch_name(view.arch));
  value.set("allowed", names_json(view.allowed));
  value.set("conditional", std::move(conditional));
  value.set("refused", std::move(refused));
  return value;
}

std::string condition_text(const filter::SurveyedCall& call) {
  if (!call.decision.decided) return "can't be told exactly";
  const auto paths = filter::allowing_paths(call.decision, call.name);
  if (paths.empty()) return "refused in different ways";
  return filter::some_of(paths);
}

std::string to_text(const ArchView& view) {
  const std::string name(syscalls::arch_name(view.arch));
  if (view.allowed.empty() && view.conditional.empty() && view.refused.size() == 1) {
    return format("{}: closed ({})\n", name, profile::verdict_text(view.refused[0].verdict));
  }
  std::string text = bold(name) + "\n";
  text += format("  allowed ({}): {}\n", view.allowed.size(), join(view.allowed, " "));
  if (!view.conditional.empty()) text += "  allowed under conditions:\n";
  for (const filter::SurveyedCall* call : view.conditional) {
    text += format("    {}: {}\n", call->name, condition_text(*call));
  }
  for (const Refused& group : view.refused) {
    text += format("  {} ({}): {}\n", profile::verdict_text(group.verdict), group.names.size(),
                   join(group.names, " "));
  }
  return text;
}

Result<pid_t> read_pid(const std::string& text) {
  const auto number = parse_u64(text);
  if (!number || *number == 0 || *number > INT32_MAX) {
    return input_error(format("--pid: \"{}\" is no process id", printable(text)));
  }
  return static_cast<pid_t>(*number);
}

Result<Shown> from_process(pid_t pid, std::string source) {
  TRY_ASSIGN(std::vector<filter::Program> filters, filter::read_back(pid));
  std::vector<Arch> family;
  for (const Arch arch : syscalls::kAllArches) {
    if (syscalls::native_of(arch) == syscalls::native_of(syscalls::host_arch())) {
      family.push_back(arch);
    }
  }
  return Shown{std::move(source), std::move(filters), std::move(family)};
}

// The filters of its first process: what the runtime loaded.
Result<Shown> from_container(const std::string& wanted) {
  TRY_ASSIGN(const host::Cgroups cgroups, host::Cgroups::of_host());
  TRY_ASSIGN(const host::Container container,
             host::find_container(host::containers(cgroups), wanted));
  const std::string& name = container.name.empty() ? container.id : container.name;
  return from_process(container.pid,
                      format("container {}, process {}", printable(name), container.pid));
}

Result<Shown> from_profile(const std::string& p, const Arguments& arguments) {
  TRY_ASSIGN(const profile::Setting setting, setting_of(arguments));
  TRY_ASSIGN(FilterInput input, FilterInput::start(p, setting, arguments));
  TRY_ASSIGN(filter::Program program, input.program());
  return Shown{p == "-" ? "standard input" : printable(p), {std::move(program)}, input.arches()};
}

// The sock_filter arrays as they are in memory, one after the other, newest first.
std::string bytes_of(const std::vector<filter::Program>& filters) {
  std::string bytes;
  for (const filter::Program& program : filters) bytes += filter::write_bytes(program);
  return bytes;
}

Result<void> print(const Shown& shown, bool as_json) {
  json::Array filters;
  std::string text;
  for (const filter::Program& program : shown.filters) {
    json::Value item;
    item.set("instructions", program.size());
    filters.push_back(std::move(item));
    text += format("filter of {}\n", plural(program.size(), "instruction"));
  }
  if (shown.filters.empty()) text += "no filter: everything is allowed\n";
  json::Array arches;
  for (const Arch arch : shown.arches) {
    if (shown.filters.empty()) break;
    const auto calls = filter::survey(shown.filters, arch);
    const ArchView view = view_of(arch, calls);
    if (as_json) {
      arches.push_back(to_json(view));
    } else {
      text += to_text(view);
    }
  }
  if (!as_json) return print_result(shown.source + ": " + text);
  json::Value value;
  value.set("source", shown.source);
  value.set("filters", std::move(filters));
  value.set("arches", std::move(arches));
  set_libseccomp(value);
  return print_json(value);
}

Result<Shown> read_source(const Arguments& arguments) {
  const auto pid = arguments.value("--pid");
  const auto container = arguments.value("--container");
  const std::vector<std::string>& operands = arguments.operands();
  if (operands.size() + (pid ? 1 : 0) + (container ? 1 : 0) != 1) {
    return input_error("show: name a profile or a process, or a container", {},
                       "write `whittle show P`, `whittle show --pid N` or `whittle show "
                       "--container ID`");
  }
  if (container) return from_container(*container);
  if (!pid) return from_profile(operands.front(), arguments);
  TRY_ASSIGN(const pid_t process, read_pid(*pid));
  return from_process(process, format("process {}", process));
}

Result<int> run_show(const Arguments& arguments) {
  TRY(choose_libseccomp(arguments));
  TRY_ASSIGN(const Shown shown, read_source(arguments));
  if (const auto file = arguments.value("--bytes")) {
    TRY(write_file(*file, bytes_of(shown.filters)));
    if (*file == "-") return 0;
  }
  TRY(print(shown, arguments.flag("--json")));
  return 0;
}

}  // namespace

const Verb& show_verb() {
  static const Verb verb = {
      .name = "show",
      .summary = "what a profile, or the filters of a running process or container, let through",
      .synopsis =
          "P | --pid N | --container ID [--runtime runc|crun|none] [--libseccomp FILE] [--bytes "
          "FILE] "
          "[--json]",
      .description =
          "Lists, by architecture, the system calls that are allowed, allowed under conditions on "
          "their arguments, and refused. A profile is compiled as the runtime does. With --pid the "
          "filters are read out of the process, with --container out of the container's first "
          "process, newest first, and judged together, as the kernel does: the most severe answer "
          "counts.\n\n"
          "Reading a process's filters needs root (CAP_SYS_ADMIN and ptrace access) and stops the "
          "process for a moment; whittle itself must run without a filter.\n\n"
          "Arguments are called arg0 to arg5. A filter sees each as 64 bits, in two halves: `low` "
          "and `high` stand for one of them. --bytes writes the filters themselves, as arrays of "
          "struct sock_filter, one after the other.",
      .examples = {"whittle show nginx.profile.json", "whittle show --pid 4711 --json",
                   "whittle show --container web",
                   "whittle show baseline:docker --runtime crun --bytes docker.bpf"},
      .options =
          [] {
            std::vector<Option> options = {
                {"--pid", 0, "N", "the process, or one of its threads, whose filters to read"},
                {"--container", 0, "ID", "the running container whose filters to read: id or name"},
                {"--bytes", 0, "FILE", "write the filters as raw instructions"}};
            for (Option& option : setting_options()) options.push_back(std::move(option));
            options.push_back(runtime_option());
            options.push_back(libseccomp_option());
            options.push_back({"--json", 0, "", "print JSON"});
            return options;
          }(),
      .operand = "P",
      .least_operands = 0,
      .most_operands = 1,
      .run = run_show,
  };
  return verb;
}

}  // namespace whittle::cli
