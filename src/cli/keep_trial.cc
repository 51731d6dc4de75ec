#include "cli/keep_trial.h"

#include <utility>

#include "base/file_system.h"
#include "base/sha256.h"
#include "cli/trial_report.h"
#include "trial/trial_record.h"

namespace whittle::cli {

Result<std::string> keep_trial(const trial::TrialSpec& spec, const trial::TrialReport& report,
                               const std::string& evidence) {
  const std::string path = trial::trial_record_path(spec.workload.profile);
  if (path.empty()) return std::string();
  TRY_ASSIGN(auto known, trial::load_trial_record(spec.workload.profile));
  if (!known && !report.pass()) return std::string();
  trial::TrialRecord record = std::move(known).value_or(trial::TrialRecord());
  record.workload = spec.workload.name;
  trial::RecordedTrial trial;
  trial.sha256 = sha256(spec.profile_json);
  trial.started = report.run.started;
  trial.seconds = report.run.duration;
  trial.mode = spec.mode;
  trial.runtime = runtime_name(spec);
  trial.via = trial::via_name(report.via);
  trial.pass = report.pass();
  trial.complete = report.run.complete;
  for (const host::ExerciseResult& result : report.exercises) {
    trial.exercises.emplace_back(result.name, result.ok);
  }
  trial.denials = report.denials.size();
  trial.undecided = report.undecided.size();
  trial.evidence = evidence;
  trial.versions = version_lines(report.versions);
  record.add(std::move(trial));
  TRY(write_file(path, trial::write_trial_record(record)));
  return path;
}

}  // namespace whittle::cli
