#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/text.h"
#include "profile/baseline.h"
#include "profile/profile.h"

namespace whittle::profile {
namespace {

using ::testing::HasSubstr;

constexpr Verdict kAllow{Action::kAllow, 0};
constexpr Verdict kEperm{Action::kErrno, 1};
constexpr Verdict kEnosys{Action::kErrno, 38};

Profile with(std::vector<Rule> rules) {
  Profile::Parts parts;
  parts.architectures = {"SCMP_ARCH_X86_64"};
  parts.rules = std::move(rules);
  return Profile(std::move(parts));
}

Profile read(const std::string& text) {
  auto profile = read_oci(text, "written");
  EXPECT_TRUE(profile.has_value()) << (profile ? "" : profile.error().text()) << text;
  return profile ? *profile : Profile(Profile::Parts{});
}

TEST(OciWriter, OneLineAGroupInAFixedOrder) {
  Profile::Parts parts;
  parts.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64", "SCMP_ARCH_X86_64"};
  parts.flags = {"SECCOMP_FILTER_FLAG_LOG"};
  parts.listener_path = "/run/a \"quoted\" path";
  parts.listener_metadata = "m";
  parts.rules = {{{"socket"}, kAllow, {{0, 40, 9, Operator::kGt}}},
                 {{"read", "accept4"}, kAllow, {}},
                 {{"clone3"}, kEnosys, {}},
                 {{"clone"}, kAllow, {{0, 0x7e020000, 0, Operator::kMaskedEq}}},
                 {{"bind", "read"}, kAllow, {}},
                 {{"ptrace"}, {Action::kTrace, 1}, {}},
                 {{"socket"}, kAllow, {{0, 38, 0, Operator::kLt}}},
                 {{"dup"}, {Action::kKillThread, 0}, {}}};
  EXPECT_EQ(write_oci(Profile(parts)), R"({
  "defaultAction": "SCMP_ACT_ERRNO",
  "defaultErrnoRet": 1,
  "architectures": ["SCMP_ARCH_AARCH64", "SCMP_ARCH_X86_64"],
  "flags": ["SECCOMP_FILTER_FLAG_LOG"],
  "listenerPath": "/run/a \"quoted\" path",
  "listenerMetadata": "m",
  "syscalls": [
    {"names": ["accept4", "bind", "read"], "action": "SCMP_ACT_ALLOW"},
    {"names": ["ptrace"], "action": "SCMP_ACT_TRACE", "errnoRet": 1},
    {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
    {"names": ["dup"], "action": "SCMP_ACT_KILL_THREAD"},
    {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 2114060288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]},
    {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 38, "op": "SCMP_CMP_LT"}]},
    {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 40, "op": "SCMP_CMP_GT"}]}
  ]
}
)");
}

TEST(OciWriter, TheEmptyProfile) {
  Profile::Parts parts;
  parts.default_verdict = kAllow;
  EXPECT_EQ(write_oci(Profile(parts)),
            "{\n  \"defaultAction\": \"SCMP_ACT_ALLOW\",\n  \"syscalls\": []\n}\n");
  parts.no_flags = true;
  EXPECT_THAT(write_oci(Profile(parts)), HasSubstr("\"flags\": []"));
  EXPECT_EQ(read(write_oci(Profile(parts))), Profile(parts));
}

std::vector<std::string> many_names() {
  std::vector<std::string> names;
  for (char letter = 'a'; letter <= 'f'; ++letter) {
    for (int i = 0; i < 5; ++i) names.push_back(format("{}_call{}", letter, i));
  }
  return names;
}

TEST(OciWriter, ANewNameChangesOneLineOfALongGroup) {
  std::vector<std::string> names = many_names();
  const std::string before = write_oci(with({{names, kAllow, {}}}));
  names.emplace_back("c_another_call_that_is_long");
  const std::string after = write_oci(with({{names, kAllow, {}}}));
  const auto old_lines = split(before, '\n');
  const auto new_lines = split(after, '\n');
  ASSERT_EQ(old_lines.size(), new_lines.size());
  int changed = 0;
  for (std::size_t i = 0; i < old_lines.size(); ++i) changed += old_lines[i] != new_lines[i];
  EXPECT_EQ(changed, 1);
  EXPECT_THAT(before, HasSubstr("    {\"names\": [\n      \"a_call0\", \"a_call1\""));
  EXPECT_THAT(before, HasSubstr("\"f_call4\"\n    ], \"action\": \"SCMP_ACT_ALLOW\"}\n"));
}

