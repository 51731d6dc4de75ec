#include "review/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "profile/baseline.h"

namespace whittle::review {
namespace {

using profile::Action;
using profile::Profile;
using syscalls::Arch;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr profile::Verdict kAllow{Action::kAllow, 0};

evidence::Observation made(std::string name, std::uint32_t nr, std::uint64_t count) {
  evidence::Observation observation;
  observation.name = std::move(name);
  observation.nr = nr;
  observation.count = count;
  observation.first = 0.5;
  observation.phases = {"ready"};
  return observation;
}

// socket works, access only fails, bpf was refused, unshare is beyond the base.
evidence::Evidence evidence() {
  evidence::Run run;
  run.id = "0123456789abcdef";
  run.source = "ebpf";
  run.complete = true;
  run.command = {"server", "-d"};
  evidence::Observation access = made("access", 21, 4);
  access.errnos = {{"ENOENT", 4}};
  evidence::Observation socket = made("socket", 41, 2);
  socket.tuples = {{{0, 1, 2}, true, {{2, 1, 0}, {16, 3, 0}}}};
  socket.stacks = {
      {{},
       {},
       "worker",
       {{"/lib/libc.so.6", "", 0x10, "socket"}, {"/usr/bin/server", "", 0x99, "open_port"}}}};
  evidence::Observation unshare = made("unshare", 272, 1);
  unshare.args = {{0, syscalls::ArgumentKind::kFlags, true, {0x10000000}}};
  evidence::Observation bpf = made("bpf", 321, 1);
  bpf.refused = 1;
  bpf.refusals = {{{5, 0, 0, 0, 0, 0}, "EPERM", "ready", "worker", 1}};
  run.syscalls = {access, socket, unshare, bpf};
  evidence::Evidence result;
  result.workload = "server";
  result.runs = {run};
  return result;
}

generate::Options options() {
  generate::Options result;
  result.arches = {Arch::kX86_64};
  result.base_name = "docker@29.4.3";
  const auto base = profile::baseline(result.base_name, {});
  EXPECT_TRUE(base);
  result.base.emplace(Arch::kX86_64, *base);
  return result;
}

Profile of(std::vector<std::string> names) {
  Profile::Parts parts;
  parts.architectures = {"SCMP_ARCH_X86_64"};
  parts.rules = {{std::move(names), kAllow, {}}};
  return Profile(std::move(parts));
}

std::vector<Explanation> explained(const Profile* profile, const evidence::Evidence* evidence,
                                   std::string call = {}) {
  ExplainQuestion question;
  question.profile = profile;
  question.evidence = evidence;
  question.options = options();
  question.call = std::move(call);
  auto result = explain(question);
  EXPECT_TRUE(result) << result.error().text();
  return *result;
}

const Explanation& of_call(const std::vector<Explanation>& all, std::string_view call) {
  const auto found = std::find_if(all.begin(), all.end(),
                                  [call](const Explanation& one) { return one.syscall == call; });
  EXPECT_NE(found, all.end()) << call;
  return *found;
}

TEST(Explain, AProfileWithItsEvidence) {
  const Profile profile = of({"access", "socket", "execve", "bpf", "mount"});
  const evidence::Evidence seen = evidence();
  const auto all = explained(&profile, &seen);

  const Explanation& socket = of_call(all, "socket");
  EXPECT_EQ(socket.verdict.answer, Answer::kAllowed);
  ASSERT_TRUE(socket.seen);
  EXPECT_EQ(socket.seen->total.count, 2U);
  EXPECT_EQ(socket.seen->first_run, "0123456789abcdef");
  EXPECT_THAT(socket.seen->threads, ElementsAre("worker"));
  EXPECT_THAT(socket.seen->programs, ElementsAre("server"));
  ASSERT_EQ(socket.seen->stacks.size(), 1U);
  EXPECT_EQ(socket.seen->stacks[0].frames[1].symbol, "open_port");
  ASSERT_FALSE(socket.reasons.empty());
  EXPECT_EQ(socket.reasons[0].because, generate::Because::kEvidence);
  ASSERT_TRUE(socket.base);
  EXPECT_EQ(socket.base->answer, Answer::kConditional);

  EXPECT_TRUE(of_call(all, "access").seen->only_failed);
  EXPECT_FALSE(socket.seen->only_failed);

  // Every runtime needs it.
  const Explanation& execve = of_call(all, "execve");
  ASSERT_FALSE(execve.reasons.empty());
  EXPECT_EQ(execve.reasons[0].because, generate::Because::kFloor);
  EXPECT_FALSE(execve.seen);

  // Nothing explains them.
  EXPECT_THAT(of_call(all, "mount").reasons, IsEmpty());
  const Explanation& bpf = of_call(all, "bpf");
  EXPECT_THAT(bpf.reasons, IsEmpty());
  EXPECT_EQ(bpf.seen->total.refused, 1U);
  EXPECT_EQ(bpf.seen->refusals.size(), 1U);
  EXPECT_FALSE(bpf.missing);
  EXPECT_EQ(bpf.base->answer, Answer::kRefused);

  // Needed, and not allowed.
  const Explanation& unshare = of_call(all, "unshare");
  EXPECT_TRUE(unshare.missing);
  EXPECT_EQ(unshare.verdict.answer, Answer::kRefused);
  EXPECT_THAT(unshare.exposes, IsEmpty());
}

TEST(Explain, WhatACallOpens) {
  const Profile profile = of({"socket", "bpf", "clone"});
  const auto all = explained(&profile, nullptr);
  const auto steps = [](const Explanation& one) {
    std::set<std::pair<std::string, bool>> result;
    for (const Exposure& exposure : one.exposes) {
      if (exposure.kind == Exposure::Kind::kExploit) result.emplace(exposure.step, exposure.open);
    }
    return result;
  };
  EXPECT_THAT(steps(of_call(all, "bpf")), ElementsAre(testing::Pair("bpf", true)));
  EXPECT_THAT(steps(of_call(all, "socket")), Contains(testing::Pair("netlink-netfilter", true)));
  const Profile alone = of({"socket"});
  EXPECT_THAT(steps(of_call(explained(&alone, nullptr), "socket")),
              Contains(testing::Pair("netlink-netfilter", false)));
  const auto& exposes = of_call(all, "bpf").exposes;
  EXPECT_EQ(exposes.front().kind, Exposure::Kind::kSubsystem);
  EXPECT_TRUE(std::any_of(exposes.begin(), exposes.end(),
                          [](const Exposure& one) { return one.kind == Exposure::Kind::kDanger; }));
}

TEST(Explain, EvidenceIsExplainedByWhatGenerateMakesOfIt) {
  const evidence::Evidence seen = evidence();
  const auto all = explained(nullptr, &seen);
  const Explanation& socket = of_call(all, "socket");
  EXPECT_EQ(socket.verdict.answer, Answer::kConditional);
  EXPECT_THAT(socket.missing_values, IsEmpty());
  const Explanation& unshare = of_call(all, "unshare");
  EXPECT_TRUE(unshare.missing);
  ASSERT_EQ(unshare.left_out.size(), 1U);
  EXPECT_EQ(unshare.left_out[0].fix, "--allow unshare");
  EXPECT_EQ(of_call(all, "clone3").reasons[0].because, generate::Because::kFallback);
}

TEST(Explain, AllowBeyondTheBaseIsRecognised) {
  const Profile profile = of({"unshare"});
  const evidence::Evidence seen = evidence();
  const auto all = explained(&profile, &seen, "unshare");
  ASSERT_EQ(all.size(), 1U);
  EXPECT_FALSE(all[0].missing);
  ASSERT_EQ(all[0].reasons.size(), 2U);
  EXPECT_EQ(all[0].reasons[1].because, generate::Because::kAllowed);
}

TEST(Explain, ValuesThatTheProfileRefuses) {
  Profile::Parts parts;
  parts.architectures = {"SCMP_ARCH_X86_64"};
  parts.rules = {{{"socket"}, kAllow, {{0, UINT32_MAX, 2, profile::Operator::kMaskedEq}}}};
  const Profile profile(parts);
  const evidence::Evidence seen = evidence();
  const auto all = explained(&profile, &seen, "socket");
  ASSERT_EQ(all.size(), 1U);
  EXPECT_THAT(all[0].missing_values, ElementsAre("AF_NETLINK, SOCK_RAW, NETLINK_ROUTE"));
  EXPECT_THAT(all[0].verdict.conditions, ElementsAre(HasSubstr("AF_INET")));
}

TEST(Explain, AllowedValuesAreSaidInSymbols) {
  const evidence::Evidence seen = evidence();
  const auto all = explained(nullptr, &seen, "socket");
  ASSERT_EQ(all.size(), 1U);
  EXPECT_THAT(all[0].verdict.values, Contains(HasSubstr("AF_NETLINK, SOCK_RAW [")));
  EXPECT_EQ(all[0].verdict.values.size(), all[0].verdict.conditions.size());
  EXPECT_THAT(all[0].verdict.values, Contains(HasSubstr("NETLINK_ROUTE")));
  // "All but" can't be written so, nor a mask of flags.
  ASSERT_TRUE(all[0].base);
  EXPECT_THAT(all[0].base->values, IsEmpty());
  const auto clone = explained(nullptr, &seen, "clone");
  ASSERT_EQ(clone.size(), 1U);
  EXPECT_THAT(clone[0].base->values, IsEmpty());
}

TEST(Explain, ACallThatIsAskedForIsExplainedAlsoWhenRefused) {
  const Profile profile = of({"read"});
  const auto all = explained(&profile, nullptr, "mount");
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].verdict.answer, Answer::kRefused);
  EXPECT_EQ(all[0].purpose->group, "mounts");
}

}  // namespace
}  // namespace whittle::review
