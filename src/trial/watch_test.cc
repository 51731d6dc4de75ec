// Folding, the rule that would allow a call, and drift against evidence.
#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

#include "filter/compile.h"
#include "syscalls/table.h"
#include "trial/watch_drift.h"
#include "trial/watch_fold.h"
#include "trial/watch_rule.h"

namespace whittle::trial {
namespace {

using profile::Action;
using syscalls::Arch;

Denial call(const char* name, std::array<std::uint64_t, 6> args, std::uint64_t count = 1) {
  Denial denial;
  denial.syscall = name;
  denial.nr = *syscalls::number(Arch::kX86_64, name);
  denial.args = args;
  denial.first.args = args;
  denial.first.known = 0x3f;
  denial.verdict = {Action::kErrno, EPERM};
  denial.comm = "worker";
  denial.count = count;
  return denial;
}

Sighting denied(Denial of, std::uint8_t told_by = 0) {
  Sighting sighting;
  sighting.call = std::move(of);
  sighting.told_by = told_by;
  return sighting;
}

struct Shown {
  std::vector<std::uint64_t> counts;
  SightingLog log{[this](const Sighting& sighting) {
    counts.push_back(sighting.call.count);
    return true;
  }};
};

TEST(SightingLog, TellsAtOnceAndThenOnceASecondWhenTheCountGrows) {
  Shown shown;
  const auto seen = [&](std::uint64_t count) {
    shown.log.update(1, 0, std::vector{denied(call("mkdir", {}, count))});
  };
  seen(1);
  shown.log.flush(10, false);
  seen(5);
  shown.log.flush(10.9, false);
  EXPECT_EQ(shown.counts, (std::vector<std::uint64_t>{1}));
  shown.log.flush(11, false);
  shown.log.flush(13, false);  // it has not grown
  EXPECT_EQ(shown.counts, (std::vector<std::uint64_t>{1, 5}));
  seen(6);
  shown.log.flush(11.1, true);
  EXPECT_EQ(shown.counts, (std::vector<std::uint64_t>{1, 5, 6}));
}

TEST(SightingLog, AddsUpWhatIsAlikeAndTheLivesOfATarget) {
  Shown shown;
  const std::vector alike = {denied(call("socket", {38, 5, 0x7fff}, 2), 1),
                             denied(call("socket", {38, 5, 0x8000}, 3), 1),
                             denied(call("socket", {16, 3, 0}, 7), 1)};
  shown.log.update(1, 0, alike);
  shown.log.update(1, 0, alike);  // the same, seen again
  EXPECT_EQ(shown.log.totals(SightingKind::kDenial).kinds, 2U);
  EXPECT_EQ(shown.log.totals(SightingKind::kDenial).calls, 12U);
  shown.log.update(2, 0, std::vector{alike[2]});
  EXPECT_EQ(shown.log.totals(SightingKind::kDenial).calls, 19U);
  shown.log.update(2, 1, std::vector{alike[2]});  // by what entered later: another kind
  EXPECT_EQ(shown.log.totals(SightingKind::kDenial).kinds, 3U);
}

TEST(SightingLog, DoesNotTellFallbacksAndEndsWhenNobodyReads) {
  SightingLog log([](const Sighting&) { return false; });
  Sighting fallback = denied(call("clone3", {}));
  fallback.kind = SightingKind::kFallback;
  log.update(1, 0, std::vector{fallback});
  EXPECT_TRUE(log.flush(1, true));
  EXPECT_EQ(log.calls(SightingKind::kFallback).at("clone3"), 1U);
  log.update(1, 0, std::vector{denied(call("mkdir", {}))});
  EXPECT_FALSE(log.flush(1, true));
}

profile::Profile with(std::vector<profile::Rule> rules, profile::Verdict verdict) {
  profile::Profile::Parts parts;
  parts.architectures = {"SCMP_ARCH_X86_64"};
  parts.default_verdict = verdict;
  parts.rules = std::move(rules);
  return profile::Profile(std::move(parts));
}

constexpr profile::Verdict kAllow = {Action::kAllow, 0};
constexpr profile::Verdict kRefuse = {Action::kErrno, EPERM};

TEST(AllowanceFor, IsAsNarrowAsTheValuesThatWereSeen) {
  const profile::Profile listed = with({{{"read"}, kAllow, {}}}, kRefuse);
  const std::uint8_t by = rule_arguments(Arch::kX86_64, "socket");
  EXPECT_EQ(by, 0b111);
  const Allowance allowance = allowance_for(call("socket", {38, 5, 0}), by, &listed);
  ASSERT_TRUE(allowance.rule);
  EXPECT_TRUE(allowance.taken_away.empty());
  ASSERT_EQ(allowance.rule->args.size(), 3U);
  EXPECT_EQ(allowance.rule->args[0],
            (profile::Condition{0, UINT32_MAX, 38, profile::Operator::kMaskedEq}));
  Denial unseen = call("socket", {});
  unseen.first.known = 0;
  EXPECT_TRUE(allowance_for(unseen, by, &listed).rule->args.empty());
  EXPECT_TRUE(allowance_for(call("mkdir", {}), 0, nullptr).rule->args.empty());
}

TEST(AllowanceFor, TakesACallOutOfTheRulesThatRefuseIt) {
  const profile::Profile open = with({{{"mkdir", "rmdir"}, kRefuse, {}},
                                      {{"socket"}, kRefuse, {{0, 38, 0, profile::Operator::kEq}}},
                                      {{"socket"}, kRefuse, {{0, 16, 0, profile::Operator::kEq}}}},
                                     kAllow);
  const Allowance rmdir = allowance_for(call("rmdir", {}), 0, &open);
  EXPECT_FALSE(rmdir.rule);
  ASSERT_EQ(rmdir.taken_away.size(), 1U);
  EXPECT_EQ(rmdir.taken_away[0].name, 1U);
  EXPECT_FALSE(rmdir.taken_away[0].whole);
  const Allowance socket = allowance_for(call("socket", {38}), 1, &open);
  ASSERT_EQ(socket.taken_away.size(), 1U);
  EXPECT_EQ(socket.taken_away[0].rule, 1U);
  EXPECT_TRUE(socket.taken_away[0].whole);
}

TEST(AllowanceFor, SaysWhyThereIsNone) {
  const profile::Profile listed = with({}, kRefuse);
  Denial other = call("mkdir", {});
  other.arch = Arch::kX86;
  EXPECT_EQ(allowance_for(other, 0, &listed).none, "the profile does not list x86");
  other.syscall = "syscall_999";
  EXPECT_FALSE(allowance_for(other, 0, nullptr).is_one());
}

evidence::Observation observed(const char* name, std::uint64_t count) {
  evidence::Observation seen;
  seen.name = name;
  seen.nr = *syscalls::number(Arch::kX86_64, name);
  seen.count = count;
  return seen;
}

record::JudgedCall judged(const char* name, std::array<std::uint64_t, 6> args,
                          std::uint64_t count) {
  record::JudgedCall call;
  call.arch = Arch::kX86_64;
  call.nr = *syscalls::number(Arch::kX86_64, name);
  call.args = args;
  call.count = count;
  call.error = static_cast<int>(args[5]);
  return call;
}

TEST(EvidenceDrift, FindsCallsAndValuesThatAreNew) {
  evidence::Observation socket = observed("socket", 3);
  socket.tuples.push_back({{0, 1, 2}, true, {{2, 1, 0}}});
  evidence::Observation refused = observed("unshare", 4);
  refused.refused = 4;
  const EvidenceDrift drift({socket, refused});
  record::Snapshot now;
  now.syscalls = {observed("socket", 9), observed("unshare", 2), observed("mkdir", 5)};
  now.judged = {judged("socket", {2, 1, 0}, 4), judged("socket", {0xffffffff00000026, 5, 0}, 5),
                judged("mkdir", {1, 2}, 3), judged("mkdir", {1, 2, 0, 0, 0, 7}, 2)};
  const auto found =
      drift.find(now, drift.specs(), [](const auto& call) { return call.error == 7; });
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].call.syscall, "socket");
  EXPECT_EQ(found[0].call.count, 5U);
  EXPECT_EQ(found[0].call.args[0], 38U);
  EXPECT_EQ(found[1].call.syscall, "unshare");  // only ever refused: never made
  EXPECT_EQ(found[2].call.syscall, "mkdir");
  EXPECT_EQ(found[2].call.count, 3U);  // without those that a filter refused now
}

TEST(EvidenceDrift, AnOpenSetSaysNothingAndClone3IsComparedWithClone) {
  evidence::Observation socket = observed("socket", 3);
  socket.tuples.push_back({{0, 1, 2}, false, {{2, 1, 0}}});
  evidence::Observation clone = observed("clone", 1);
  clone.args.push_back({0, syscalls::ArgumentKind::kFlags, true, {0x1200011}});
  const EvidenceDrift drift({socket, clone});
  record::Snapshot now;
  evidence::Observation clone3 = observed("clone3", 2);
  clone3.args.push_back({0, syscalls::ArgumentKind::kFlags, true, {0x1200011}});
  now.syscalls = {observed("socket", 1), clone3};
  now.judged = {judged("socket", {38, 5, 0}, 1)};
  const auto never = [](const auto&) { return false; };
  EXPECT_TRUE(drift.find(now, drift.specs(), never).empty());
  now.syscalls[1].args[0].values.insert(0x10000011);  // CLONE_NEWUSER
  const auto found = drift.find(now, drift.specs(), never);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_NE(found[0].why.find("CLONE_NEWUSER"), std::string::npos) << found[0].why;
}

}  // namespace
}  // namespace whittle::trial
