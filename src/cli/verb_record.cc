#include <csignal>
#include <optional>
#include <utility>

#include "base/file_system.h"
#include "base/process.h"
#include "base/text.h"
#include "cli/container_client.h"
#include "cli/live_view.h"
#include "cli/novelty.h"
#include "cli/output.h"
#include "cli/record_output.h"
#include "cli/record_target.h"
#include "cli/record_workload.h"
#include "cli/under.h"
#include "cli/verbs_list.h"
#include "evidence/evidence.h"
#include "record/record.h"

namespace whittle::cli {

namespace {

// "nginx" of {"/usr/sbin/nginx", ...}: the name of the workload and of the file.
std::string workload_name(const std::vector<std::string>& command) {
  const std::string& program = command.at(0);
  return program.substr(program.rfind('/') + 1);
}

Result<double> duration(const Arguments& arguments, const char* option) {
  const std::string text = *arguments.value(option);
  const auto seconds = parse_duration(text);
  if (!seconds || *seconds <= 0) {
    return input_error(format("{} {}: not a duration", option, printable(text)), {},
                       "write it as 500ms, 10s, 2m or 1h");
  }
  return *seconds;
}

Result<record::RecordSpec> read_spec(const Arguments& arguments) {
  record::RecordSpec spec;
  spec.command = arguments.command();
  spec.stacks = !arguments.flag("--no-stacks");
  const std::string backend = arguments.value_or("--backend", "auto");
  if (backend == "ebpf") spec.backend = record::Backend::kEbpf;
  if (backend == "ptrace") spec.backend = record::Backend::kPtrace;
  spec.under = arguments.value_or("--under", "fallbacks");
  TRY_ASSIGN(spec.filter, filter_to_record_under(spec.under));
  if (const auto ready = arguments.value("--ready")) {
    TRY_ASSIGN(spec.ready, record::parse_ready(*ready));
  }
  if (arguments.value("--ready-limit")) {
    if (!spec.ready) return input_error("--ready-limit without --ready", {}, "add --ready SPEC");
    TRY_ASSIGN(spec.ready_limit, duration(arguments, "--ready-limit"));
  }
  if (const auto signal = arguments.value("--stop-signal")) {
    const auto number = signal_from_name(*signal);
    if (!number) {
      return input_error(format("--stop-signal {}: no such signal", printable(*signal)), {},
                         "name it as in TERM, SIGQUIT or RTMIN+3, or give its number");
    }
    spec.stop_signal = *number;
  }
  if (arguments.value("--for")) {
    TRY_ASSIGN(spec.time_limit, duration(arguments, "--for"));
  }
  if (arguments.value("--until-quiet")) {
    TRY_ASSIGN(spec.quiet, duration(arguments, "--until-quiet"));
  }
  return spec;
}

void report_run(const record::Recorded& recorded) {
  const evidence::Run& run = recorded.run;
  print_note(format("recorded by {} ({}): {}, {:.1f} s", recorded.backend, recorded.reason,
                    run_summary(run), run.duration));
  if (recorded.ready_after) print_note(format("ready after {:.1f} s", *recorded.ready_after));
  if (run.exit.value_or(0) != 0) {
    const bool killed = *run.exit > 128 && *run.exit - 128 <= SIGRTMAX;
    print_note(format("the command ended with status {}{}", *run.exit,
                      killed ? format(" ({})", signal_name(*run.exit - 128)) : ""));
  }
  for (const std::string& note : run.notes) print_note(note);
}

// Several runs of one command, and the file that they go to.
class Recording {
 public:
  Recording(const Arguments& arguments, record::RecordSpec spec, std::string output)
      : quiet_(arguments.flag("--quiet")), spec_(std::move(spec)), output_(std::move(output)) {
    evidence_.workload = workload_name(spec_.command);
    spec_.checkpoint = [this](const evidence::Run& run, const std::string& phase) {
      if (!quiet_) show(run, phase);
      write_checkpoint(run);
    };
    spec_.warn = [](const std::string& text) { print_warning(text); };
  }

