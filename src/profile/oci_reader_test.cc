#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "profile/profile.h"

namespace whittle::profile {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Profile good(std::string_view text) {
  auto profile = read_oci(text, "p.json");
  EXPECT_TRUE(profile.has_value()) << (profile ? "" : profile.error().text());
  return profile ? *profile : Profile(Profile::Parts{});
}

// A document with one rule of these members.
std::string with_rule(std::string_view members) {
  return format("{{\"defaultAction\": \"SCMP_ACT_ERRNO\",\n\"syscalls\": [\n{{{}}}]}}", members);
}
// A document whose one rule has this condition.
std::string with_condition(std::string_view members) {
  return with_rule(
      format("\"names\": [\"dup\"], \"action\": \"SCMP_ACT_ALLOW\", \"args\": [{{{}}}]", members));
}

TEST(OciReader, ReadsEveryPart) {
  const Profile profile = good(R"({
    "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
    "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_S390X"],
    "flags": ["SECCOMP_FILTER_FLAG_LOG"],
    "listenerPath": "/run/agent.sock", "listenerMetadata": "m",
    "syscalls": [
      {"names": ["read", "no_such_call"], "action": "SCMP_ACT_ALLOW"},
      {"names": ["dup"], "action": "SCMP_ACT_ERRNO", "errnoRet": 22, "args": [
        {"index": 0, "value": 18446744073709551615, "op": "SCMP_CMP_NE"},
        {"index": 5, "value": 255, "valueTwo": 7, "op": "SCMP_CMP_MASKED_EQ"}]}]})");
  EXPECT_EQ(profile.default_verdict(), (Verdict{Action::kErrno, 38}));
  EXPECT_THAT(profile.parts().architectures,
              ElementsAre("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_S390X"));
  EXPECT_THAT(profile.arches(), ElementsAre(syscalls::Arch::kX86_64, syscalls::Arch::kX86));
  EXPECT_TRUE(profile.lists(syscalls::Arch::kX86));
  EXPECT_FALSE(profile.lists(syscalls::Arch::kX32));
  EXPECT_THAT(profile.parts().flags, ElementsAre("SECCOMP_FILTER_FLAG_LOG"));
  EXPECT_EQ(profile.parts().listener_path, "/run/agent.sock");
  EXPECT_EQ(profile.parts().listener_metadata, "m");
  ASSERT_EQ(profile.rules().size(), 2U);
  EXPECT_EQ(profile.rules()[0].verdict, (Verdict{Action::kAllow, 0}));
  EXPECT_EQ(profile.rules()[1].verdict, (Verdict{Action::kErrno, 22}));
  EXPECT_THAT(profile.rules()[1].args, ElementsAre(Condition{0, UINT64_MAX, 0, Operator::kNe},
                                                   Condition{5, 255, 7, Operator::kMaskedEq}));
  EXPECT_THAT(unknown_names(profile), ElementsAre("no_such_call"));
}

TEST(OciReader, ReadsEveryAction) {
  const std::pair<const char*, Verdict> actions[] = {
      {"SCMP_ACT_KILL", {Action::kKillThread, 0}},
      {"SCMP_ACT_KILL_THREAD", {Action::kKillThread, 0}},
      {"SCMP_ACT_KILL_PROCESS", {Action::kKillProcess, 0}},
      {"SCMP_ACT_TRAP", {Action::kTrap, 0}},
      {"SCMP_ACT_ERRNO", {Action::kErrno, 1}},
      {"SCMP_ACT_TRACE", {Action::kTrace, 1}},
      {"SCMP_ACT_ALLOW", {Action::kAllow, 0}},
      {"SCMP_ACT_LOG", {Action::kLog, 0}},
      {"SCMP_ACT_NOTIFY", {Action::kNotify, 0}}};
  for (const auto& [word, verdict] : actions) {
    const Profile profile = good(format("{{\"defaultAction\": \"{}\"}}", word));
    EXPECT_EQ(profile.default_verdict(), verdict) << word;
    EXPECT_TRUE(profile.rules().empty());
  }
}

TEST(OciReader, ReadsEveryOperator) {
  for (const char* word : {"SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ",
                           "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"}) {
    const Profile profile =
        good(with_condition(format("\"index\": 1, \"value\": 2, \"op\": \"{}\"", word)));
    ASSERT_EQ(profile.rules().size(), 1U);
    EXPECT_EQ(operator_name(profile.rules()[0].args[0].op), word);
  }
}

TEST(OciReader, NullIsAsMissing) {
  const Profile profile = good(R"({"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": null,
    "architectures": null, "flags": null, "syscalls": [
      {"names": ["dup"], "action": "SCMP_ACT_ERRNO", "errnoRet": null, "args": null}]})");
  EXPECT_FALSE(profile.parts().no_flags);
  EXPECT_EQ(profile.rules()[0].verdict.data, 1);
  EXPECT_TRUE(profile.rules()[0].args.empty());
  EXPECT_TRUE(good(R"({"defaultAction": "SCMP_ACT_ALLOW", "flags": []})").parts().no_flags);
}

