#include "cli/record_workload.h"

#include <utility>

#include "base/file_system.h"
#include "base/text.h"
#include "cli/live_view.h"
#include "cli/load_workload.h"
#include "cli/output.h"
#include "cli/record_output.h"
#include "cli/under.h"
#include "filter/compile.h"
#include "host/prepared_run.h"
#include "host/workload.h"
#include "profile/profile.h"
#include "record/workload_recording.h"

namespace whittle::cli {

namespace {

Result<void> refuse_options_of_commands(const Arguments& arguments) {
  for (const char* option : {"--ready", "--ready-limit", "--marks", "--stop-signal", "--pid",
                             "--cgroup", "--container"}) {
    if (arguments.value(option)) {
      return input_error(format("{} does not go with a workload", option), {},
                         "its workload.yaml says how it starts, is ready, exercised and stopped");
    }
  }
  if (!arguments.command().empty()) {
    return input_error("a command and a workload were given", {}, "record one, or the other");
  }
  if (arguments.operands().size() > 1) {
    return input_error("more than one workload was given", printable(arguments.operands()[1]),
                       "record them one after another");
  }
  return {};
}

// In a container the filter is in the document, and what it becomes is read back.
Result<host::RunFilter> filter_of(const host::Workload& workload, record::RecordSpec& spec) {
  host::RunFilter filter;
  if (workload.run.runtime.empty()) {
    filter.program = spec.filter;
    return filter;
  }
  if (!record::may_use_ebpf() || spec.backend == record::Backend::kPtrace) {
    return environment_error("a container is recorded by eBPF, which needs root", workload.path);
  }
  TRY_ASSIGN(const profile::Profile profile, profile_to_record_under(spec.under));
  filter.profile_json = profile::write_oci(profile);
  TRY_ASSIGN(filter::Compiled compiled,
             filter::compile(profile, workload.run.runtime == "runc" ? filter::Flavour::kRunc
                                                                     : filter::Flavour::kCrun));
  spec.judged_by = std::move(compiled.program);
  return filter;
}

void report(const record::Exercised& exercised) {
  const record::Recorded& recorded = exercised.recorded;
  print_note(format("recorded by {} ({}): {}, {:.1f} s", recorded.backend, recorded.reason,
                    run_summary(recorded.run), recorded.run.duration));
  for (const host::ExerciseResult& result : exercised.results) {
    if (result.ok) print_note(format("{}: {}", result.name, printable(result.detail, 1000)));
  }
  for (const std::string& note : recorded.run.notes) print_note(note);
}

void warn_of_failures(const record::Exercised& exercised) {
  bool good = true;
  for (const host::ExerciseResult& result : exercised.results) {
    if (!result.ok) print_warning(format("{}: {}", result.name, printable(result.detail, 2000)));
    good = good && result.ok;
  }
  if (!good) print_tail(exercised.recorded.output);
}

}  // namespace

Result<int> record_workload(const Arguments& arguments, record::RecordSpec spec) {
  TRY(refuse_options_of_commands(arguments));
  TRY_ASSIGN(const host::Workload workload, load_workload("record", arguments.operands().at(0)));
  const std::uint64_t repeat = parse_u64(arguments.value_or("--repeat", "1")).value_or(0);
  if (repeat < 1 || repeat > 1000) {
    return input_error("--repeat takes a number from 1 to 1000");
  }
  const std::string output = arguments.value_or("--output", workload.evidence);
  TRY(check_writable(output));
  const bool quiet = arguments.flag("--quiet");
  spec.keep_output = true;
  spec.warn = [](const std::string& text) { print_warning(text); };
  evidence::Evidence evidence;
  evidence.workload = workload.name;
  LiveView view;
  bool checkpoint_failed = false;
  spec.checkpoint = [&](const evidence::Run& run, const std::string& phase) {
    if (!quiet) view.show(run, phase);
    if (output == "-" || checkpoint_failed) return;
    evidence::Evidence so_far = evidence;
    so_far.runs.push_back(run);
    if (const auto written = write_file(output, evidence::write(so_far)); !written) {
      checkpoint_failed = true;
      print_warning("cannot write the checkpoint: " + written.error().text());
    }
  };
  const record::SignalCatcher signals;
  for (std::uint64_t i = 0; i < repeat && record::SignalCatcher::caught() == 0; ++i) {
    view = {};
    record::RecordSpec one = spec;
    TRY_ASSIGN(host::RunFilter filter, filter_of(workload, one));
    TRY_ASSIGN(host::PreparedRun prepared,
               host::PreparedRun::prepare(workload.run, std::move(filter)));
    auto exercised = record::record_workload(workload, one, prepared);
    end_progress();
    if (!exercised) {
      // What the runs before it gave is kept.
      if (!evidence.runs.empty()) TRY(write_evidence(output, evidence, quiet));
      return tl::unexpected(std::move(exercised).error());
    }
    record::count_unseen(*exercised);
    if (!quiet) report(*exercised);
    warn_of_failures(*exercised);
    warn_of_loss(exercised->recorded.run);
    evidence.runs.push_back(std::move(exercised->recorded.run));
  }
  TRY(write_evidence(output, evidence, quiet));
  return evidence.complete() ? 0 : 1;
}

}  // namespace whittle::cli
