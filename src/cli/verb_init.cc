#include <csignal>
#include <filesystem>

#include "base/file_system.h"
#include "base/process.h"
#include "base/text.h"
#include "cli/container_client.h"
#include "cli/output.h"
#include "cli/verbs_list.h"
#include "cli/workload_draft.h"
#include "host/workload.h"
#include "record/discover.h"
#include "record/ready.h"
#include "record/signals.h"

namespace whittle::cli {

namespace {

namespace fs = std::filesystem;

Result<double> duration_or(const Arguments& arguments, const char* option, double fallback) {
  const auto text = arguments.value(option);
  if (!text) return fallback;
  const auto seconds = parse_duration(*text);
  if (!seconds || *seconds <= 0 || *seconds > 3600) {
    return input_error(format("{} {}: not a duration of up to an hour", option, printable(*text)),
                       {}, "write it as 500ms, 10s or 2m");
  }
  return *seconds;
}

// A text that YAML can hold as it is. Others would come out changed.
bool is_text(const std::string& word) {
  const auto again = json::parse(json::quote(word), "");
  return again && again->string() != nullptr && *again->string() == word;
}

Result<DraftSpec> draft_spec(const Arguments& arguments, const std::string& output) {
  DraftSpec spec;
  spec.command = arguments.command();
  for (const std::string& word : spec.command) {
    if (is_text(word)) continue;
    return input_error(format("\"{}\" is not UTF-8, which a workload.yaml is", printable(word)));
  }
  TRY_ASSIGN(const std::string program, find_program(spec.command.at(0)));
  std::error_code unknown;
  const fs::path here = fs::current_path(unknown);
  if (unknown) return environment_error("the directory that we are in is gone");
  // Another reader of the file may be in another directory.
  if (spec.command[0].find('/') != std::string::npos) {
    spec.command[0] = (here / program).lexically_normal().string();
  }
  const fs::path beside = (here / output).lexically_normal().parent_path();
  spec.directory = output == "-" ? here.string() : here.lexically_relative(beside).string();
  spec.name = arguments.value_or("--name", draft_name(spec.command[0]));
  TRY_ASSIGN(spec.watch, duration_or(arguments, "--for", spec.watch));
  TRY_ASSIGN(spec.limit, duration_or(arguments, "--limit", spec.limit));
  return spec;
}

// Before minutes of watching: what would make the file one that is not read.
Result<void> check_name(const DraftSpec& spec) {
  record::Discovered ended;
  ended.ended.emplace();
  auto read = host::parse_workload(workload_draft(spec, ended), "workload.yaml");
  if (read) return {};
  read.error().place = "--name";
  return tl::unexpected(std::move(read).error());
}

Result<void> check_output(const Arguments& arguments, const std::string& output) {
  if (output == "-") {
    if (!arguments.flag("--json")) return {};
    return input_error("-o - and --json would both go to standard output", {}, "leave out one");
  }
  std::error_code unknown;
  if (fs::exists(output, unknown) && !fs::is_directory(output, unknown) &&
      !arguments.flag("--force")) {
    return input_error("exists already", printable(output),
                       "give another file by -o, or --force to replace it");
  }
  return check_writable(output);
}

std::string summary_of(const record::Discovered& found) {
  if (found.ended) return format("it ended by itself after {:.1f} s", found.seconds);
  std::vector<std::string> ports;
  for (const record::FoundPort& port : found.ports) {
    ports.push_back(format("{}{}", port.address.port, port.status != 0 ? " (http)" : ""));
  }
  return format(
      "{}, {}stops by {}, {}",
      ports.empty() ? "no port" : (ports.size() == 1 ? "port " : "ports ") + join(ports, ", "),
      found.reload == record::Discovered::Reload::kSurvived ? "reloads by SIGHUP, " : "",
      signal_name(found.stop_signal), plural(found.starts, "start"));
}

Result<int> write_draft(const Arguments& arguments, const DraftSpec& spec,
                        const record::Discovered& found, const std::string& output) {
  const std::string text = workload_draft(spec, found);
  const auto read = host::parse_workload(text, output == "-" ? "workload.yaml" : output);
  if (!read) return bug("the workload.yaml cannot be read: " + read.error().text());
  if (read->run.command != spec.command) return bug("the command reads otherwise");
  if (!read->ready.empty()) TRY(record::parse_ready(read->ready));
  TRY(write_file(output, text));
  for (const record::StopTry& one : found.stops) {
    if (one.signal == found.stop_signal) continue;
    if (one.quality() == 0 && !one.ended) {
      print_note(format("{} did not end it within {:g} s", signal_name(one.signal), spec.limit));
    }
  }
  if (!found.ended && found.stop_signal == SIGKILL) {
    print_warning("no signal ends it well; the file says KILL, and so its shutdown is not seen");
  }
  if (!found.ended && found.ports.empty() && found.paths.empty()) {
    print_warning(
        format("it listened nowhere within {:g} s; say in the file when it is ready", spec.watch));
  }
  if (output != "-") print_note(format("{}: {}", printable(output), summary_of(found)));
  if (arguments.flag("--json")) TRY(print_json(discovered_json(spec, found)));
  return 0;
}

Result<int> run_init(const Arguments& arguments) {
  const std::string output = arguments.value_or("--output", "workload.yaml");
  TRY(check_output(arguments, output));
  if (auto client = container_client(arguments.command())) {
    return tl::unexpected(*std::move(client));
  }
  TRY_ASSIGN(const DraftSpec draft, draft_spec(arguments, output));
  TRY(check_name(draft));
  record::DiscoverSpec spec;
  spec.run.command = draft.command;
  spec.watch = draft.watch;
  spec.limit = draft.limit;
  spec.progress = [](const std::string& text) { show_progress("init: " + text); };
  const record::SignalCatcher signals;
  auto found = record::discover(spec);
  end_progress();
  if (!found) return tl::unexpected(std::move(found).error());
  if (found->interrupted) {
    print_warning("interrupted: nothing was written");
    return 1;
  }
  if (found->ended && !found->ended->success()) {
    print_tail(found->output);
    return input_error(format("the command ended after {:.1f} s with {}, so nothing was written",
                              found->seconds, found->ended->text()),
                       {}, "give a command that works; does its port belong to somebody else?");
  }
  return write_draft(arguments, draft, *found, output);
}

}  // namespace

const Verb& init_verb() {
  static const Verb verb = {
      .name = "init",
      .summary = "write a first workload.yaml by watching a command",
      .synopsis = "[-o FILE] [OPTION...] -- CMD...",
      .description =
          "Starts CMD and watches it: the ports that its processes listen on, and whether they "
          "speak HTTP, say when it is ready and become exercises; the signal that ends it best is "
          "found by trying SIGTERM, SIGINT and SIGQUIT, each on a fresh start; one that has a "
          "handler for SIGHUP and goes on after it gets a reload exercise. A command that ends by "
          "itself becomes a workload of just that.\n\n"
          "What comes out says why each line was chosen, and what to fill in: the exercises are "
          "yours to complete. `whittle record DIR` takes it as it is. A file that exists is not "
          "replaced without --force.\n\n"
          "CMD is started natively, with no_new_privileges, up to four times, and nothing of it is "
          "left running: not after Ctrl-C, and not when whittle is killed. It is asked for GET / "
          "on each of its ports.\n\n"
          "Exit status: 0 when the file was written, 1 when interrupted, 2 for bad usage or a "
          "command that cannot be run or fails.",
      .examples = {"whittle init -- nginx -g 'daemon off;'        # then: whittle record .",
                   "whittle init -o web/workload.yaml --name web -- ./server --port 8080",
                   "whittle init --for 1m -- ./slow-to-start",
                   "whittle init -o - -- redis-server --port 7000"},
      .options = {{"--output", 'o', "FILE",
                   "where to write it (default: workload.yaml); - is standard output"},
                  {"--force", 0, "", "replace a file that exists"},
                  {"--name", 0, "NAME", "of the workload (default: that of the program)"},
                  {"--for", 0, "TIME", "how long it may take to listen, or to end (default: 10s)"},
                  {"--limit", 0, "TIME", "how long it may take to stop (default: 10s)"},
                  {"--json", 0, "", "what was found, on standard output"}},
      .takes_command = true,
      .run = run_init,
  };
  return verb;
}

}  // namespace whittle::cli
