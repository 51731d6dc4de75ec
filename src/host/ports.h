// Where processes take connections: their sockets that listen, by /proc.
//
//   for (const Listening& one : listening_sockets(record::tree_of(pid))) ...
//
// /proc/PID/net/{tcp,tcp6,unix} (proc(5); net/ipv4/tcp_ipv4.c, net/ipv6/tcp_ipv6.c and
// net/unix/af_unix.c of the kernel print them) list the sockets of the process's network namespace
// by inode; /proc/PID/fd says which of them a process holds.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/address.h"

namespace whittle::host {

struct Listening {
  Address address;          // of TCP. What is bound to every address is "127.0.0.1" or "localhost"
  std::string path;         // of a Unix socket with a name in the file system; else empty
  std::uint64_t inode = 0;  // of the socket
  bool everywhere = false;  // bound to every address
};

// The listening sockets that a file of that format lists, whoever has them. Lines that are not of
// the format are passed over.
std::vector<Listening> parse_proc_net_tcp(std::string_view text);
std::vector<Listening> parse_proc_net_unix(std::string_view text);

// Those that the processes hold, TCP by port first, then Unix sockets by path. Of several with one
// port the one that is reached most easily. What may not be read, or has ended, is left out.
std::vector<Listening> listening_sockets(std::span<const pid_t> processes);

}  // namespace whittle::host
