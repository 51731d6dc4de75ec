// data/constants.tsv against the kernel's headers on the machine that builds the test.
#include <gtest/gtest.h>
#include <linux/if_packet.h>
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

#include <cstdint>

#include "syscalls/arguments.h"

namespace whittle::syscalls {
namespace {

struct Expected {
  const char* symbol;
  std::uint64_t value;
};

#define C(symbol) \
  Expected { #symbol, static_cast < std::uint64_t>(symbol) }

TEST(Constants, AreThoseOfTheKernelHeaders) {
  const Expected all[] = {C(CLONE_VM),
                          C(CLONE_FS),
                          C(CLONE_FILES),
                          C(CLONE_SIGHAND),
                          C(CLONE_PIDFD),
                          C(CLONE_PTRACE),
                          C(CLONE_VFORK),
                          C(CLONE_PARENT),
                          C(CLONE_THREAD),
                          C(CLONE_NEWNS),
                          C(CLONE_SYSVSEM),
                          C(CLONE_SETTLS),
                          C(CLONE_PARENT_SETTID),
                          C(CLONE_CHILD_CLEARTID),
                          C(CLONE_DETACHED),
                          C(CLONE_UNTRACED),
                          C(CLONE_NEWCGROUP),
                          C(CLONE_CHILD_SETTID),
                          C(CLONE_NEWUTS),
                          C(CLONE_NEWIPC),
                          C(CLONE_NEWUSER),
                          C(CLONE_NEWPID),
                          C(CLONE_NEWNET),
                          C(CLONE_CLEAR_SIGHAND),
                          C(CLONE_INTO_CGROUP),
                          C(CLONE_NEWTIME),
                          C(AF_UNSPEC),
                          C(AF_UNIX),
                          C(AF_LOCAL),
                          C(AF_INET),
                          C(AF_INET6),
                          C(AF_NETLINK),
                          C(AF_PACKET),
                          C(AF_ALG),
                          C(AF_VSOCK),
                          C(AF_XDP),
                          C(AF_MCTP),
                          C(AF_KEY),
                          C(AF_TIPC),
                          C(AF_BLUETOOTH),
                          C(AF_CAN),
                          C(AF_RXRPC),
                          C(AF_SMC),
                          C(AF_RDS),
                          C(SOCK_STREAM),
                          C(SOCK_DGRAM),
                          C(SOCK_RAW),
                          C(SOCK_SEQPACKET),
                          C(SOCK_CLOEXEC),
                          C(SOCK_NONBLOCK),
                          C(SOCK_PACKET),
                          C(SOCK_RDM),
                          C(SOCK_DCCP),
                          C(IPPROTO_IP),
                          C(IPPROTO_ICMP),
                          C(IPPROTO_TCP),
                          C(IPPROTO_UDP),
                          C(IPPROTO_ICMPV6),
                          C(IPPROTO_SCTP),
                          C(IPPROTO_RAW),
                          C(IPPROTO_MPTCP),
                          C(IPPROTO_UDPLITE),
                          C(SOL_SOCKET),
                          C(SOL_RAW),
                          C(SOL_PACKET),
                          C(SOL_NETLINK),
                          C(SOL_ALG),
                          C(SO_REUSEADDR),
                          C(SO_KEEPALIVE),
                          C(SO_RCVBUF),
                          C(SO_SNDBUFFORCE),
                          C(SO_MARK),
                          C(SO_ATTACH_FILTER),
                          C(SO_ATTACH_BPF),
                          C(SO_ZEROCOPY),
                          C(SO_RCVTIMEO),
                          C(SO_TIMESTAMP),
                          C(SO_BUSY_POLL),
                          C(SO_INCOMING_CPU),
                          C(SO_TXTIME),
                          C(TCP_NODELAY),
                          C(TCP_CORK),
                          C(TCP_FASTOPEN),
                          C(TCP_ULP),
                          C(TCP_MD5SIG),
                          C(TCP_USER_TIMEOUT),
                          C(TCP_REPAIR),
                          C(TCP_TX_DELAY),
                          C(UDP_CORK),
                          C(UDP_SEGMENT),
                          C(UDP_GRO),
                          C(UDP_ENCAP),
                          C(IP_TOS),
                          C(IP_TTL),
                          C(IP_PKTINFO),
                          C(IP_TRANSPARENT),
                          C(IP_ADD_MEMBERSHIP),
                          C(IPV6_V6ONLY),
                          C(IPV6_TCLASS),
                          C(IPV6_UNICAST_HOPS),
                          C(IPV6_RECVPKTINFO),
                          C(NETLINK_ROUTE),
                          C(NETLINK_NETFILTER),
                          C(NETLINK_XFRM),
                          C(NETLINK_GENERIC),
                          C(NETLINK_ADD_MEMBERSHIP),
                          C(NETLINK_EXT_ACK),
                          C(NETLINK_SOCK_DIAG),
                          C(PACKET_RX_RING),
                          C(PACKET_FANOUT),
                          C(PACKET_VERSION),
                          C(PR_SET_PDEATHSIG),
                          C(PR_SET_NAME),
                          C(PR_SET_SECCOMP),
                          C(PR_CAPBSET_DROP),
                          C(PR_SET_MM),
                          C(PR_SET_NO_NEW_PRIVS),
                          C(PR_CAP_AMBIENT),
                          C(PR_SET_VMA),
                          C(PR_SCHED_CORE),
                          C(PR_SET_PTRACER),
                          C(PR_SET_SYSCALL_USER_DISPATCH),
                          C(PER_LINUX),
                          C(PER_LINUX32),
                          C(PER_BSD),
                          C(UNAME26),
                          C(ADDR_NO_RANDOMIZE),
                          C(READ_IMPLIES_EXEC),
                          C(ADDR_COMPAT_LAYOUT),
                          C(MMAP_PAGE_ZERO),
                          C(STICKY_TIMEOUTS),
                          C(SIGHUP),
                          C(SIGKILL),
                          C(SIGCHLD),
                          C(SIGSTKFLT),
                          C(SIGSYS),
                          C(SIGIO)};
  for (const auto& [symbol, value] : all) EXPECT_EQ(constant(symbol), value) << symbol;
}

TEST(Constants, LevelsOfSetsockoptAreProtocolNumbers) {
  EXPECT_EQ(constant("SOL_IP"), constant("IPPROTO_IP"));
  EXPECT_EQ(constant("SOL_TCP"), constant("IPPROTO_TCP"));
  EXPECT_EQ(constant("SOL_UDP"), constant("IPPROTO_UDP"));
  EXPECT_EQ(constant("SOL_IPV6"), constant("IPPROTO_IPV6"));
}

TEST(Constants, OthersAreUnknown) {
  EXPECT_EQ(constant("CLONE_NOTHING"), std::nullopt);
  EXPECT_EQ(constant("all"), std::nullopt);
  EXPECT_EQ(constant(""), std::nullopt);
}

}  // namespace
}  // namespace whittle::syscalls
