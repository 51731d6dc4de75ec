#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "profile/baseline.h"

namespace whittle::profile {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string with_rule(std::string_view members) {
  return format("{{\"defaultAction\": \"SCMP_ACT_ERRNO\",\n\"syscalls\": [\n{{{}}}]}}", members);
}

// Is a rule with these members in force?
bool in_force(std::string_view members, const Setting& setting) {
  const auto profile = resolve_docker(
      with_rule(format(R"("names": ["dup"], "action": "SCMP_ACT_ALLOW", {})", members)), "d.json",
      setting);
  EXPECT_TRUE(profile.has_value()) << (profile ? "" : profile.error().text());
  return profile && !profile->rules().empty();
}

Setting with_caps(std::set<std::string> caps) {
  Setting setting;
  setting.caps = std::move(caps);
  return setting;
}

TEST(Docker, IncludesNeedEveryCapability) {
  const char* rule = R"("includes": {"caps": ["CAP_BPF", "CAP_PERFMON"]})";
  EXPECT_FALSE(in_force(rule, with_caps({})));
  EXPECT_FALSE(in_force(rule, with_caps({"CAP_BPF"})));
  EXPECT_TRUE(in_force(rule, with_caps({"CAP_BPF", "CAP_PERFMON"})));
}

TEST(Docker, ExcludesNeedAnyCapability) {
  const char* rule = R"("excludes": {"caps": ["CAP_BPF", "CAP_PERFMON"]})";
  EXPECT_TRUE(in_force(rule, with_caps({})));
  EXPECT_FALSE(in_force(rule, with_caps({"CAP_BPF"})));
  EXPECT_FALSE(in_force(rule, with_caps({"CAP_PERFMON", "CAP_CHOWN"})));
}

TEST(Docker, WithoutCapabilitiesDockersDefaultCounts) {
  EXPECT_TRUE(in_force(R"("includes": {"caps": ["CAP_SYS_CHROOT"]})", Setting{}));
  EXPECT_FALSE(in_force(R"("includes": {"caps": ["CAP_SYS_ADMIN"]})", Setting{}));
}

TEST(Docker, ArchitectureWordsAreTheHosts) {
  const char* includes = R"("includes": {"arches": ["amd64", "x32"]})";
  const char* excludes = R"("excludes": {"arches": ["s390", "arm64"]})";
  Setting setting;
  EXPECT_TRUE(in_force(includes, setting));
  EXPECT_TRUE(in_force(excludes, setting));
  EXPECT_FALSE(in_force(R"("includes": {"arches": ["x32"]})", setting));
  setting.arch = syscalls::Arch::kAarch64;
  EXPECT_FALSE(in_force(includes, setting));
  EXPECT_FALSE(in_force(excludes, setting));
  EXPECT_FALSE(in_force(R"("includes": {"arches": ["arm"]})", setting));
}

TEST(Docker, KernelVersionsCompareAsNumbers) {
  Setting setting;
  setting.kernel = {4, 10};
  EXPECT_TRUE(in_force(R"("includes": {"minKernel": "4.8"})", setting));
  EXPECT_TRUE(in_force(R"("includes": {"minKernel": "4.10"})", setting));
  EXPECT_FALSE(in_force(R"("includes": {"minKernel": "4.11"})", setting));
  EXPECT_FALSE(in_force(R"("includes": {"minKernel": "5.0"})", setting));
  EXPECT_FALSE(in_force(R"("excludes": {"minKernel": "4.10"})", setting));
  EXPECT_TRUE(in_force(R"("excludes": {"minKernel": "4.11"})", setting));
}

TEST(Docker, AllPartsOfIncludesAreNeeded) {
  const char* rule =
      R"("includes": {"caps": ["CAP_BPF"], "arches": ["amd64"], "minKernel": "6.0"})";
  Setting setting = with_caps({"CAP_BPF"});
  setting.kernel = {6, 0};
  EXPECT_TRUE(in_force(rule, setting));
  setting.kernel = {5, 19};
  EXPECT_FALSE(in_force(rule, setting));
}

TEST(Docker, ArchMapGivesTheHostsEntry) {
  const char* text = R"({"defaultAction": "SCMP_ACT_ERRNO", "archMap": [
    {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
    {"architecture": "SCMP_ARCH_RISCV64", "subArchitectures": null},
    {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]}]})";
  Setting setting;
  const auto amd64 = resolve_docker(text, "d.json", setting);
  ASSERT_TRUE(amd64.has_value());
  EXPECT_THAT(amd64->parts().architectures,
              ElementsAre("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"));
  setting.arch = syscalls::Arch::kAarch64;
  const auto arm64 = resolve_docker(text, "d.json", setting);
  ASSERT_TRUE(arm64.has_value());
  EXPECT_THAT(arm64->parts().architectures, ElementsAre("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"));
}

