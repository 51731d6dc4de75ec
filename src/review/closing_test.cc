#include "review/closing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "profile/baseline.h"
#include "review/score.h"

namespace whittle::review {
namespace {

using profile::Action;
using profile::Operator;
using profile::Profile;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr profile::Verdict kAllow{Action::kAllow, 0};

Profile of(std::vector<profile::Rule> rules) {
  Profile::Parts parts;
  parts.architectures = {"SCMP_ARCH_X86_64"};
  parts.rules = std::move(rules);
  return Profile(std::move(parts));
}

Closings closed(const Profile& profile, const evidence::Evidence* evidence = nullptr) {
  auto result = closings(profile, filter::Flavour::kRunc, evidence);
  EXPECT_TRUE(result) << result.error().text();
  return *result;
}

evidence::Evidence evidence_of(evidence::Observation observation) {
  evidence::Run run;
  run.id = "0123456789abcdef";
  run.source = "ebpf";
  run.complete = true;
  run.syscalls = {std::move(observation)};
  evidence::Evidence evidence;
  evidence.runs = {std::move(run)};
  return evidence;
}

evidence::Observation made(std::string name, std::uint32_t nr) {
  evidence::Observation observation;
  observation.name = std::move(name);
  observation.nr = nr;
  observation.count = 3;
  return observation;
}

// The score of the profile with the rules of one closing in place of those that it names.
std::vector<std::string> open_after(const Profile& profile, const Closing& closing) {
  Profile::Parts parts = profile.parts();
  for (const ClosedWay& way : closing.ways) {
    for (profile::Rule& rule : parts.rules) {
      if (rule.verdict.allows()) std::erase(rule.names, way.syscall);
    }
  }
  std::erase_if(parts.rules, [](const auto& rule) { return rule.names.empty(); });
  for (const ClosedWay& way : closing.ways) {
    parts.rules.insert(parts.rules.end(), way.rules.begin(), way.rules.end());
  }
  const Profile changed(std::move(parts));
  const auto compiled = filter::compile(changed, filter::Flavour::kRunc);
  EXPECT_TRUE(compiled);
  const auto arches = filter::covered_arches(changed);
  const auto after = score({&compiled->program, 1}, arches);
  EXPECT_TRUE(after);
  return after->open;
}

TEST(Closing, EachSuggestionBlocksWhatItNames) {
  profile::Setting setting;
  setting.kernel = {6, 18};
  const auto docker = profile::baseline("docker@29.4.3", setting);
  ASSERT_TRUE(docker);
  for (const Profile& profile :
       {*docker, of({{{"clone", "unshare", "clone3", "socket", "socketpair", "bpf", "setsockopt",
                       "io_uring_setup", "perf_event_open", "mount", "fsopen", "sendto", "sendmsg",
                       "recvfrom", "recvmsg"},
                      kAllow,
                      {}}})}) {
    const Closings result = closed(profile);
    EXPECT_THAT(result.without, IsEmpty());
    EXPECT_EQ(result.blocked_then, 59U);
    std::size_t exploits = 0;
    for (const Closing& closing : result.closings) {
      const auto open = open_after(profile, closing);
      for (const std::string& cve : closing.cves) EXPECT_THAT(open, testing::Not(Contains(cve)));
      exploits += closing.cves.size();
    }
    EXPECT_GE(exploits, 8U);
  }
}

TEST(Closing, ADefaultThatAllowsIsClosedToo) {
  Profile::Parts parts;
  parts.default_verdict = kAllow;
  parts.architectures = {"SCMP_ARCH_X86_64"};
  const Closings result = closed(Profile(parts));
  EXPECT_THAT(result.without, IsEmpty());
  EXPECT_EQ(result.blocked_then, 59U);
}

TEST(Closing, NothingOpenNothingSuggested) {
  const Closings result = closed(of({{{"read"}, kAllow, {}}}));
  EXPECT_THAT(result.closings, IsEmpty());
  EXPECT_EQ(result.blocked_then, 59U);
}

// A workload that makes user namespaces keeps them when the netlink sockets can go instead.
TEST(Closing, KeepsWhatTheEvidenceShows) {
  const Profile profile = of({{{"clone", "socket"}, kAllow, {}}});
  EXPECT_EQ(closed(profile).closings.front().step, "user-namespace");
  evidence::Observation clone = made("clone", 56);
  clone.args = {{0, syscalls::ArgumentKind::kFlags, true, {0x10000011}}};
  const evidence::Evidence evidence = evidence_of(clone);
  const Closings result = closed(profile, &evidence);
  for (const Closing& closing : result.closings) {
    EXPECT_NE(closing.step, "user-namespace");
    for (const ClosedWay& way : closing.ways) {
      EXPECT_EQ(way.use, Use::kNotSeen);
      EXPECT_THAT(way.loses, HasSubstr("not seen"));
    }
  }
  EXPECT_EQ(result.blocked_then, 59U);
}

TEST(Closing, UseIsToldFromTheValues) {
  const Way netlink = {"socket",
                       {{0, UINT32_MAX, 16, false}, {2, UINT32_MAX, 12, false}},
                       {"AF_NETLINK", "NETLINK_NETFILTER"}};
  const auto with = [](std::set<std::vector<std::uint64_t>> values, bool whole) {
    evidence::Observation socket = made("socket", 41);
    socket.tuples = {{{0, 1, 2}, whole, std::move(values)}};
    return evidence_of(socket);
  };
  EXPECT_EQ(use_of(with({{16, 3, 12}}, true), netlink), Use::kSeen);
  EXPECT_EQ(use_of(with({{16, 3, 0}, {2, 1, 12}}, true), netlink), Use::kNotSeen);
  EXPECT_EQ(use_of(with({{2, 1, 6}}, false), netlink), Use::kUntold);
  EXPECT_EQ(use_of(evidence_of(made("read", 0)), netlink), Use::kNotSeen);
  EXPECT_EQ(use_of(evidence_of(made("bpf", 321)), {"bpf", {}, {}}), Use::kSeen);
  const Way urgent = {"sendto", {{3, 1, 0, true}}, {"MSG_OOB"}};
  EXPECT_EQ(use_of(evidence_of(made("sendto", 44)), urgent), Use::kUntold);
  evidence::Observation refused = made("bpf", 321);
  refused.refused = 3;
  EXPECT_EQ(use_of(evidence_of(refused), {"bpf", {}, {}}), Use::kNotSeen);
}

}  // namespace
}  // namespace whittle::review
