#include <algorithm>
#include <cmath>

#include "base/file_system.h"
#include "base/text.h"
#include "cli/container_client.h"
#include "cli/output.h"
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
  const std::string backend = arguments.value_or("--backend", "auto");
  if (backend == "ebpf") spec.backend = record::Backend::kEbpf;
  if (backend == "ptrace") spec.backend = record::Backend::kPtrace;
  spec.under = arguments.value_or("--under", "fallbacks");
  TRY_ASSIGN(spec.filter, filter_to_record_under(spec.under));
  if (const auto ready = arguments.value("--ready")) {
    TRY_ASSIGN(spec.ready, record::parse_ready(*ready));
  }
  if (arguments.value("--for")) {
    TRY_ASSIGN(spec.time_limit, duration(arguments, "--for"));
  }
  if (arguments.value("--until-quiet")) {
    TRY_ASSIGN(spec.quiet, duration(arguments, "--until-quiet"));
  }
  return spec;
}

std::uint64_t total_calls(const evidence::Run& run) {
  std::uint64_t calls = 0;
  for (const evidence::Observation& observation : run.syscalls) calls += observation.count;
  return calls;
}

std::uint64_t total_lost(const evidence::Run& run) {
  std::uint64_t lost = 0;
  for (const auto& [kind, count] : run.lost) lost += count;
  return lost;
}

std::string run_line(const evidence::Run& run) {
  return format("{} calls, {} distinct, {} lost, {:.1f} s", total_calls(run), run.syscalls.size(),
                total_lost(run), run.duration);
}

void report_run(const record::Recorded& recorded) {
  const evidence::Run& run = recorded.run;
  print_note(format("recorded by {} ({}): {}", recorded.backend, recorded.reason, run_line(run)));
  if (run.exit.value_or(0) != 0) {
    print_note(format("the command ended with status {}", *run.exit));
  }
  for (const std::string& note : run.notes) print_note(note);
  for (const auto& [kind, count] : run.lost) {
    if (count != 0) print_warning(format("incomplete: {} lost of kind \"{}\"", count, kind));
  }
}

// A recording is not thrown away because its place has gone or is full meanwhile.
Result<void> write_evidence(const std::string& output, const evidence::Evidence& evidence) {
  const std::string text = evidence::write(evidence);
  Result<void> written = write_file(output, text);
  if (!written) {
    const std::string rescue = format("/tmp/whittle-{}.evidence.json", evidence.runs.back().id);
    if (write_file(rescue, text)) written.error().hint = "the evidence is in " + rescue;
    return written;
  }
  if (output != "-") print_note("wrote " + output);
  return {};
}

Result<int> run_record(const Arguments& arguments) {
  TRY_ASSIGN(record::RecordSpec spec, read_spec(arguments));
  if (auto client = container_client(spec.command)) return tl::unexpected(*std::move(client));
  const std::string name = workload_name(spec.command);
  const std::string output = arguments.value_or("--output", name + ".evidence.json");
  TRY(check_writable(output));
  spec.output_to_stderr = output == "-";
  const std::uint64_t repeat = parse_u64(arguments.value_or("--repeat", "1")).value_or(0);
  if (repeat < 1 || repeat > 1000) {
    return input_error("--repeat takes a number from 1 to 1000");
  }
  evidence::Evidence evidence;
  evidence.workload = name;
  bool checkpoint_failed = false;
  spec.checkpoint = [&](const evidence::Run& run) {
    show_progress("recording: " + run_line(run));
    if (output == "-" || checkpoint_failed) return;
    evidence::Evidence so_far = evidence;
    so_far.runs.push_back(run);
    if (const auto written = write_file(output, evidence::write(so_far)); !written) {
      checkpoint_failed = true;
      print_warning("cannot write the checkpoint: " + written.error().text());
    }
  };
  bool interrupted = false;
  for (std::uint64_t i = 0; i < repeat && !interrupted; ++i) {
    Result<record::Recorded> recorded = record::record(spec);
    end_progress();
    if (!recorded) {
      // What the runs before it gave is kept.
      if (!evidence.runs.empty()) TRY(write_evidence(output, evidence));
      return tl::unexpected(std::move(recorded).error());
    }
    report_run(*recorded);
    evidence.runs.push_back(std::move(recorded->run));
    interrupted = recorded->interrupted;
  }
  TRY(write_evidence(output, evidence));
  return evidence.complete() ? 0 : 1;
}

}  // namespace

const Verb& record_verb() {
  static const Verb verb = {
      .name = "record",
      .summary = "run a command and write down every system call that it needs",
      .synopsis = "[-o EVIDENCE] [OPTION...] -- CMD...",
      .description =
          "Runs CMD and records the system calls of it, its threads and all its children, from its "
          "own execve on: counts, results, phases, and the arguments that matter for a profile. "
          "Drive the workload through all that it does in production while it is recorded; end it "
          "as you would end it there, or with Ctrl-C.\n\n"
          "With privilege the calls are counted in the kernel by eBPF: none can be lost to load, "
          "and CMD runs at native speed. Without privilege ptrace is used: the same evidence, but "
          "CMD runs slower, which can make it take other paths; such a run is marked \"timing\": "
          "\"perturbed\". --backend ebpf or ptrace insists on one.\n\n"
          "A profile answers clone3 with ENOSYS, since its flags cannot be filtered, and C "
          "libraries then use clone. So that what is recorded is what happens under the profile, "
          "CMD runs with clone3 already so answered (--under fallbacks). --under BASELINE records "
          "under a whole baseline, --under none with no filter.\n\n"
          "Exit status: 0 when the evidence is complete, whatever CMD did (its status is in the "
          "evidence), 1 when something was lost, 2 for bad usage or a command that cannot be run, "
          "3 when the machine lacks something.",
      .examples = {"whittle record -- nginx -g 'daemon off;'        # until nginx ends",
                   "whittle record --ready tcp:6379 -o redis.evidence.json -- redis-server",
                   "whittle record --repeat 3 -- ./run-all-tests",
                   "whittle record --backend ptrace --for 30s -- ./server"},
      .options = {{"--output", 'o', "FILE",
                   "where to write the evidence (default: NAME.evidence.json)"},
                  {"--backend",
                   0,
                   "BACKEND",
                   "how to record: auto, ebpf or ptrace (default: auto)",
                   {"auto", "ebpf", "ptrace"}},
                  {"--under", 0, "FILTER",
                   "fallbacks, a baseline such as docker, or none (default: fallbacks)"},
                  {"--ready", 0, "SPEC", "when start-up is over: tcp:[HOST:]PORT or exec:COMMAND"},
                  {"--for", 0, "TIME", "stop CMD after this time, as in 30s"},
                  {"--until-quiet", 0, "TIME", "stop CMD when nothing new was seen for this time"},
                  {"--repeat", 0, "N", "record N runs of CMD into one evidence file"}},
      .takes_command = true,
      .run = run_record,
  };
  return verb;
}

}  // namespace whittle::cli
