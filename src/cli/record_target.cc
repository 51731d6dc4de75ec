#include "cli/record_target.h"

#include <array>
#include <utility>

#include "base/file_system.h"
#include "base/text.h"
#include "cli/live_view.h"
#include "cli/output.h"
#include "cli/record_output.h"

namespace whittle::cli {

namespace {

// "its container" of the usual run, "what entered it" of the other.
std::string report_line(const evidence::Run& run) {
  const bool container = !run.container.empty();
  const std::string what = !container           ? "recorded"
                           : run.part == "exec" ? "executed in the container later"
                                                : "recorded of the container";
  return format("{}: {}, {:.1f} s", what, run_summary(run), run.duration);
}

void report(const std::vector<evidence::Run>& runs) {
  for (const evidence::Run& run : runs) {
    print_note(report_line(run));
    for (const std::string& note : run.notes) print_note(note);
  }
}

Result<void> refuse_options_of_commands(const Arguments& arguments) {
  if (!arguments.command().empty()) {
    return input_error("a command and a target were given", {},
                       "record one, or the other: --pid, --cgroup and --container take no command");
  }
  for (const char* option : {"--under", "--stop-signal"}) {
    if (arguments.value(option)) {
      return input_error(format("{} is for a command that whittle starts", option), {},
                         "leave it out");
    }
  }
  return {};
}

}  // namespace

Result<std::optional<record::Target>> read_target(const Arguments& arguments) {
  using Kind = record::Target::Kind;
  record::Target target;
  int given = 0;
  for (const auto& [option, kind] :
       {std::pair("--pid", Kind::kProcess), std::pair("--cgroup", Kind::kCgroup),
        std::pair("--container", Kind::kContainer)}) {
    const auto value = arguments.value(option);
    if (!value) continue;
    ++given;
    target.kind = kind;
    target.name = *value;
  }
  target.wait = arguments.flag("--wait");
  if (target.wait && target.kind != Kind::kContainer) {
    return input_error("--wait is for a container", {}, "add --container NAME");
  }
  if (given == 0) return std::optional<record::Target>();
  if (given > 1) return input_error("--pid, --cgroup and --container: only one of them");
  TRY(refuse_options_of_commands(arguments));
  if (target.kind == Kind::kProcess) {
    const auto pid = parse_u64(target.name);
    if (!pid || *pid == 0 || *pid > INT32_MAX) {
      return input_error(format("--pid {}: not a process id", printable(target.name)));
    }
    target.pid = static_cast<pid_t>(*pid);
  }
  if (target.name.empty()) return input_error("--container or --cgroup: no name given");
  if (arguments.value("--repeat") && !target.wait) {
    return input_error("--repeat is for a command, or a container that is waited for", {},
                       "add --wait");
  }
  target.lives = parse_u64(arguments.value_or("--repeat", "1")).value_or(0);
  return std::optional(std::move(target));
}

Result<int> record_target(const Arguments& arguments, record::Target target,
                          record::RecordSpec spec) {
  if (target.lives < 1 || target.lives > 1000) {
    return input_error("--repeat takes a number from 1 to 1000");
  }
  if (spec.ready && spec.ready->kind == record::ReadySpec::Kind::kLog) {
    return input_error("--ready log: is for a command that whittle starts", {},
                       "take tcp:, http: or exec:");
  }
  evidence::Evidence evidence;
  evidence.workload = record::target_name(target);
  const std::string output = arguments.value_or("--output", evidence.workload + ".evidence.json");
  TRY(check_writable(output));
  std::optional<record::MarkPipe> marks;
  if (const auto path = arguments.value("--marks")) {
    TRY_ASSIGN(marks, record::MarkPipe::open(*path));
    spec.marks = &*marks;
  }
  const bool quiet = arguments.flag("--quiet");
  LiveView view;
  bool checkpoint_failed = false;
  spec.warn = [](const std::string& text) { print_warning(text); };
  target.attached = [&](const std::string& text) {
    if (!quiet) print_note(text);
  };
  target.checkpoint = [&](std::span<const evidence::Run> runs, const std::string& phase) {
    // What entered a container comes after it: the line is about the container.
    const bool entered = runs.back().part == "exec" && runs.size() > 1;
    if (!quiet) view.show(entered ? runs[runs.size() - 2] : runs.back(), phase);
    if (output == "-" || checkpoint_failed) return;
    evidence.runs.assign(runs.begin(), runs.end());
    if (const auto written = write_file(output, evidence::write(evidence)); !written) {
      checkpoint_failed = true;
      print_warning("cannot write the checkpoint: " + written.error().text());
    }
  };
  const record::SignalCatcher signals;
  auto runs = record::record_target(target, spec);
  end_progress();
  if (!runs) return tl::unexpected(std::move(runs).error());
  evidence.runs = *std::move(runs);
  if (!quiet) report(evidence.runs);
  for (const evidence::Run& run : evidence.runs) warn_of_loss(run);
  TRY(write_evidence(output, evidence, quiet));
  return evidence.complete() ? 0 : 1;
}

}  // namespace whittle::cli
