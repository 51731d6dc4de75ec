#include "profile/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "profile/kubernetes.h"

namespace whittle::profile {
namespace {

using syscalls::Arch;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

ConvertSettings settings() {
  ConvertSettings made;
  made.name = "p";
  return made;
}

Document read(std::string_view text) {
  ReadOptions options;
  options.dialect = Dialect::kDocker;
  const auto document = read_any(text, "in", options);
  EXPECT_TRUE(document) << document.error().text();
  return document.value_or(Document{});
}

std::vector<std::string> pointers(const Conversion& made) {
  std::vector<std::string> all;
  for (const Loss& loss : made.lost) all.push_back(loss.pointer);
  return all;
}

constexpr std::string_view kPlain = R"({
  "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"],
  "syscalls": [{"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"},
               {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]})";

TEST(Convert, APlainProfileGoesEverywhere) {
  const Document document = read(kPlain);
  for (const Target target : {Target::kOci, Target::kDocker, Target::kPodman, Target::kSpoV1Beta1,
                              Target::kSpoV1, Target::kSystemd}) {
    const auto made = convert(document, target, settings());
    ASSERT_TRUE(made);
    EXPECT_THAT(made->lost, IsEmpty());
    const Document again = read(made->text);
    for (const char* name : {"read", "clone3", "mount", "brk"}) {
      EXPECT_EQ(documented_verdict(again.profile, Arch::kX86_64, name, {}),
                documented_verdict(document.profile, Arch::kX86_64, name, {}))
          << name;
    }
  }
}

TEST(Convert, SpoNamesItsLosses) {
  const Document document = read(R"({
    "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "flags": [],
    "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_LOONGARCH64"], "listenerPath": "/run/a.sock",
    "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"},
                 {"names": ["dup"], "action": "SCMP_ACT_ERRNO", "errnoRet": 0},
                 {"names": ["prctl", "ioctl"], "action": "SCMP_ACT_ALLOW",
                  "args": [{"index": 1, "value": 9223372036854775808, "op": "SCMP_CMP_EQ"}]}]})");
  const auto made = convert(document, Target::kSpoV1, settings());
  ASSERT_TRUE(made);
  EXPECT_THAT(pointers(*made),
              ElementsAre("/defaultErrnoRet", "/syscalls/1/errnoRet", "/syscalls/2/args",
                          "/architectures/1", "/flags", "/listenerPath"));
  EXPECT_THAT(made->text, Not(HasSubstr("prctl")));
  const Document again = read(made->text);
  EXPECT_EQ(again.profile.parts().rules, made->meant.parts().rules);
  EXPECT_EQ(again.profile.default_verdict(), (Verdict{Action::kErrno, 1}));
}

// A call that can't be written with its rules is refused, also where that is not the default.
TEST(Convert, NeverLooser) {
  const Document denies = read(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
      {"names": ["prctl"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13,
       "args": [{"index": 1, "value": 5, "op": "SCMP_CMP_EQ"}]},
      {"names": ["dup"], "action": "SCMP_ACT_LOG",
       "args": [{"index": 1, "value": 5, "op": "SCMP_CMP_EQ"}]}]})");
  const auto made = convert(denies, Target::kSystemd, settings());
  ASSERT_TRUE(made);
  EXPECT_THAT(made->text, HasSubstr("SystemCallFilter=~prctl:EACCES"));
  EXPECT_THAT(made->text, Not(HasSubstr("dup")));  // it lets everything through either way
}

TEST(Convert, SystemdTakesTheRuleThatCounts) {
  const std::string_view text = R"({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
      {"names": ["read"], "action": "SCMP_ACT_ERRNO"}, {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
      {"names": ["write"], "action": "SCMP_ACT_ALLOW",
       "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]},
      {"names": ["write"], "action": "SCMP_ACT_ALLOW"}]})";
  const auto by_runtime = convert(read(text), Target::kSystemd, settings());
  ASSERT_TRUE(by_runtime);
  EXPECT_THAT(by_runtime->lost, IsEmpty());
  EXPECT_THAT(by_runtime->text, HasSubstr("SystemCallFilter=read write\n"));
  ConvertSettings documented = settings();
  documented.by_runtime = false;
  const auto as_documented = convert(read(text), Target::kSystemd, documented);
  ASSERT_TRUE(as_documented);
  EXPECT_THAT(as_documented->text, HasSubstr("SystemCallFilter=write\n"));
}

TEST(Convert, SystemdNamesItsLosses) {
  const Document document =
      read(R"({"defaultAction": "SCMP_ACT_KILL", "flags": ["SECCOMP_FILTER_FLAG_LOG"],
    "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_M68K"], "listenerPath": "/l", "listenerMetadata": "m",
    "syscalls": [{"names": ["read"], "action": "SCMP_ACT_LOG"},
                 {"names": ["mount"], "action": "SCMP_ACT_NOTIFY"},
                 {"names": ["dup"], "action": "SCMP_ACT_TRAP"},
                 {"names": ["open"], "action": "SCMP_ACT_ERRNO", "errnoRet": 0},
                 {"names": ["ioctl"], "action": "SCMP_ACT_ALLOW",
                  "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}]})");
  const auto made = convert(document, Target::kSystemd, settings());
  ASSERT_TRUE(made);
  EXPECT_THAT(pointers(*made),
              ElementsAre("/defaultAction", "/syscalls/0/action", "/syscalls/1/action",
                          "/syscalls/2/action", "/syscalls/4/args", "/architectures/1", "/flags",
                          "/listenerPath", "/listenerMetadata"));
  EXPECT_THAT(made->text, HasSubstr("mount:ENOSYS"));
  EXPECT_THAT(made->text, HasSubstr("open:0"));
}

TEST(Convert, NamesThatSystemdWouldTakeForSomethingElse) {
  for (const char* action : {"ALLOW", "ERRNO"}) {
    const Document document = read(
        std::string(R"({"defaultAction": "SCMP_ACT_)") + (action[0] == 'A' ? "ERRNO" : "ALLOW") +
        R"(", "syscalls": [{"names": ["read", "@mount", "~dup", "a b", "x:1"], "action": "SCMP_ACT_)" +
        action + R"("}]})");
    const auto made = convert(document, Target::kSystemd, settings());
    ASSERT_TRUE(made);
    EXPECT_EQ(made->lost.size(), 4U);
    EXPECT_EQ(made->lost[0].pointer, "/syscalls/0/names");
    EXPECT_THAT(made->text, Not(HasSubstr("mount")));
    EXPECT_THAT(made->text, HasSubstr("read"));
  }
}

