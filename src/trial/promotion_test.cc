#include "trial/promotion.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "base/sha256.h"
#include "syscalls/table.h"

namespace whittle::trial {
namespace {

using profile::Action;
using profile::Operator;
using profile::Profile;
using profile::Rule;
using profile::Verdict;
using syscalls::Arch;

constexpr Verdict kAllow{Action::kAllow, 0};
constexpr Verdict kEnosys{Action::kErrno, ENOSYS};
constexpr Verdict kLog{Action::kLog, 0};

Profile profile_of(std::vector<Rule> rules) {
  Profile::Parts parts;
  parts.architectures = {"SCMP_ARCH_X86_64"};
  parts.rules = std::move(rules);
  return Profile(std::move(parts));
}

Verdict answer(const Profile& profile, const std::string& name,
               const std::array<std::uint64_t, 6>& args = {}) {
  return profile::documented_verdict(profile, Arch::kX86_64, name, args);
}

TEST(LogVariant, LogsWhatIsRefusedAndKeepsFallbacks) {
  const Profile profile = profile_of({{{"read"}, kAllow, {}},
                                      {{"clone3"}, kEnosys, {}},
                                      {{"mkdir"}, {Action::kErrno, EACCES}, {}},
                                      {{"rmdir"}, {Action::kKillProcess, 0}, {}},
                                      {{"socket"}, kAllow, {{0, 2, 0, Operator::kEq}}}});
  const auto variant = log_variant(profile);
  ASSERT_TRUE(variant) << variant.error().text();
  EXPECT_EQ(answer(*variant, "read"), kAllow);
  EXPECT_EQ(answer(*variant, "clone3"), kEnosys);
  for (const char* name : {"mkdir", "rmdir", "mount"})
    EXPECT_EQ(answer(*variant, name), kLog) << name;
  EXPECT_EQ(answer(*variant, "socket", {2}), kAllow);
  EXPECT_EQ(answer(*variant, "socket", {38}), kLog);
}

TEST(LogVariant, ARefusalOfTheWholeCallKeepsItsRank) {
  const Profile profile = profile_of({{{"read"}, kAllow, {}},
                                      {{"mkdir"}, {Action::kErrno, EACCES}, {}},
                                      {{"mkdir"}, kAllow, {{1, 7, 0, Operator::kEq}}}});
  ASSERT_FALSE(answer(profile, "mkdir", {0, 7}).allows());
  const auto variant = log_variant(profile);
  ASSERT_TRUE(variant) << variant.error().text();
  EXPECT_EQ(answer(*variant, "mkdir", {0, 7}), kLog);
}

TEST(LogVariant, OfADenyListOnlyTheListIsLogged) {
  Profile::Parts parts;
  parts.default_verdict = kAllow;
  parts.architectures = {"SCMP_ARCH_X86_64"};
  parts.rules = {{{"mkdir"}, {Action::kErrno, EACCES}, {}}};
  const auto variant = log_variant(Profile(parts));
  ASSERT_TRUE(variant) << variant.error().text();
  EXPECT_EQ(answer(*variant, "mkdir"), kLog);
  EXPECT_EQ(answer(*variant, "rmdir"), kAllow);
}

TEST(LogVariant, OfADefaultOfENOSYSTheRefusalsAreLogged) {
  Profile::Parts parts;
  parts.default_verdict = kEnosys;
  parts.architectures = {"SCMP_ARCH_X86_64"};
  parts.rules = {{{"read"}, kAllow, {}}};
  const auto variant = log_variant(Profile(parts));
  ASSERT_TRUE(variant) << variant.error().text();
  EXPECT_EQ(answer(*variant, "mkdir"), kLog);
}

evidence::Observation call(std::string name, const std::string& sockets = {}) {
  evidence::Observation observation;
  observation.arch = Arch::kX86_64;
  observation.nr = syscalls::number(Arch::kX86_64, name).value();
  observation.name = std::move(name);
  observation.count = 1;
  if (!sockets.empty())
    observation.tuples = {{{0, 1, 2}, true, {{sockets == "unix" ? 1U : 16U, 1, 0}}}};
  return observation;
}

std::vector<std::string> problems(std::vector<evidence::Observation> calls, bool complete = true) {
  const Profile profile = profile_of({{{"read"}, kAllow, {}},
                                      {{"clone3"}, kEnosys, {}},
                                      {{"socket"}, kAllow, {{0, 1, 0, Operator::kEq}}}});
  evidence::Evidence evidence;
  evidence::Run& run = evidence.runs.emplace_back();
  run.id = "0123456789abcdef";
  run.started = "2026-11-24T22:05:27.093Z";
  run.duration = 7200;
  run.complete = complete;
  run.syscalls = std::move(calls);
  const evidence::Evidence deployed[] = {evidence};
  const auto observed = log_observation(profile, "x", std::nullopt, deployed);
  EXPECT_TRUE(observed) << observed.error().text();
  EXPECT_NEAR(observed->span(), 7200, 0.01);
  return observed->problems;
}

TEST(LogObservation, HoldsEvidenceAgainstTheProfile) {
  EXPECT_TRUE(problems({call("read"), call("socket", "unix")}).empty());
  EXPECT_EQ(problems({call("read"), call("mkdir")}).size(), 1U);
  EXPECT_EQ(problems({call("socket", "netlink")}).size(), 1U);
  EXPECT_EQ(problems({call("socket")}).size(), 1U);  // its arguments are not known
  EXPECT_TRUE(problems({call("clone3")}).empty());   // a fallback
  EXPECT_EQ(problems({call("read")}, false).size(), 1U);
}

RecordedTrial trial_of(Mode mode, bool pass, std::string started) {
  RecordedTrial trial;
  trial.sha256 = sha256("a");
  trial.started = std::move(started);
  trial.seconds = 10;
  trial.mode = mode;
  trial.runtime = "none";
  trial.via = "ebpf";
  trial.pass = trial.complete = pass;
  trial.exercises = {{"ready", true}, {"reload", pass}};
  trial.denials = pass ? 0 : 2;
  trial.versions = {{"kernel", "6.1"}};
  return trial;
}

TEST(LogObservation, GoesByTheLastTrialInLogMode) {
  const Profile profile = profile_of({{{"read"}, kAllow, {}}});
  const std::string hash = sha256("a");
  std::optional<TrialRecord> record;
  EXPECT_EQ(log_observation(profile, hash, record, {})->problems.size(), 1U);
  record.emplace();
  record->add(trial_of(Mode::kEnforce, true, "2026-11-01T00:00:00Z"));
  EXPECT_EQ(log_observation(profile, hash, record, {})->problems.size(), 1U);
  record->add(trial_of(Mode::kLog, true, "2026-11-01T00:00:00.000Z"));
  record->add(trial_of(Mode::kLog, true, "2026-11-03T00:00:00.000Z"));
  const auto observed = log_observation(profile, hash, record, {});
  EXPECT_TRUE(observed->problems.empty());
  EXPECT_NEAR(observed->span(), 2 * 86400 + 10, 0.01);
  EXPECT_FALSE(log_observation(profile, sha256("b"), record, {})->problems.empty());
  record->add(trial_of(Mode::kLog, false, "2026-11-04T00:00:00.000Z"));
  EXPECT_FALSE(log_observation(profile, hash, record, {})->problems.empty());
}

TEST(TrialRecord, IsReadAsItWasWritten) {
  TrialRecord record;
  record.workload = "web";
  record.add(trial_of(Mode::kLog, false, "2026-11-01T00:00:00Z"));
  record.add(trial_of(Mode::kEnforce, true, "2026-11-01T00:00:00.123Z"));
  record.trials.back().evidence = "web.evidence.json";
  const std::string text = write_trial_record(record);
  const auto read = read_trial_record(text, "web.trial.json");
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(read->trials, record.trials);
  EXPECT_EQ(write_trial_record(*read), text);
}

TEST(TrialRecord, IsOfOneDocumentAndKeepsItsFirst) {
  TrialRecord record;
  for (int i = 0; i < 1500; ++i) record.add(trial_of(Mode::kLog, true, "2026-11-01T00:00:00Z"));
  EXPECT_EQ(record.trials.size(), kMostRecordedTrials);
  RecordedTrial other = trial_of(Mode::kLog, true, "2026-11-02T00:00:00Z");
  other.sha256 = sha256("b");
  record.add(other);
  EXPECT_EQ(record.trials.size(), 1U);
  EXPECT_EQ(record.last(sha256("a"), Mode::kLog), nullptr);
}

TEST(TrialRecord, StandsBesideTheProfile) {
  EXPECT_EQ(trial_record_path("a/web.profile.json"), "a/web.trial.json");
  EXPECT_EQ(trial_record_path("a/web.json"), "a/web.trial.json");
  EXPECT_EQ(trial_record_path("web"), "web.trial.json");
  EXPECT_EQ(trial_record_path("-"), "");
  EXPECT_EQ(trial_record_path("baseline:docker"), "");
}

TEST(TrialRecord, SaysWhereItIsWrong) {
  const std::string good =
      write_trial_record({"web", {trial_of(Mode::kLog, true, "2026-11-01T00:00:00Z")}});
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    const auto read = read_trial_record(text, "f");
    return read ? std::string("read") : read.error().place;
  };
  EXPECT_NE(with("trial/v1", "trial/v9").find("/schema"), std::string::npos);
  EXPECT_NE(with("\"log\"", "\"lag\"").find("/trials/0/mode"), std::string::npos);
  EXPECT_NE(with("2026-11-01", "2026-13-01").find("/trials/0/started"), std::string::npos);
  EXPECT_NE(with("\"seconds\": 10", "\"seconds\": -1").find("/trials/0/seconds"),
            std::string::npos);
}

}  // namespace
}  // namespace whittle::trial
