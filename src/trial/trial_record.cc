#include "trial/trial_record.h"

#include <algorithm>
#include <filesystem>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/json.h"
#include "base/text.h"

namespace whittle::trial {

namespace {

constexpr std::string_view kSchema = "whittle.trial/v1";
constexpr std::size_t kMostBytes = 16U << 20U;

std::string_view mode_word(Mode mode) { return mode == Mode::kLog ? "log" : "enforce"; }

json::Value to_json(const RecordedTrial& trial) {
  json::Array exercises;
  for (const auto& [name, ok] : trial.exercises) {
    json::Value exercise;
    exercise.set("name", name).set("ok", ok);
    exercises.push_back(std::move(exercise));
  }
  json::Value versions = json::Object();
  for (const auto& [name, text] : trial.versions) versions.set(name, text);
  json::Value value;
  value.set("sha256", trial.sha256).set("started", trial.started).set("seconds", trial.seconds);
  value.set("mode", mode_word(trial.mode)).set("runtime", trial.runtime).set("via", trial.via);
  value.set("verdict", trial.pass ? "pass" : "fail").set("complete", trial.complete);
  value.set("exercises", std::move(exercises));
  value.set("denials", trial.denials).set("undecided", trial.undecided);
  value.set("evidence", trial.evidence.empty() ? json::Value() : json::Value(trial.evidence));
  value.set("versions", std::move(versions));
  return value;
}

// One of two words.
Result<bool> word(const json::View& view, std::string_view yes, std::string_view no) {
  TRY_ASSIGN(const std::string text, view.string());
  if (text != yes && text != no) return view.error(format("is neither {} nor {}", yes, no));
  return text == yes;
}

Result<std::string> text_at(const json::View& view, std::string_view key) {
  TRY_ASSIGN(const json::View member, view.at(key));
  return member.string();
}

Result<void> read_lists(const json::View& view, RecordedTrial& trial) {
  TRY_ASSIGN(const json::View exercises, view.at("exercises"));
  TRY_ASSIGN(const auto items, exercises.items());
  for (const json::View& item : items) {
    TRY_ASSIGN(std::string name, text_at(item, "name"));
    TRY_ASSIGN(const json::View ok, item.at("ok"));
    TRY_ASSIGN(const bool held, ok.boolean());
    trial.exercises.emplace_back(std::move(name), held);
  }
  TRY_ASSIGN(const json::View versions, view.at("versions"));
  TRY_ASSIGN(const auto members, versions.members());
  for (const auto& [name, value] : members) {
    TRY_ASSIGN(std::string text, value.string());
    trial.versions.emplace_back(name, std::move(text));
  }
  return {};
}

Result<RecordedTrial> read_trial(const json::View& view) {
  RecordedTrial trial;
  TRY_ASSIGN(trial.sha256, text_at(view, "sha256"));
  TRY_ASSIGN(trial.started, text_at(view, "started"));
  TRY_ASSIGN(trial.runtime, text_at(view, "runtime"));
  TRY_ASSIGN(trial.via, text_at(view, "via"));
  TRY_ASSIGN(const json::View seconds, view.at("seconds"));
  TRY_ASSIGN(trial.seconds, seconds.number());
  if (!(trial.seconds >= 0)) return seconds.error("is below 0");
  if (!seconds_since_1970(trial.started)) {
    TRY_ASSIGN(const json::View started, view.at("started"));
    return started.error("is no time as in 2026-11-24T22:05:27.093Z");
  }
  TRY_ASSIGN(const json::View mode, view.at("mode"));
  TRY_ASSIGN(const bool log, word(mode, "log", "enforce"));
  trial.mode = log ? Mode::kLog : Mode::kEnforce;
  TRY_ASSIGN(const json::View verdict, view.at("verdict"));
  TRY_ASSIGN(trial.pass, word(verdict, "pass", "fail"));
  TRY_ASSIGN(const json::View complete, view.at("complete"));
  TRY_ASSIGN(trial.complete, complete.boolean());
  TRY_ASSIGN(const json::View denials, view.at("denials"));
  TRY_ASSIGN(trial.denials, denials.u64());
  TRY_ASSIGN(const json::View undecided, view.at("undecided"));
  TRY_ASSIGN(trial.undecided, undecided.u64());
  TRY_ASSIGN(const json::View evidence, view.at("evidence"));
  if (!evidence.value().is_null()) {
    TRY_ASSIGN(trial.evidence, evidence.string());
  }
  TRY(read_lists(view, trial));
  return trial;
}

}  // namespace

void TrialRecord::add(RecordedTrial trial) {
  std::erase_if(trials, [&](const RecordedTrial& each) { return each.sha256 != trial.sha256; });
  if (trials.size() >= kMostRecordedTrials) {
    // The first ones say since when the profile has been tried.
    trials.erase(trials.begin() + static_cast<std::ptrdiff_t>(trials.size() / 2));
  }
  trials.push_back(std::move(trial));
}

const RecordedTrial* TrialRecord::last(std::string_view sha256, Mode mode) const {
  const auto found = std::find_if(trials.rbegin(), trials.rend(), [&](const RecordedTrial& each) {
    return each.sha256 == sha256 && each.mode == mode;
  });
  return found == trials.rend() ? nullptr : &*found;
}

std::string trial_record_path(const std::string& profile) {
  if (profile.empty() || profile == "-" || profile.starts_with("baseline:")) return {};
  std::string path = profile;
  for (const std::string_view suffix : {".profile.json", ".json"}) {
    if (!path.ends_with(suffix)) continue;
    path.resize(path.size() - suffix.size());
    break;
  }
  return path + ".trial.json";
}

Result<TrialRecord> read_trial_record(std::string_view text, std::string_view place) {
  json::Limits limits;
  limits.bytes = kMostBytes;
  TRY_ASSIGN(const json::Value document, json::parse(text, place, limits));
  const json::View root(document, std::string(place));
  TRY_ASSIGN(const json::View schema, root.at("schema"));
  TRY_ASSIGN(const std::string name, schema.string());
  if (name != kSchema) {
    return schema.error(format("is \"{}\", not \"{}\"", printable(name), kSchema));
  }
  TrialRecord record;
  TRY_ASSIGN(record.workload, text_at(root, "workload"));
  TRY_ASSIGN(const json::View trials, root.at("trials"));
  TRY_ASSIGN(const auto items, trials.items());
  if (items.size() > kMostRecordedTrials) {
    return trials.error(format("holds more than {} trials", kMostRecordedTrials));
  }
  for (const json::View& item : items) {
    TRY_ASSIGN(RecordedTrial trial, read_trial(item));
    record.trials.push_back(std::move(trial));
  }
  return record;
}

std::string write_trial_record(const TrialRecord& record) {
  json::Array trials;
  for (const RecordedTrial& trial : record.trials) trials.push_back(to_json(trial));
  json::Value value;
  value.set("schema", kSchema).set("workload", record.workload);
  value.set("trials", std::move(trials));
  return json::dump(value) + "\n";
}

Result<std::optional<TrialRecord>> load_trial_record(const std::string& profile) {
  const std::string path = trial_record_path(profile);
  std::error_code error;
  if (path.empty() || !std::filesystem::exists(path, error)) return std::optional<TrialRecord>();
  TRY_ASSIGN(const std::string text, read_file(path, kMostBytes));
  TRY_ASSIGN(TrialRecord record, read_trial_record(text, path));
  return std::optional<TrialRecord>(std::move(record));
}

}  // namespace whittle::trial