  Result<int> run(std::uint64_t repeat) {
    // All the time: a signal between two runs ends the recording as one in a run does.
    const record::SignalCatcher signals;
    Novelty novelty;
    for (std::uint64_t i = 1; i <= repeat && record::SignalCatcher::caught() == 0; ++i) {
      view_ = {};
      told_of_end_ = false;
      Result<record::Recorded> recorded = record::record(spec_);
      end_progress();
      if (!recorded) {
        // What the runs before it gave is kept.
        if (!evidence_.runs.empty()) TRY(write_evidence(output_, evidence_, quiet_));
        return tl::unexpected(std::move(recorded).error());
      }
      const News news = novelty.add(recorded->run.syscalls);
      if (!quiet_) {
        report_run(*recorded);
        if (i > 1) print_note(format("run {} of {}: {}", i, repeat, news_text(news)));
      }
      warn_of_loss(recorded->run);
      evidence_.runs.push_back(std::move(recorded->run));
    }
    TRY(write_evidence(output_, evidence_, quiet_));
    return evidence_.complete() ? 0 : 1;
  }

 private:
  void show(const evidence::Run& run, const std::string& phase) {
    if (run.exit && !std::exchange(told_of_end_, true)) {
      print_note(
          "the command has ended; what it left behind is recorded until that ends, or Ctrl-C");
    }
    view_.show(run, phase);
  }

  void write_checkpoint(const evidence::Run& run) {
    if (output_ == "-" || checkpoint_failed_) return;
    evidence::Evidence so_far = evidence_;
    so_far.runs.push_back(run);
    if (const auto written = write_file(output_, evidence::write(so_far)); !written) {
      checkpoint_failed_ = true;
      print_warning("cannot write the checkpoint: " + written.error().text());
    }
  }

