#include "record/workload_recording.h"

#include <utility>

#include "base/text.h"

namespace whittle::record {

namespace {

using host::ExerciseResult;

Result<std::optional<ReadySpec>> ready_of(const host::Workload& workload) {
  if (workload.ready.empty()) return std::optional<ReadySpec>();
  auto spec = parse_ready(workload.ready);
  if (!spec) {
    spec.error().place = workload.path + " /ready";
    return tl::unexpected(std::move(spec).error());
  }
  return std::optional(*std::move(spec));
}

std::string status_text(const Recorded& recorded) {
  return recorded.status ? recorded.status->text() : "its end was not seen";
}

// It ended with success, or by the signal that it was sent.
bool ended_well(const Recorded& recorded, int stop_signal) {
  if (!recorded.status || recorded.killed) return false;
  return recorded.status->success() ||
         (recorded.asked_to_stop && recorded.status->shell_code() == 128 + stop_signal);
}

ExerciseResult result_of(const char* name, bool ok, double seconds, std::string detail) {
  ExerciseResult result;
  result.name = name;
  result.ok = ok;
  result.detail = std::move(detail);
  result.done = 1;
  result.failed = ok ? 0 : 1;
  result.seconds = seconds;
  return result;
}

ExerciseResult ready_result(const host::Workload& workload, const Recorded& recorded) {
  if (recorded.ready_after && *recorded.ready_after <= workload.ready_limit) {
    return result_of("ready", true, *recorded.ready_after,
                     format("{} after {:.2f} s", printable(workload.ready), *recorded.ready_after));
  }
  const std::string what = format("{} was not there", printable(workload.ready));
  if (recorded.asked_to_stop) {
    return result_of("ready", false, workload.ready_limit,
                     format("{} within {:g} s", what, workload.ready_limit));
  }
  return result_of("ready", false, recorded.run.duration,
                   format("{} when the workload ended: {}", what, status_text(recorded)));
}

ExerciseResult stop_result(const host::Workload& workload, const Recorded& recorded) {
  const std::string signal = signal_name(workload.stop_signal);
  std::string detail;
  if (!recorded.asked_to_stop) {
    detail = "it ended by itself: " + status_text(recorded);
  } else if (recorded.killed) {
    detail =
        format("it had to be killed, still running {:g} s after {}", workload.stop_limit, signal);
  } else {
    detail = format("{} {:.2f} s after {}", status_text(recorded), recorded.stopping, signal);
  }
  const bool ok = recorded.asked_to_stop && ended_well(recorded, workload.stop_signal);
  return result_of("stop", ok, recorded.stopping, std::move(detail));
}

// A stop with another status, or a command alone that failed, was seen to its end all the same.
bool seen_whole(const ExerciseResult& result, const Recorded& recorded) {
  if (result.ok || result.name == "run") return true;
  return result.name == "stop" && !recorded.killed;
}

std::vector<ExerciseResult> results_of(const host::Workload& workload, const Recorded& recorded,
                                       std::vector<ExerciseResult> exercises) {
  if (workload.ready.empty() && workload.exercises.empty()) {
    return {result_of("run", ended_well(recorded, workload.stop_signal), recorded.run.duration,
                      status_text(recorded))};
  }
  std::vector<ExerciseResult> all;
  if (!workload.ready.empty()) all.push_back(ready_result(workload, recorded));
  if (exercises.empty()) {
    for (const host::Exercise& exercise : workload.exercises) {
      all.push_back(result_of(exercise.name.c_str(), false, 0, "not tried: it was not ready"));
      all.back().done = 0;
    }
  }
  std::move(exercises.begin(), exercises.end(), std::back_inserter(all));
  all.push_back(stop_result(workload, recorded));
  return all;
}

}  // namespace

void count_unseen(Exercised& exercised) {
  std::vector<std::string> unseen;
  for (const ExerciseResult& result : exercised.results) {
    if (!seen_whole(result, exercised.recorded)) unseen.push_back(result.name);
  }
  evidence::Run& run = exercised.recorded.run;
  run.lost["exercises"] = unseen.size();
  if (unseen.empty()) return;
  run.complete = false;
  run.notes.push_back("not seen as workload.yaml asks: " + join(unseen, ", "));
}

Result<void> check_workload(const host::Workload& workload) {
  TRY(ready_of(workload));
  return {};
}

Result<Exercised> record_workload(const host::Workload& workload, RecordSpec spec,
                                  host::PreparedRun& prepared, const Runner& run) {
  TRY_ASSIGN(spec.ready, ready_of(workload));
  spec.ready_limit = workload.ready_limit;
  spec.stop_signal = workload.stop_signal;
  spec.stop_limit = workload.stop_limit;
  spec.command = prepared.command();
  spec.prepared = &prepared;
  std::vector<ExerciseResult> exercises;
  if (spec.ready || !workload.exercises.empty()) {
    spec.drive = [&](host::Running& running) {
      exercises = host::run_exercises(workload, running);
    };
  }
  Exercised exercised;
  TRY_ASSIGN(exercised.recorded, run(spec));
  if (prepared.runtime() != nullptr) {
    exercised.recorded.run.runtime =
        format("{} {}", prepared.runtime()->path.substr(prepared.runtime()->path.rfind('/') + 1),
               prepared.runtime()->version);
  }
  exercised.results = results_of(workload, exercised.recorded, std::move(exercises));
  return exercised;
}

}  // namespace whittle::record