constexpr std::string_view kDocker = R"({
  "defaultAction": "SCMP_ACT_ERRNO",
  "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
              {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]}],
  "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "includes": {}},
               {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
               {"name": "ptrace", "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
               {"names": ["dup"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "errno": "ENOSYS",
                "excludes": {"arches": ["arm64"]}}]})";

TEST(Convert, DockersConditionsAreLostUnlessTheSettingIsSaid) {
  const Document document = read(kDocker);
  EXPECT_EQ(document.form, Form::kDocker);
  for (const Target target : {Target::kOci, Target::kSpoV1, Target::kSystemd}) {
    const auto made = convert(document, target, settings());
    ASSERT_TRUE(made);
    EXPECT_THAT(pointers(*made), ElementsAre("/archMap", "/syscalls/1/includes",
                                             "/syscalls/2/includes", "/syscalls/3/excludes"));
    ConvertSettings said = settings();
    said.said = {true, true, true};
    EXPECT_THAT(convert(document, target, said)->lost, IsEmpty());
    said.said.kernel = false;
    EXPECT_THAT(pointers(*convert(document, target, said)), ElementsAre("/syscalls/2/includes"));
  }
}

TEST(Convert, DockersConditionsStayInItsDialect) {
  const Document document = read(kDocker);
  const auto docker = convert(document, Target::kDocker, settings());
  ASSERT_TRUE(docker);
  EXPECT_THAT(docker->lost, IsEmpty());
  EXPECT_THAT(docker->text, HasSubstr("CAP_SYS_ADMIN"));
  EXPECT_THAT(docker->text, Not(HasSubstr("ENOSYS")));  // Docker knows no errno names
  std::size_t resolved = 0;
  for (const Setting& each : settings_of_interest(document.object, {})) {
    EXPECT_EQ(*resolve_docker(kDocker, "a", each), *resolve_docker(docker->text, "b", each));
    ++resolved;
  }
  EXPECT_EQ(resolved, 2U * 3U * 3U);  // architectures; none, all, the one capability; kernels

  const auto podman = convert(document, Target::kPodman, settings());
  ASSERT_TRUE(podman);
  EXPECT_THAT(pointers(*podman), ElementsAre("/syscalls/2/includes/minKernel"));
  EXPECT_THAT(podman->text, Not(HasSubstr("minKernel")));
  EXPECT_THAT(podman->text, HasSubstr("ptrace"));
  ConvertSettings old = settings();
  old.setting.kernel = {4, 7};
  old.said.kernel = true;
  EXPECT_THAT(convert(document, Target::kPodman, old)->lost, IsEmpty());
  EXPECT_THAT(convert(document, Target::kPodman, old)->text, Not(HasSubstr("ptrace")));
}

TEST(Convert, PodmanHasNoListener) {
  for (const char* more : {"", R"(, "includes": {"caps": ["CAP_BPF"]})"}) {
    const Document document = read(
        std::string(
            R"({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/l", "syscalls": [{"names": ["mount"],
        "action": "SCMP_ACT_NOTIFY"}, {"names": ["dup"], "action": "SCMP_ACT_ERRNO")") +
        more + "}]}");
    const auto made = convert(document, Target::kPodman, settings());
    ASSERT_TRUE(made);
    EXPECT_THAT(pointers(*made), ElementsAre("/listenerPath", "/syscalls/0/action"));
    EXPECT_THAT(made->text, Not(HasSubstr("NOTIFY")));
    EXPECT_THAT(made->text, Not(HasSubstr("listener")));
    EXPECT_EQ(documented_verdict(made->meant, syscalls::host_arch(), "mount", {}),
              (Verdict{Action::kErrno, 38}));
  }
}

TEST(Convert, SpoKeepsWhatItKnows) {
  const Document document = read(
      "apiVersion: security-profiles-operator.x-k8s.io/v1beta1\nkind: SeccompProfile\nmetadata: "
      "{name: a}\n"
      "spec: {defaultAction: SCMP_ACT_LOG, baseProfileName: runc, state: Disabled}\n");
  const auto spo = convert(document, Target::kSpoV1, settings());
  ASSERT_TRUE(spo);
  EXPECT_THAT(spo->lost, IsEmpty());
  EXPECT_THAT(spo->text, HasSubstr("baseProfileName: runc"));
  EXPECT_THAT(pointers(*convert(document, Target::kOci, settings())),
              ElementsAre("/spec/baseProfileName", "/spec/state"));
  EXPECT_EQ(lost_in_program(document, settings()).size(), 2U);
}

}  // namespace
}  // namespace whittle::profile