  const bool quiet_;
  record::RecordSpec spec_;
  const std::string output_;
  evidence::Evidence evidence_;
  LiveView view_;
  bool told_of_end_ = false;
  bool checkpoint_failed_ = false;
};

Result<int> run_record(const Arguments& arguments) {
  TRY_ASSIGN(record::RecordSpec spec, read_spec(arguments));
  if (!arguments.operands().empty()) return record_workload(arguments, std::move(spec));
  TRY_ASSIGN(const auto target, read_target(arguments));
  if (target) return record_target(arguments, *target, std::move(spec));
  if (spec.command.empty()) {
    return input_error(
        "no command given, nor anything else to record", {},
        "a command after --, a directory with a workload.yaml, --pid N, --cgroup PATH or "
        "--container ID");
  }
  if (auto client = container_client(spec.command)) return tl::unexpected(*std::move(client));
  std::string output =
      arguments.value_or("--output", workload_name(spec.command) + ".evidence.json");
  TRY(check_writable(output));
  spec.output_to_stderr = output == "-";
  const std::uint64_t repeat = parse_u64(arguments.value_or("--repeat", "1")).value_or(0);
  if (repeat < 1 || repeat > 1000) {
    return input_error("--repeat takes a number from 1 to 1000");
  }
  TRY(find_program(spec.command.at(0)));
  std::optional<record::MarkPipe> marks;
  if (const auto path = arguments.value("--marks")) {
    TRY_ASSIGN(marks, record::MarkPipe::open(*path));
    spec.marks = &*marks;
  }
  return Recording(arguments, std::move(spec), std::move(output)).run(repeat);
}

}  // namespace

const Verb& record_verb() {
  static const Verb verb = {
      .name = "record",
      .summary = "run a command and write down every system call that it needs",
      .synopsis =
          "[-o EVIDENCE] [OPTION...] (-- CMD... | DIR | --pid N | --cgroup PATH | --container ID)",
      .description =
          "Runs CMD and records the system calls of it, its threads and all its children, from its "
          "own execve on: counts, results, phases, and the arguments that matter for a profile. "
          "Drive the workload through all that it does in production while it is recorded; end it "
          "as you would end it there, or with Ctrl-C: then CMD gets the stop signal, and a second "
          "Ctrl-C kills it. What CMD leaves behind, a daemon, is ended with it.\n\n"
          "--ready says when start-up is over: a port takes connections, a URL is answered (by "
          "2xx, 3xx, or STATUS), a line of CMD's output matches, or a shell command succeeds. "
          "Calls are told apart by phase: startup, ready, stop. With --marks a script names its "
          "exercises: each line written to the FIFO names the phase from then on.\n\n"
          "With privilege the calls are counted in the kernel by eBPF: none can be lost to load, "
          "and CMD runs at native speed. Without privilege ptrace is used: the same evidence, but "
          "CMD runs slower, which can make it take other paths; such a run is marked \"timing\": "
          "\"perturbed\". --backend ebpf or ptrace insists on one.\n\n"
          "A profile answers clone3 with ENOSYS, since its flags cannot be filtered, and C "
          "libraries then use clone. So that what is recorded is what happens under the profile, "
          "CMD runs with clone3 already so answered (--under fallbacks). --under BASELINE records "
          "under a whole baseline, --under none with no filter.\n\n"
          "DIR, or a workload.yaml, is a workload: it is started as that says, natively or as a "
          "container of runc or crun, waited for, exercised and stopped; each exercise is a phase. "
          "The evidence goes where it says. When an exercise fails, what the workload wrote is "
          "shown, and the evidence is incomplete (lost \"exercises\"): what was to be seen was not."
          "\n\n"
          "--container records a container of Docker, Podman, containerd, runc or crun by its id "
          "or "
          "name, in two runs: what it does itself, and what was executed in it later (docker exec, "
          "health checks). With --wait it is recorded from its first call on: start whittle, then "
          "the container. --pid and --cgroup record what runs already, or will run in a cgroup. "
          "What a target did before it was recorded is lost, and makes the evidence incomplete. "
          "None of them is stopped at the end. A cgroup or a container needs eBPF.\n\n"
          "Exit status: 0 when the evidence is complete, whatever CMD did (its status is in the "
          "evidence), 1 when it is incomplete, 2 for bad usage or a command that cannot be run, "
          "3 when the machine lacks something.",
      .examples =
          {"whittle record -- nginx -g 'daemon off;'        # until nginx ends",
           "whittle record --ready tcp:6379 -o redis.evidence.json -- redis-server",
           "whittle record --ready http://localhost:8080/health -- ./server",
           "whittle record --ready 'log:listening on' --until-quiet 30s -- ./server",
           "whittle record --marks m -- ./server & sleep 1; echo load > m; ./load-test",
           "whittle record --stop-signal QUIT --for 1m -- nginx -g 'daemon off;'",
           "whittle record --repeat 3 -- ./run-all-tests",
           "whittle record deploy/web                       # the workload of "
           "deploy/web/workload.yaml",
           "whittle record --container web --wait           # then: docker run --name web ...",
           "whittle record --pid \"$(pidof -s redis-server)\" --for 5m"},
      .options = {{"--output", 'o', "FILE",
                   "where to write the evidence (default: NAME.evidence.json)"},
                  {"--pid", 0, "N", "record a running process, its threads and its descendants"},
                  {"--cgroup", 0, "PATH", "record a cgroup and those below it"},
                  {"--container", 0, "ID", "record a container, by its id or name"},
                  {"--wait", 0, "", "with --container: wait for it to start"},
                  {"--backend",
                   0,
                   "BACKEND",
                   "how to record: auto, ebpf or ptrace (default: auto)",
                   {"auto", "ebpf", "ptrace"}},
                  {"--under", 0, "FILTER",
                   "fallbacks, a baseline such as docker, or none (default: fallbacks)"},
                  {"--ready", 0, "SPEC",
                   "when start-up is over: tcp:[HOST:]PORT, http://HOST[:PORT]/PATH[=STATUS], "
                   "log:REGEX or exec:COMMAND"},
                  {"--ready-limit", 0, "TIME",
                   "warn when it is not ready by then, and go on (default: 60s)"},
                  {"--marks", 0, "PATH", "a FIFO; each line written to it names the phase"},
                  {"--for", 0, "TIME", "stop CMD after this time, as in 30s"},
                  {"--until-quiet", 0, "TIME", "stop CMD when nothing new was seen for this time"},
                  {"--stop-signal", 0, "SIGNAL", "what asks CMD to stop (default: TERM)"},
                  {"--no-stacks", 0, "", "do not keep who made each call first (stacks)"},
                  {"--repeat", 0, "N",
                   "record N runs of CMD, or N starts of a container that is "
                   "waited for, into one file"},
                  {"--quiet", 'q', "", "say nothing but warnings and errors"}},
      .operand = "DIR",
      .most_operands = 1,
      .takes_command = true,
      .command_optional = true,
      .run = run_record,
  };
  return verb;
}

}  // namespace whittle::cli