// A runtime drops a rule equal to the default, which brings a shadowed one to light: it must not
// come first.
TEST(OciWriter, AShadowedRuleStaysBehind) {
  const Profile profile = with({{{"dup", "read"}, kEperm, {}},
                                {{"dup", "dup2"}, kAllow, {}},
                                {{"dup2"}, kEperm, {}},
                                {{"dup2"}, kAllow, {}}});
  EXPECT_THAT(write_oci(profile), HasSubstr(R"(
    {"names": ["dup2"], "action": "SCMP_ACT_ALLOW"},
    {"names": ["dup", "read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
    {"names": ["dup"], "action": "SCMP_ACT_ALLOW"},
    {"names": ["dup2"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}
)"));
}

TEST(OciWriter, ConditionalRulesOfDifferentVerdictsKeepTheirOrder) {
  const Rule above{{"dup"}, kAllow, {{0, 3, 0, Operator::kGt}}};
  const Rule five{{"dup"}, kEnosys, {{0, 2, 0, Operator::kGt}}};
  const std::string text = write_oci(with({above, five}));
  EXPECT_LT(text.find("\"value\": 3"), text.find("\"value\": 2"));
  const std::string other = write_oci(with({five, above}));
  EXPECT_LT(other.find("\"value\": 2"), other.find("\"value\": 3"));
}

TEST(OciWriter, ARuleWithoutEndKeepsItsConditionsForCrun) {
  std::vector<Condition> conditions;
  for (std::uint64_t value = 7; value > 0; --value) {
    conditions.push_back({0, value, 0, Operator::kNe});
  }
  const Profile again = read(write_oci(with({{{"dup"}, kAllow, conditions}})));
  EXPECT_EQ(again.rules()[0].args, conditions);
  conditions.pop_back();
  const Profile sorted = read(write_oci(with({{{"dup"}, kAllow, conditions}})));
  EXPECT_EQ(sorted.rules()[0].args.front().value, 2U);
}

class RandomProfile {
 public:
  explicit RandomProfile(std::uint32_t seed) : random_(seed) {}

  Profile make() {
    Profile::Parts parts;
    parts.default_verdict = verdict();
    parts.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"};
    for (std::uint64_t i = below(8); i > 0; --i) {
      Rule rule;
      for (std::uint64_t j = 1 + below(3); j > 0; --j) rule.names.push_back(name());
      rule.verdict = verdict();
      for (std::uint64_t j = below(2) == 0 ? 0 : below(3); j > 0; --j) {
        rule.args.push_back({static_cast<std::uint32_t>(below(2)), value(), value(),
                             static_cast<Operator>(below(7))});
      }
      parts.rules.push_back(std::move(rule));
    }
    return Profile(std::move(parts));
  }

 private:
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  std::string name() { return std::string(1, static_cast<char>('a' + below(4))); }
  std::uint64_t value() { return below(4) | (below(4) == 0 ? 1ULL << 32U : 0); }
  Verdict verdict() {
    constexpr Verdict kVerdicts[] = {kAllow, kEperm, kEnosys, {Action::kTrap, 0}};
    return kVerdicts[below(4)];
  }

  std::mt19937 random_;
};

// What a runtime hands to libseccomp: without the rules that equal the default.
Profile as_runtimes_load(const Profile& profile) {
  Profile::Parts parts = profile.parts();
  std::erase_if(parts.rules,
                [&](const Rule& rule) { return rule.verdict == parts.default_verdict; });
  return Profile(std::move(parts));
}

void expect_same_meaning(const Profile& a, const Profile& b) {
  for (const auto arch : {syscalls::Arch::kX86_64, syscalls::Arch::kX86}) {
    for (const char* name : {"a", "b", "c", "d", "e"}) {
      for (const std::uint64_t arg0 : {0ULL, 1ULL, 2ULL, 3ULL, 4ULL, (1ULL << 32U) + 1}) {
        for (const std::uint64_t arg1 : {0ULL, 1ULL, 2ULL, 3ULL, (1ULL << 32U) + 2}) {
          const std::array<std::uint64_t, 6> args = {arg0, arg1, 0, 0, 0, 0};
          ASSERT_EQ(documented_verdict(a, arch, name, args),
                    documented_verdict(b, arch, name, args))
              << name << " " << arg0 << " " << arg1 << "\n"
              << write_oci(a) << write_oci(b);
        }
      }
    }
  }
}

TEST(OciWriter, RandomProfilesKeepTheirMeaning) {
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    const Profile profile = RandomProfile(seed).make();
    const std::string text = write_oci(profile);
    const Profile again = read(text);
    ASSERT_EQ(write_oci(again), text);
    expect_same_meaning(profile, again);
    expect_same_meaning(as_runtimes_load(profile), as_runtimes_load(again));
    if (HasFatalFailure()) return;
  }
}

TEST(OciWriter, BaselinesComeBack) {
  for (const char* id : {"docker", "docker@19.3.0", "containerd", "podman", "cri-o"}) {
    const auto profile = baseline(id, Setting{});
    ASSERT_TRUE(profile.has_value()) << id;
    const std::string text = write_oci(*profile);
    EXPECT_EQ(write_oci(read(text)), text) << id;
  }
}

}  // namespace
}  // namespace whittle::profile