TEST(OciReader, KeysThatSayNothingPass) {
  const Profile profile = good(with_rule(
      R"("names": ["dup"], "action": "SCMP_ACT_ALLOW", "comment": "c", "includes": {},
         "excludes": null, "name": "")"));
  EXPECT_THAT(profile.rules()[0].names, ElementsAre("dup"));
}

struct Bad {
  std::string text;
  std::string place;    // after "p.json:"
  std::string message;  // a part of it
  std::string hint;     // a part of it; empty: not looked at
};

TEST(OciReader, EveryErrorHasItsPlace) {
  const std::string allow = R"("names": ["dup"], "action": "SCMP_ACT_ALLOW")";
  const std::vector<Bad> cases = {
      {"[]", "1", "an object is expected", ""},
      {"{\"defaultAction\":", "1", "not valid JSON", ""},
      {"{}", "1", "\"defaultAction\" is missing", ""},
      {R"({"defaultAction": 5})", "1 /defaultAction", "a string is expected", ""},
      {R"({"defaultAction": "SCMP_ACT_ALOW"})", "1 /defaultAction", "unknown action",
       "SCMP_ACT_ALLOW"},
      {R"({"defaultAction": "deny"})", "1 /defaultAction", "unknown action", "known are"},
      {R"({"defaultAction": "SCMP_ACT_ALLOW", "sycalls": []})", "1 /sycalls", "unknown key",
       "syscalls"},
      {R"({"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1})", "1 /defaultErrnoRet",
       "not with SCMP_ACT_ALLOW", "crun refuses"},
      {R"({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4096})", "1 /defaultErrnoRet",
       "over the limit of 4095", ""},
      {R"({"defaultAction": "SCMP_ACT_TRACE", "defaultErrnoRet": 65536})", "1 /defaultErrnoRet",
       "over the limit of 65535", ""},
      {R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X64"]})",
       "1 /architectures/1", "unknown architecture", "SCMP_ARCH_"},
      {R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": "SCMP_ARCH_X86"})",
       "1 /architectures", "an array is expected", ""},
      {R"({"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_LOGS"]})",
       "1 /flags/0", "unknown flag", "SECCOMP_FILTER_FLAG_LOG"},
      {R"({"defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "m"})", "1 /listenerMetadata",
       "without a listenerPath", "remove it"},
      {R"({"defaultAction": "SCMP_ACT_ALLOW", "archMap": [{"architecture": "SCMP_ARCH_X86_64"}]})",
       "1 /archMap", "Docker's dialect", "ignore it silently"},
      {R"({"ociVersion": "1.0.2", "linux": {}})", "1 /ociVersion", "no key of a seccomp profile",
       "config.json"},
      {R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": {}})", "1 /syscalls",
       "an array is expected", ""},
      {with_rule(R"("action": "SCMP_ACT_ALLOW")"), "3 /syscalls/0", "\"names\" is missing", ""},
      {with_rule(R"("names": ["dup"])"), "3 /syscalls/0", "\"action\" is missing", ""},
      {with_rule(R"("names": [], "action": "SCMP_ACT_ALLOW")"), "3 /syscalls/0/names",
       "without names", "remove the rule"},
      {with_rule(R"("names": ["dup", ""], "action": "SCMP_ACT_ALLOW")"), "3 /syscalls/0/names/1",
       "empty string", ""},
      {with_rule(R"("names": [3], "action": "SCMP_ACT_ALLOW")"), "3 /syscalls/0/names/0",
       "a string is expected", ""},
      {with_rule("\"names\": [\"" + std::string(129, 'x') + "\"], \"action\": \"SCMP_ACT_ALLOW\""),
       "3 /syscalls/0/names/0", "over the limit of 128", ""},
      {with_rule(allow + R"(, "errnoRet": 1)"), "3 /syscalls/0/errnoRet", "not with SCMP_ACT_ALLOW",
       "runc ignores"},
      {with_rule(R"("names": ["dup"], "action": "SCMP_ACT_KILL", "errnoRet": 1)"),
       "3 /syscalls/0/errnoRet", "not with SCMP_ACT_KILL", ""},
      {with_rule(R"("names": ["dup"], "action": "SCMP_ACT_ERRNO", "errnoRet": -1)"),
       "3 /syscalls/0/errnoRet", "whole number", ""},
      {with_rule(R"("names": ["dup"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5000)"),
       "3 /syscalls/0/errnoRet", "over the limit", ""},
      {with_rule(allow + R"(, "arguments": [])"), "3 /syscalls/0/arguments", "unknown key", ""},
      {with_rule(allow + R"(, "includes": {"caps": ["CAP_BPF"]})"), "3 /syscalls/0/includes",
       "Docker's dialect", "opens calls"},
      {with_rule(allow + R"(, "excludes": {"caps": ["CAP_BPF"]})"), "3 /syscalls/0/excludes",
       "Docker's dialect", "opens calls"},
      {with_rule(R"("name": "dup", "action": "SCMP_ACT_ALLOW")"), "3 /syscalls/0/name",
       "Docker's dialect", ""},
      {with_rule(allow + R"(, "errno": "EPERM")"), "3 /syscalls/0/errno", "Docker's dialect", ""},
      {with_condition(R"("index": 6, "value": 0, "op": "SCMP_CMP_EQ")"),
       "3 /syscalls/0/args/0/index", "no argument 6", "0 to 5"},
      {with_condition(R"("index": -1, "value": 0, "op": "SCMP_CMP_EQ")"),
       "3 /syscalls/0/args/0/index", "whole number", ""},
      {with_condition(R"("index": 0, "value": -1, "op": "SCMP_CMP_EQ")"),
       "3 /syscalls/0/args/0/value", "whole number", ""},
      {with_condition(R"("index": 0, "value": 1.5, "op": "SCMP_CMP_EQ")"),
       "3 /syscalls/0/args/0/value", "whole number", ""},
      {with_condition(R"("index": 0, "value": "1", "op": "SCMP_CMP_EQ")"),
       "3 /syscalls/0/args/0/value", "whole number", ""},
      {with_condition(R"("index": 0, "value": 18446744073709551616, "op": "SCMP_CMP_EQ")"), "3",
       "does not fit 64 bits", ""},
      {with_condition(R"("index": 0, "value": 1, "valueTwo": -2, "op": "SCMP_CMP_EQ")"),
       "3 /syscalls/0/args/0/valueTwo", "whole number", ""},
      {with_condition(R"("index": 0, "value": 1, "op": "SCMP_CMP_EQUAL")"),
       "3 /syscalls/0/args/0/op", "unknown operator", ""},
      {with_condition(R"("index": 0, "value": 1, "op": "SCMP_CMP_EQ", "valuetwo": 1)"),
       "3 /syscalls/0/args/0/valuetwo", "unknown key", "valueTwo"},
      {with_condition(R"("value": 0, "op": "SCMP_CMP_EQ")"), "3 /syscalls/0/args/0",
       "\"index\" is missing", ""},
      {with_condition(R"("index": 0, "op": "SCMP_CMP_EQ")"), "3 /syscalls/0/args/0",
       "\"value\" is missing", ""},
      {with_condition(R"("index": 0, "value": 0)"), "3 /syscalls/0/args/0", "\"op\" is missing",
       ""},
  };
  for (const Bad& bad : cases) {
    const auto profile = read_oci(bad.text, "p.json");
    ASSERT_FALSE(profile.has_value()) << bad.text;
    EXPECT_EQ(profile.error().kind, ErrorKind::kInput);
    EXPECT_EQ(profile.error().place, "p.json:" + bad.place) << bad.text;
    EXPECT_THAT(profile.error().message, HasSubstr(bad.message)) << bad.text;
    EXPECT_THAT(profile.error().hint, HasSubstr(bad.hint)) << bad.text;
  }
}

