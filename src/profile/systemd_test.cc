#include "profile/systemd.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace whittle::profile {
namespace {

using syscalls::Arch;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const Verdict kAllow{Action::kAllow, 0};
const Verdict kKill{Action::kKillProcess, 0};
Verdict errno_of(std::uint16_t number) { return {Action::kErrno, number}; }

Result<Document> read(std::string_view text, Arch arch = Arch::kX86_64) {
  ReadOptions options;
  options.setting.arch = arch;
  return read_systemd(text, "x.service", options);
}

Verdict verdict(const Document& document, std::string_view name) {
  return documented_verdict(document.profile, Arch::kX86_64, name, {});
}

TEST(Systemd, GroupsAreThoseOfTheTable) {
  EXPECT_EQ(systemd_groups_version(), "252");
  EXPECT_THAT(*systemd_group("@swap"), ElementsAre("swapoff", "swapon"));
  // With the groups in it: @privileged has @module.
  EXPECT_THAT(*systemd_group("@privileged"), ::testing::Contains("init_module"));
  EXPECT_EQ(systemd_group("@nothing"), std::nullopt);
}

TEST(Systemd, AListOfWhatIsAllowed) {
  const auto document = read("[Unit]\nDescription=x\n[Service]\nSystemCallFilter = @swap  read\n");
  ASSERT_TRUE(document) << document.error().text();
  EXPECT_EQ(document->form, Form::kSystemd);
  EXPECT_EQ(document->profile.default_verdict(), kKill);
  for (const char* name : {"swapon", "read", "execve", "exit_group", "brk"}) {
    EXPECT_EQ(verdict(*document, name), kAllow) << name;  // the last three by @default
  }
  EXPECT_EQ(verdict(*document, "write"), kKill);
  // Every ABI of the machine is under the filter.
  EXPECT_EQ(document->profile.arches().size(), 3U);
  EXPECT_EQ(read("SystemCallFilter=read", Arch::kAarch64)->profile.arches().size(), 2U);
}

TEST(Systemd, LaterListsAddAndTakeAway) {
  const auto document = read(
      "SystemCallFilter=@system-service \\\n  # on it goes\n  mount\n"
      "SystemCallErrorNumber=EACCES\n"
      "SystemCallFilter=~@privileged\nSystemCallFilter=~clone3:ENOSYS reboot:kill ptrace:13\n"
      "SystemCallFilter=mount chroot\n");
  ASSERT_TRUE(document) << document.error().text();
  EXPECT_EQ(document->profile.default_verdict(), errno_of(13));
  EXPECT_EQ(verdict(*document, "mount"), kAllow);
  EXPECT_EQ(verdict(*document, "chroot"), kAllow);
  EXPECT_EQ(verdict(*document, "setuid"), errno_of(13));  // of both groups
  EXPECT_EQ(verdict(*document, "clone3"), errno_of(38));
  EXPECT_EQ(verdict(*document, "reboot"), kKill);
  EXPECT_EQ(verdict(*document, "ptrace"), errno_of(13));
}

TEST(Systemd, AListOfWhatIsRefused) {
  const auto document = read("SystemCallFilter=~@mount swapon:EPERM\nSystemCallFilter=chroot\n");
  ASSERT_TRUE(document) << document.error().text();
  EXPECT_EQ(document->profile.default_verdict(), kAllow);
  EXPECT_EQ(verdict(*document, "mount"), kKill);
  EXPECT_EQ(verdict(*document, "swapon"), errno_of(1));
  EXPECT_EQ(verdict(*document, "chroot"), kAllow);  // no longer in the list
}

TEST(Systemd, AnEmptyValueBeginsAnew) {
  const auto document = read(
      "SystemCallFilter=read\nSystemCallFilter=\nSystemCallFilter=~mount\n"
      "SystemCallArchitectures=x32\nSystemCallArchitectures=\n"
      "SystemCallArchitectures=native arm64\nSystemCallErrorNumber=EPERM\n"
      "SystemCallErrorNumber=\n");
  ASSERT_TRUE(document) << document.error().text();
  EXPECT_EQ(document->profile.default_verdict(), kAllow);
  EXPECT_EQ(verdict(*document, "mount"), kKill);
  EXPECT_THAT(document->profile.parts().architectures,
              ElementsAre("SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"));
}

TEST(Systemd, BareLines) {
  EXPECT_TRUE(looks_like_systemd("@system-service\n~@mount\n"));
  EXPECT_TRUE(looks_like_systemd("~ mount umount2\n"));
  EXPECT_TRUE(looks_like_systemd("read write\n"));
  EXPECT_TRUE(looks_like_systemd("# ours\nclone3:ENOSYS"));
  EXPECT_FALSE(looks_like_systemd("hello read\n"));
  EXPECT_FALSE(looks_like_systemd("{\"a\": 1}"));
  EXPECT_FALSE(looks_like_systemd(""));
  EXPECT_FALSE(looks_like_systemd("[Service]\nExecStart=/bin/true\n"));
  const auto document = read("~@swap:EPERM\n");
  ASSERT_TRUE(document);
  EXPECT_EQ(verdict(*document, "swapoff"), errno_of(1));
}

TEST(Systemd, WhatSystemdIgnoresIsSaid) {
  const auto document = read(
      "SystemCallFilter=read\nSystemCallFilter=write:EPERM\n"
      "SystemCallLog=mount\nRestrictNamespaces=yes\nLockPersonality=no\n");
  ASSERT_TRUE(document);
  EXPECT_EQ(verdict(*document, "write"), kKill);
  EXPECT_THAT(document->warnings, ElementsAre(HasSubstr("x.service:2")));
  ASSERT_EQ(document->beyond.size(), 2U);
  EXPECT_EQ(document->beyond[0].pointer, "/Service/SystemCallLog");
  EXPECT_THAT(document->beyond[1].what, HasSubstr("line 4"));
}

TEST(Systemd, WrongOnes) {
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"SystemCallFilter=@mout", "@mount"},
      {"\nSystemCallFilter=~read:EPREM", "x.service:2"},
      {"SystemCallFilter=~read:4096", "4096"},
      {"SystemCallFilter=~:EPERM", "without a call"},
      {"SystemCallFilter=re$ad", "re$ad"},
      {"SystemCallArchitectures=x86_64\nSystemCallFilter=read", "x86-64"},
      {"SystemCallErrorNumber=EPERM", "no SystemCallFilter="},
      {"SystemCallFilter=read\nwrite", "without a setting"},
      {"SystemCallFilter=" + std::string(200, 'a'), "no system call"}};
  for (const auto& [text, said] : bad) {
    const auto document = read(text);
    ASSERT_FALSE(document) << text;
    EXPECT_THAT(document.error().text() + document.error().hint, HasSubstr(said));
  }
}

