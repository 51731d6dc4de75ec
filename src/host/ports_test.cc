#include "host/ports.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>

#include "base/fd.h"
#include "base/file_system.h"

namespace whittle::host {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// As /proc/net/tcp had them on x86_64: two that listen, one that is connected.
constexpr const char* kTcp =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
    "inode\n"
    "   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 "
    "31415 1 0000000000000000 100 0 0 10 0\n"
    "   1: 0100007F:18EB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 "
    "31416 1 0000000000000000 100 0 0 10 0\n"
    "   2: 0100007F:18EB 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 "
    "31417 1 0000000000000000 20 4 30 10 -1\n";

TEST(Ports, TcpThatListens) {
  const auto found = parse_proc_net_tcp(kTcp);
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].address, (Address{"127.0.0.1", 8080}));
  EXPECT_TRUE(found[0].everywhere);
  EXPECT_EQ(found[0].inode, 31415U);
  EXPECT_EQ(found[1].address, (Address{"127.0.0.1", 6379}));
  EXPECT_FALSE(found[1].everywhere);
}

TEST(Ports, Ipv6) {
  const auto found = parse_proc_net_tcp(
      "   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A "
      "00000000:00000000 00:00000000 00000000     0        0 7 1 0 100 0 0 10 0\n"
      "   1: 00000000000000000000000001000000:0051 00000000000000000000000000000000:0000 0A "
      "00000000:00000000 00:00000000 00000000     0        0 8 1 0 100 0 0 10 0\n");
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].address, (Address{"localhost", 80}));
  EXPECT_EQ(found[1].address, (Address{"::1", 81}));
}

TEST(Ports, WhatIsNoTableIsPassedOver) {
  for (const char* text :
       {"", "\n\n", "a b c d e f g h i j", "0: 00000000:0000 x 0A a b c d e 5",
        "0: 000000:0050 x 0A a b c d e 5", "0: 0000000G:0050 x 0A a b c d e 5",
        "0: 00000000:10000 x 0A a b c d e 5", "0: 00000000:0050 x 0A a b c d e f",
        "0: 00000000: x 0A a b c d e 5", "0: 00000000:0050 x 0A a b c d"}) {
    EXPECT_THAT(parse_proc_net_tcp(text), IsEmpty()) << text;
    EXPECT_THAT(parse_proc_net_unix(text), IsEmpty()) << text;
  }
}

TEST(Ports, UnixThatListensByPath) {
  const auto found = parse_proc_net_unix(
      "Num       RefCount Protocol Flags    Type St Inode Path\n"
      "0000000000000000: 00000002 00000000 00010000 0001 01 21 /run/a b.sock\n"
      "0000000000000000: 00000003 00000000 00000000 0001 03 22 /run/connected\n"
      "0000000000000000: 00000002 00000000 00010000 0001 01 23 @abstract\n"
      "0000000000000000: 00000003 00000000 00000000 0001 03 24\n");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].path, "/run/a b.sock");
  EXPECT_EQ(found[0].inode, 21U);
}

// Listens on a port of the kernel's choice; the port.
std::uint16_t listen_on(const UniqueFd& fd, const char* host) {
  const auto at = socket_addresses({host, 1}).at(0);
  sockaddr_storage storage = at.storage;
  reinterpret_cast<sockaddr_in*>(&storage)->sin_port = 0;  // at the same place in sockaddr_in6
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  socklen_t length = at.length;
  EXPECT_EQ(::bind(fd.get(), address, length), 0);
  EXPECT_EQ(::listen(fd.get(), 1), 0);
  EXPECT_EQ(::getsockname(fd.get(), address, &length), 0);
  return ntohs(reinterpret_cast<sockaddr_in*>(&storage)->sin_port);
}

TEST(Ports, OurOwn) {
  const UniqueFd tcp(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const std::uint16_t port = listen_on(tcp, "127.0.0.1");
  const UniqueFd bound(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  auto directory = TemporaryDirectory::create("whittle-ports-test.");
  ASSERT_TRUE(directory);
  const UniqueFd local(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  const std::string path = directory->path() + "/socket";
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  ASSERT_EQ(::bind(local.get(), reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  ASSERT_EQ(::listen(local.get(), 1), 0);
  const std::array<pid_t, 2> us = {::getpid(), -1};
  const auto found = listening_sockets(us);
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].address, (Address{"127.0.0.1", port}));
  EXPECT_EQ(found[1].path, path);
  EXPECT_THAT(listening_sockets({}), IsEmpty());
}

}  // namespace
}  // namespace whittle::host