TEST(OciReader, LimitsAreKept) {
  const auto repeated = [](const std::string& text, int times) {
    std::string all = text;
    for (int i = 1; i < times; ++i) all += "," + text;
    return all;
  };
  const std::string condition = R"({"index":0,"value":1,"op":"SCMP_CMP_NE"})";
  const auto conditions =
      read_oci(with_rule(R"("names": ["dup"], "action": "SCMP_ACT_ALLOW", "args": [)" +
                         repeated(condition, 33) + "]"),
               "p.json");
  ASSERT_FALSE(conditions.has_value());
  EXPECT_THAT(conditions.error().message, HasSubstr("33 elements are over the limit of 32"));

  // 40,000 pairs of a name and a condition: twice that is too much.
  const std::string rule = "{\"names\": [" + repeated("\"a\"", 1250) +
                           "], \"action\": \"SCMP_ACT_ALLOW\", \"args\": [" +
                           repeated(condition, 32) + "]}";
  EXPECT_TRUE(
      read_oci("{\"defaultAction\": \"SCMP_ACT_LOG\", \"syscalls\": [" + rule + "]}", "p.json"));
  const auto twice = read_oci(
      "{\"defaultAction\": \"SCMP_ACT_LOG\", \"syscalls\": [" + rule + "," + rule + "]}", "p.json");
  ASSERT_FALSE(twice.has_value());
  EXPECT_EQ(twice.error().place, "p.json:1 /syscalls/1");
  EXPECT_THAT(twice.error().message, HasSubstr("more than 65536"));
}

}  // namespace
}  // namespace whittle::profile