TEST(Systemd, WrittenOnesReadTheSame) {
  Profile::Parts parts;
  parts.default_verdict = errno_of(1);
  parts.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"};
  parts.rules = {{{"read", "execve"}, kAllow, {}},
                 {{"clone3"}, errno_of(38), {}},
                 {{"brk"}, errno_of(200), {}},
                 {{"reboot"}, kKill, {}}};
  const std::string text = write_systemd(Profile(parts));
  EXPECT_THAT(text, HasSubstr("[Service]\nSystemCallArchitectures=arm64 x86-64\n"
                              "SystemCallErrorNumber=EPERM\nSystemCallFilter=execve read\n"));
  EXPECT_THAT(text, HasSubstr("clone3:ENOSYS"));
  EXPECT_THAT(text, HasSubstr("brk:200"));
  EXPECT_THAT(text, HasSubstr("reboot:kill"));
  const auto again = read(text);
  ASSERT_TRUE(again) << again.error().text();
  const auto group = systemd_group("@default");
  ASSERT_TRUE(group);
  for (const std::string& name : *group) {
    if (name == "execve" || name == "brk") continue;
    EXPECT_EQ(verdict(*again, name), errno_of(1)) << name;
  }
  EXPECT_EQ(verdict(*again, "read"), kAllow);
  EXPECT_EQ(verdict(*again, "brk"), errno_of(200));
  EXPECT_EQ(verdict(*again, "reboot"), kKill);
  EXPECT_EQ(verdict(*again, "clone3"), errno_of(38));
}

TEST(Systemd, WrittenWithoutAnything) {
  Profile::Parts parts;
  parts.default_verdict = kAllow;
  EXPECT_EQ(write_systemd(Profile(parts)), "[Service]\nSystemCallArchitectures=native\n");
  EXPECT_EQ(read(write_systemd(Profile(parts)))->profile.default_verdict(), kAllow);
  parts.default_verdict = kKill;
  const auto nothing = read(write_systemd(Profile(parts)));
  ASSERT_TRUE(nothing);
  EXPECT_EQ(nothing->profile.default_verdict(), kKill);
  EXPECT_THAT(nothing->profile.rules(), IsEmpty());
}

}  // namespace
}  // namespace whittle::profile