TEST(Docker, TheOldFormatHasASingleName) {
  const auto profile = resolve_docker(
      with_rule(R"("name": "clone", "action": "SCMP_ACT_ALLOW", "args": null)"), "d.json", {});
  ASSERT_TRUE(profile.has_value());
  EXPECT_THAT(profile->rules()[0].names, ElementsAre("clone"));
}

TEST(Docker, ErrnoNamesBeatNumbers) {
  const auto profile = resolve_docker(
      R"({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "defaultErrno": "ENOSYS",
          "syscalls": [{"names": ["dup"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1,
                        "errno": "EINVAL"}]})",
      "d.json", {});
  ASSERT_TRUE(profile.has_value());
  EXPECT_EQ(profile->default_verdict(), (Verdict{Action::kErrno, 38}));
  EXPECT_EQ(profile->rules()[0].verdict, (Verdict{Action::kErrno, 22}));
}

TEST(Docker, APlainDocumentReadsTheSame) {
  const std::string text = with_rule(R"("names": ["dup"], "action": "SCMP_ACT_ALLOW", "args": [
                   {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}])");
  const auto plain = read_oci(text, "d.json");
  const auto docker = resolve_docker(text, "d.json", {});
  ASSERT_TRUE(plain && docker);
  EXPECT_EQ(*plain, *docker);
}

TEST(Docker, ErrorsHaveTheirPlaceAlsoInRulesThatDoNotHold) {
  const std::string never = R"("includes": {"caps": ["CAP_SYS_ADMIN"]})";
  const std::vector<std::array<std::string, 3>> cases = {
      {with_rule(R"("names": ["dup"], "action": "SCMP_ACT_ALOW", )" + never),
       "d.json:3 /syscalls/0/action", "unknown action"},
      {with_rule(R"("names": ["dup"], "name": "dup", "action": "SCMP_ACT_ALLOW")"),
       "d.json:3 /syscalls/0/name", "beside"},
      {with_rule(R"("names": ["dup"], "action": "SCMP_ACT_ALLOW", "includes": {"cap": []})"),
       "d.json:3 /syscalls/0/includes/cap", "unknown key"},
      {with_rule(R"("names": ["dup"], "action": "SCMP_ACT_ALLOW", "excludes": {"minKernel": "x"})"),
       "d.json:3 /syscalls/0/excludes/minKernel", "no kernel version"},
      {with_rule(R"("names": ["dup"], "action": "SCMP_ACT_ERRNO", "errno": "ENOPE")"),
       "d.json:3 /syscalls/0/errno", "unknown errno"},
      {R"({"defaultAction": "SCMP_ACT_LOG", "architectures": ["SCMP_ARCH_X86"],
           "archMap": [{"architecture": "SCMP_ARCH_X86_64"}]})",
       "d.json:2 /archMap", "beside"},
      {R"({"defaultAction": "SCMP_ACT_LOG", "archMap": [{"architecture": "SCMP_ARCH_X64"}]})",
       "d.json:1 /archMap/0", "unknown architecture"},
      {R"({"defaultAction": "SCMP_ACT_LOG", "archMap": [{"subArchitectures": []}]})",
       "d.json:1 /archMap/0", "\"architecture\" is missing"},
  };
  for (const auto& [text, place, message] : cases) {
    const auto profile = resolve_docker(text, "d.json", {});
    ASSERT_FALSE(profile.has_value()) << text;
    EXPECT_EQ(profile.error().place, place);
    EXPECT_THAT(profile.error().message, HasSubstr(message));
  }
}

TEST(KernelVersion, Texts) {
  EXPECT_EQ(kernel_version("4.8"), (KernelVersion{4, 8}));
  EXPECT_EQ(kernel_version("6.18.44-cloud-amd64"), (KernelVersion{6, 18}));
  EXPECT_EQ(kernel_version("6.1-rc3"), (KernelVersion{6, 1}));
  for (const char* text : {"", "6", "6.", ".1", "six.one", "0x6.1", "6.-1", "99999999999.1"}) {
    EXPECT_EQ(kernel_version(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace whittle::profile
