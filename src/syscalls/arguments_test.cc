#include "syscalls/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/netlink.h>
#include <linux/personality.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <set>

#include "syscalls/table.h"

namespace whittle::syscalls {
namespace {

using testing::ElementsAre;

TEST(Arguments, TheTable) {
  const auto table = argument_table();
  EXPECT_TRUE(std::is_sorted(table.begin(), table.end(),
                             [](const auto& a, const auto& b) { return a.syscall < b.syscall; }));
  for (const ArgumentSpec& spec : table) {
    EXPECT_LE(argument_specs(spec.syscall).size(), 4U) << spec.syscall;
    EXPECT_LE(spec.indexes.size(), 3U) << spec.syscall;
    EXPECT_TRUE(is_known(spec.syscall)) << spec.syscall;
    EXPECT_FALSE(spec.source.empty());
    ASSERT_FALSE(spec.indexes.empty());
    EXPECT_EQ(spec.indexes.size(), spec.widths.size());
    EXPECT_TRUE(std::is_sorted(spec.indexes.begin(), spec.indexes.end()));
    EXPECT_LE(spec.indexes.back(), 5);
    for (const std::uint8_t width : spec.widths) EXPECT_TRUE(width == 32 || width == 64);
  }
  ASSERT_EQ(argument_specs("socket").size(), 1U);
  const ArgumentSpec& socket = argument_specs("socket")[0];
  EXPECT_THAT(socket.indexes, ElementsAre(0, 1, 2));
  EXPECT_EQ(socket.kind, ArgumentKind::kEnum);
  EXPECT_EQ(socket.level, Level::kSafe);
  EXPECT_EQ(argument_specs("prctl")[0].level, Level::kAll);
  EXPECT_EQ(argument_specs("clone")[0].kind, ArgumentKind::kFlags);
  EXPECT_EQ(argument_specs("clone")[0].widths[0], 32);
  EXPECT_FALSE(argument_specs("clone")[0].in_struct);
  EXPECT_TRUE(argument_specs("clone3")[0].in_struct);
  EXPECT_EQ(argument_specs("clone3")[0].widths[0], 64);
  EXPECT_TRUE(argument_specs("read").empty());
  EXPECT_TRUE(argument_specs("").empty());
}

TEST(Arguments, SeveralUnitsOfOneCall) {
  const auto mmap = argument_specs("mmap");
  ASSERT_EQ(mmap.size(), 2U);
  EXPECT_THAT(mmap[0].indexes, ElementsAre(2));
  EXPECT_EQ(mmap[0].level, Level::kAll);
  EXPECT_THAT(mmap[1].indexes, ElementsAre(3));
  EXPECT_EQ(mmap[1].level, Level::kBase);
  EXPECT_EQ(argument_specs(Arch::kX86_64, "mmap").size(), 2U);
  EXPECT_EQ(argument_specs(Arch::kAarch64, "mmap").size(), 2U);
  EXPECT_TRUE(argument_specs(Arch::kX86, "mmap").empty());  // a pointer to a struct
  EXPECT_EQ(argument_specs(Arch::kX86, "mmap2").size(), 2U);
  EXPECT_TRUE(argument_specs(Arch::kX86, "read").empty());
}

TEST(Arguments, Kinds) {
  for (const auto kind : {ArgumentKind::kFlags, ArgumentKind::kEnum, ArgumentKind::kMode}) {
    EXPECT_EQ(kind_from_name(kind_name(kind)), kind);
  }
  EXPECT_EQ(kind_from_name("flag"), std::nullopt);
}

TEST(Arguments, FlagsInWords) {
  EXPECT_EQ(value_text("clone", 0, 0x1200011), "CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD");
  EXPECT_EQ(value_text("clone", 0, CLONE_VM | CLONE_VFORK | SIGCHLD),
            "CLONE_VM|CLONE_VFORK|SIGCHLD");
  EXPECT_EQ(value_text("clone", 0, 0), "0");
  EXPECT_EQ(value_text("clone", 0, 0x22), "0x22");  // a real-time signal has no symbol
  EXPECT_EQ(value_text("clone3", 0, CLONE_CLEAR_SIGHAND | CLONE_NEWTIME | SIGCHLD),
            "CLONE_CLEAR_SIGHAND|CLONE_NEWTIME|SIGCHLD");
  EXPECT_EQ(value_text("unshare", 0, CLONE_NEWNS | CLONE_NEWUSER), "CLONE_NEWNS|CLONE_NEWUSER");
  EXPECT_EQ(value_text("unshare", 0, CLONE_NEWTIME), "CLONE_NEWTIME");
  EXPECT_EQ(value_text("unshare", 0, CLONE_NEWNS | 1), "CLONE_NEWNS|0x1");
}

TEST(Arguments, EnumsInWords) {
  EXPECT_EQ(value_text("socket", 0, AF_ALG), "AF_ALG");
  EXPECT_EQ(value_text("socket", 0, AF_UNIX), "AF_UNIX");  // not AF_LOCAL or AF_FILE
  EXPECT_EQ(value_text("socket", 0, 0), "AF_UNSPEC");
  EXPECT_EQ(value_text("socket", 0, 99), "0x63");
  EXPECT_EQ(value_text("socket", 1, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK),
            "SOCK_DGRAM|SOCK_NONBLOCK|SOCK_CLOEXEC");
  EXPECT_EQ(value_text("prctl", 0, PR_SET_NO_NEW_PRIVS), "PR_SET_NO_NEW_PRIVS");
  EXPECT_EQ(value_text("personality", 0, 0), "PER_LINUX");
  EXPECT_EQ(value_text("personality", 0, ADDR_NO_RANDOMIZE), "ADDR_NO_RANDOMIZE");
  EXPECT_EQ(value_text("personality", 0,
                       static_cast<int>(PER_LINUX32) | static_cast<int>(ADDR_NO_RANDOMIZE)),
            "PER_LINUX32|ADDR_NO_RANDOMIZE");
  EXPECT_EQ(value_text("personality", 0, UINT32_MAX), "0xffffffff");
  EXPECT_EQ(value_text("setsockopt", 1, SOL_SOCKET), "SOL_SOCKET");
}

TEST(Arguments, CommandsInWords) {
  EXPECT_EQ(value_text("mmap", 2, 0), "PROT_NONE");
  EXPECT_EQ(value_text("mmap", 2, 5), "PROT_READ|PROT_EXEC");
  EXPECT_EQ(value_text("mprotect", 2, 0x1000007), "PROT_READ|PROT_WRITE|PROT_EXEC|PROT_GROWSDOWN");
  EXPECT_EQ(value_text("mmap", 3, 0x22), "MAP_PRIVATE|MAP_ANONYMOUS");
  EXPECT_EQ(value_text("mmap", 3, 0x20022), "MAP_PRIVATE|MAP_ANONYMOUS|MAP_STACK");
  EXPECT_EQ(value_text("mmap", 3, 0x3), "MAP_SHARED_VALIDATE");
  EXPECT_EQ(value_text("futex", 1, 0x80), "FUTEX_WAIT_PRIVATE");
  EXPECT_EQ(value_text("futex", 1, 0x189),
            "FUTEX_WAIT_BITSET|FUTEX_PRIVATE_FLAG|FUTEX_CLOCK_REALTIME");
  EXPECT_EQ(value_text("futex", 1, 0), "FUTEX_WAIT");
  EXPECT_EQ(value_text("ioctl", 1, 0x5401), "TCGETS");
  EXPECT_EQ(value_text("ioctl", 1, 0x541b), "FIONREAD");  // not TIOCINQ
  EXPECT_EQ(value_text("fcntl", 1, 4), "F_SETFL");
  EXPECT_EQ(value_text("kill", 1, 15), "SIGTERM");
  EXPECT_EQ(value_text("kill", 1, 0), "0");
  EXPECT_EQ(value_text("kill", 1, 64), "0x40");
  EXPECT_EQ(value_text("prlimit64", 1, 7), "RLIMIT_NOFILE");
  EXPECT_EQ(value_text("madvise", 2, 4), "MADV_DONTNEED");
  EXPECT_EQ(value_text("mount", 3, 0xc0ed1000), "MS_MGC_VAL|MS_BIND");
  EXPECT_EQ(value_text("mount", 3, 0x44000), "MS_REC|MS_PRIVATE");
  EXPECT_EQ(value_text("setns", 1, CLONE_NEWNET), "CLONE_NEWNET");
  EXPECT_EQ(value_text("memfd_create", 1, 3), "MFD_CLOEXEC|MFD_ALLOW_SEALING");
  EXPECT_EQ(value_text("keyctl", 0, 1), "KEYCTL_JOIN_SESSION_KEYRING");
  EXPECT_EQ(value_text("bpf", 0, 5), "BPF_PROG_LOAD");
  EXPECT_EQ(value_text("ptrace", 0, 16), "PTRACE_ATTACH");
  EXPECT_EQ(value_text("arch_prctl", 0, 0x1002), "ARCH_SET_FS");
  EXPECT_EQ(value_text("io_uring_register", 1, 0x80000014),
            "IORING_REGISTER_USE_REGISTERED_RING|IORING_REGISTER_RING_FDS");
}

TEST(Arguments, WhatHasNoWordsIsHex) {
  EXPECT_EQ(value_text("read", 0, 255), "0xff");
  EXPECT_EQ(value_text("clone", 3, 16), "0x10");
  // Number 6 is IPPROTO_TCP or NETLINK_XFRM: without the family it is neither.
  EXPECT_EQ(value_text("socket", 2, 6), "0x6");
}

TEST(Arguments, TuplesAreReadTogether) {
  const std::vector<unsigned> socket = {0, 1, 2};
  const auto words = [&](std::vector<std::uint64_t> values) {
    return tuple_text("socket", socket, values);
  };
  EXPECT_THAT(words({AF_INET, SOCK_STREAM, IPPROTO_TCP}),
              ElementsAre("AF_INET", "SOCK_STREAM", "IPPROTO_TCP"));
  EXPECT_THAT(words({AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_XFRM}),
              ElementsAre("AF_NETLINK", "SOCK_RAW|SOCK_CLOEXEC", "NETLINK_XFRM"));
  EXPECT_THAT(words({AF_UNIX, SOCK_STREAM, 0}), ElementsAre("AF_UNIX", "SOCK_STREAM", "0"));
  EXPECT_THAT(words({99, 1, 6}), ElementsAre("0x63", "SOCK_STREAM", "0x6"));
  const std::vector<unsigned> option = {1, 2};
  const auto option_words = [&](std::vector<std::uint64_t> values) {
    return tuple_text("setsockopt", option, values);
  };
  EXPECT_THAT(option_words({SOL_SOCKET, SO_REUSEADDR}), ElementsAre("SOL_SOCKET", "SO_REUSEADDR"));
  EXPECT_THAT(option_words({IPPROTO_TCP, TCP_NODELAY}), ElementsAre("SOL_TCP", "TCP_NODELAY"));
  EXPECT_THAT(option_words({IPPROTO_IPV6, IPV6_V6ONLY}), ElementsAre("SOL_IPV6", "IPV6_V6ONLY"));
  EXPECT_THAT(option_words({IPPROTO_UDP, UDP_SEGMENT}), ElementsAre("SOL_UDP", "UDP_SEGMENT"));
  const std::vector<unsigned> filter = {0, 1};
  EXPECT_THAT(
      tuple_text("seccomp", filter, std::vector<std::uint64_t>{1, 3}),
      ElementsAre("SECCOMP_SET_MODE_FILTER", "SECCOMP_FILTER_FLAG_TSYNC|SECCOMP_FILTER_FLAG_LOG"));
  EXPECT_THAT(tuple_text("getsockopt", option, std::vector<std::uint64_t>{1, 4}),
              ElementsAre("SOL_SOCKET", "SO_ERROR"));
  const std::vector<std::uint64_t> unknown = {1, 2};
  EXPECT_THAT(tuple_text("read", option, unknown), ElementsAre("0x1", "0x2"));
}

TEST(Arguments, AllOfACallInWords) {
  const auto words = [](const char* call, std::vector<std::uint64_t> arguments) {
    return arguments_text(call, arguments);
  };
  EXPECT_THAT(words("setsockopt", {3, 6, 1}), ElementsAre("0x3", "SOL_TCP", "TCP_NODELAY"));
  EXPECT_THAT(words("mmap", {0, 4096, 3, 0x22}),
              ElementsAre("0", "0x1000", "PROT_READ|PROT_WRITE", "MAP_PRIVATE|MAP_ANONYMOUS"));
  EXPECT_THAT(words("socket", {0x1'00000026}), ElementsAre("0x100000026"));
  EXPECT_THAT(words("socket", {0x1'00000026, 1, 0}),
              ElementsAre("0x100000026", "SOCK_STREAM", "0"));
  EXPECT_THAT(words("clone3", {0x11}), ElementsAre("0x11"));  // a pointer
  EXPECT_TRUE(words("getpid", {}).empty());
}

TEST(Legacy, CallsOfX86_64ThatAarch64Lacks) {
  std::set<std::string> seen;
  for (const LegacyCall& call : legacy_calls()) {
    EXPECT_TRUE(seen.insert(call.legacy).second) << call.legacy;
    EXPECT_TRUE(number(Arch::kX86_64, call.legacy)) << call.legacy;
    EXPECT_FALSE(number(Arch::kAarch64, call.legacy)) << call.legacy;
    EXPECT_FALSE(call.modern.empty());
    for (const std::string& modern : call.modern) {
      EXPECT_TRUE(number(Arch::kAarch64, modern)) << modern;
      EXPECT_TRUE(number(Arch::kX86_64, modern)) << modern;
    }
  }
}

// Calls of x86_64 that aarch64 lacks and no C library makes in another way there: of the hardware,
// retired, or never built.
TEST(Legacy, TheOthersAreKnownToHaveNoCounterpart) {
  const std::set<std::string> none = {
      "_sysctl",         "afs_syscall",     "arch_prctl",     "create_module",
      "epoll_ctl_old",   "security",        "epoll_wait_old", "getpmsg",
      "get_kernel_syms", "get_thread_area", "ioperm",         "iopl",
      "modify_ldt",      "putpmsg",         "query_module",   "sysfs",
      "set_thread_area", "tuxcall",         "uprobe",         "uretprobe",
      "uselib",          "ustat",           "vserver"};
  std::set<std::string> listed;
  for (const LegacyCall& call : legacy_calls()) listed.insert(call.legacy);
  for (const Entry& entry : entries(Arch::kX86_64)) {
    const std::string call(entry.name);
    if (number(Arch::kAarch64, call)) continue;
    EXPECT_NE(listed.contains(call), none.contains(call)) << call;
  }
}

}  // namespace
}  // namespace whittle::syscalls
