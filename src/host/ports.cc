#include "host/ports.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <tuple>

#include "base/file_system.h"
#include "base/text.h"

namespace whittle::host {

namespace {

constexpr std::size_t kTableLimit = 64U << 20U;
constexpr unsigned kListen = 0x0a;            // TCP_LISTEN, include/net/tcp_states.h
constexpr unsigned kAcceptsFlag = 1U << 16U;  // __SO_ACCEPTCON, include/linux/net.h

// The fields of a line, which any number of blanks divides.
std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> fields;
  while (!(line = trim(line)).empty()) {
    const auto end = std::min(line.find_first_of(" \t"), line.size());
    fields.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
  return fields;
}

std::optional<std::uint32_t> parse_hex(std::string_view text) {
  std::uint32_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, 16);
  if (text.empty() || error != std::errc() || stop != end) return std::nullopt;
  return value;
}

// "0100007F:1F90", or with 32 digits for IPv6: words of the host's byte order, each of 4 bytes as
// they are sent; the port as a number.
std::optional<Listening> parse_local(std::string_view text) {
  const auto colon = text.find(':');
  if (colon != 8 && colon != 32) return std::nullopt;
  std::array<std::uint32_t, 4> words{};
  for (std::size_t i = 0; i < colon / 8; ++i) {
    const auto word = parse_hex(text.substr(8 * i, 8));
    if (!word) return std::nullopt;
    words.at(i) = *word;
  }
  const auto port = parse_hex(text.substr(colon + 1));
  if (!port || *port == 0 || *port > 65535) return std::nullopt;
  Listening found;
  found.address.port = static_cast<std::uint16_t>(*port);
  found.everywhere = words == std::array<std::uint32_t, 4>{};
  if (found.everywhere) {
    // Bound to ::, it mostly takes IPv4, too: both are tried.
    found.address.host = colon == 8 ? "127.0.0.1" : "localhost";
    return found;
  }
  std::array<char, INET6_ADDRSTRLEN> name{};
  ::inet_ntop(colon == 8 ? AF_INET : AF_INET6, words.data(), name.data(), name.size());
  found.address.host = name.data();
  return found;
}

std::set<std::uint64_t> socket_inodes(pid_t process) {
  std::set<std::uint64_t> inodes;
  const std::string path = format("/proc/{}/fd", process);
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
  if (directory == nullptr) return inodes;
  while (const dirent* entry = ::readdir(directory.get())) {
    std::array<char, 64> target{};
    const ssize_t size =
        ::readlink((path + "/" + entry->d_name).c_str(), target.data(), target.size());
    std::string_view link(target.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    if (!link.starts_with("socket:[") || !link.ends_with(']')) continue;
    link.remove_prefix(std::strlen("socket:["));
    link.remove_suffix(1);
    if (const auto inode = parse_u64(link)) inodes.insert(*inode);
  }
  return inodes;
}

// The one to reach it by comes first.
auto rank(const Listening& one) {
  const bool loopback = one.address.host.starts_with("127.") || one.address.host == "::1";
  return std::tuple(one.address.port == 0, one.address.port, !one.everywhere, !loopback,
                    one.address.host, one.path, one.inode);
}

}  // namespace

std::vector<Listening> parse_proc_net_tcp(std::string_view text) {
  std::vector<Listening> all;
  for (const std::string& line : split(text, '\n')) {
    // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
    const auto fields = fields_of(line);
    if (fields.size() < 10 || parse_hex(fields[3]) != kListen) continue;
    auto found = parse_local(fields[1]);
    const auto inode = parse_u64(fields[9]);
    if (!found || !inode) continue;
    found->inode = *inode;
    all.push_back(*std::move(found));
  }
  return all;
}

std::vector<Listening> parse_proc_net_unix(std::string_view text) {
  std::vector<Listening> all;
  for (const std::string& line : split(text, '\n')) {
    // Num: RefCount Protocol Flags Type St Inode Path
    const auto fields = fields_of(line);
    if (fields.size() < 8 || !fields[7].starts_with('/')) continue;  // "@": not in the file system
    const auto flags = parse_hex(fields[3]);
    const auto inode = parse_u64(fields[6]);
    if (!flags || (*flags & kAcceptsFlag) == 0 || !inode) continue;
    Listening found;
    // The path may hold blanks.
    found.path = line.substr(static_cast<std::size_t>(fields[7].data() - line.data()));
    found.inode = *inode;
    all.push_back(std::move(found));
  }
  return all;
}

std::vector<Listening> listening_sockets(std::span<const pid_t> processes) {
  std::vector<Listening> found;
  for (const pid_t process : processes) {
    const std::set<std::uint64_t> held = socket_inodes(process);
    if (held.empty()) continue;
    const auto take = [&](const char* table, auto parse) {
      const auto text = read_file(format("/proc/{}/net/{}", process, table), kTableLimit);
      if (!text) return;  // a kernel without IPv6 has no tcp6
      for (Listening& one : parse(*text)) {
        if (held.contains(one.inode)) found.push_back(std::move(one));
      }
    };
    take("tcp", parse_proc_net_tcp);
    take("tcp6", parse_proc_net_tcp);
    take("unix", parse_proc_net_unix);
  }
  std::sort(found.begin(), found.end(),
            [](const Listening& a, const Listening& b) { return rank(a) < rank(b); });
  const auto same = [](const Listening& a, const Listening& b) {
    return a.address.port == b.address.port && a.path == b.path;
  };
  found.erase(std::unique(found.begin(), found.end(), same), found.end());
  return found;
}

}  // namespace whittle::host
