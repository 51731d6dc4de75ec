#include "host/kernel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file_system.h"
#include "base/text.h"

namespace whittle::host {
namespace {

using testing::HasSubstr;

TEST(KernelVersion, IsTheFirstTwoNumbersOfTheRelease) {
  EXPECT_EQ(parse_kernel_version("6.1.0-18-amd64"), (KernelVersion{6, 1}));
  EXPECT_EQ(parse_kernel_version("5.15"), (KernelVersion{5, 15}));
  EXPECT_EQ(parse_kernel_version("6.18-rc1"), (KernelVersion{6, 18}));
}

TEST(KernelVersion, RefusesWhatIsNone) {
  for (const char* text : {"", "6", "6.", ".1", "x.1", "6.x", "99999999999.1"}) {
    EXPECT_FALSE(parse_kernel_version(text)) << text;
  }
}

TEST(KernelVersion, IsOrderedByNumberNotByText) {
  EXPECT_LT((KernelVersion{5, 9}), (KernelVersion{5, 15}));
  EXPECT_LT((KernelVersion{5, 15}), (KernelVersion{6, 1}));
}

KernelFacts good_facts() {
  KernelFacts facts;
  facts.release = "6.1.0";
  facts.version = {6, 1};
  facts.btf = true;
  facts.privileges = {.bpf = true, .perfmon = true};
  return facts;
}

TEST(MissingForEbpf, NothingWithTheTwoCapabilitiesOrWithSysAdmin) {
  KernelFacts facts = good_facts();
  EXPECT_EQ(missing_for_ebpf(facts), "");
  facts.privileges = {.sys_admin = true};
  EXPECT_EQ(missing_for_ebpf(facts), "");
}

TEST(MissingForEbpf, NamesTheCapabilities) {
  KernelFacts facts = good_facts();
  facts.privileges.perfmon = false;
  EXPECT_EQ(missing_for_ebpf(facts), "not root: CAP_BPF and CAP_PERFMON are needed");
}

TEST(MissingForEbpf, ASecondUserNamespaceIsNotEnough) {
  KernelFacts facts = good_facts();
  facts.privileges.initial_user_namespace = false;
  EXPECT_THAT(missing_for_ebpf(facts), HasSubstr("user namespace"));
}

TEST(MissingForEbpf, ListsAllThatIsMissing) {
  KernelFacts facts = good_facts();
  facts.release = "5.14.0";
  facts.version = {5, 14};
  facts.btf = false;
  EXPECT_EQ(missing_for_ebpf(facts),
            "the kernel is 5.14.0, older than 5.15; no BTF at /sys/kernel/btf/vmlinux");
}

TEST(MayTrace, FollowsYama) {
  KernelFacts facts;
  const bool expected[4][4] = {// children, others, and both with CAP_SYS_PTRACE
                               {true, true, true, true},
                               {true, false, true, true},
                               {false, false, true, true},
                               {false, false, false, false}};
  for (int scope = 0; scope < 4; ++scope) {
    facts.ptrace_scope = scope;
    facts.privileges.sys_ptrace = false;
    EXPECT_EQ(may_trace_children(facts), expected[scope][0]) << scope;
    EXPECT_EQ(may_trace_others(facts), expected[scope][1]) << scope;
    facts.privileges.sys_ptrace = true;
    EXPECT_EQ(may_trace_children(facts), expected[scope][2]) << scope;
    EXPECT_EQ(may_trace_others(facts), expected[scope][3]) << scope;
  }
}

TEST(KernelFacts, AgreeWithProc) {
  const KernelFacts facts = kernel_facts();
  EXPECT_EQ(facts.release, trim(read_file("/proc/sys/kernel/osrelease").value()));
  EXPECT_GE(facts.version, (KernelVersion{3, 0}));
  EXPECT_EQ(facts.btf, ::access("/sys/kernel/btf/vmlinux", R_OK) == 0);
  const std::string status = read_file("/proc/self/status").value();
  const std::string tag = "CapEff:\t";
  const auto effective = parse_u64("0x" + status.substr(status.find(tag) + tag.size(), 16));
  ASSERT_TRUE(effective);
  EXPECT_EQ(facts.privileges.sys_ptrace, (*effective >> 19U & 1U) != 0);
  EXPECT_EQ(facts.privileges.sys_admin, (*effective >> 21U & 1U) != 0);
  EXPECT_EQ(facts.privileges.perfmon, (*effective >> 38U & 1U) != 0);
  EXPECT_EQ(facts.privileges.bpf, (*effective >> 39U & 1U) != 0);
}

}  // namespace
}  // namespace whittle::host
