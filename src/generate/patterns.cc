#include "generate/patterns.h"

#include <linux/sched.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <map>

#include "base/embedded.h"
#include "base/text.h"
#include "syscalls/tsv.h"

WHITTLE_EMBEDDED(call_siblings_tsv)
WHITTLE_EMBEDDED(option_siblings_tsv)

namespace whittle::generate {

namespace {

using syscalls::ArgumentSpec;
using Values = std::vector<std::uint64_t>;

// Namespaces that clone(2) can make: all CLONE_NEW* but CLONE_NEWTIME, whose bit is part of clone's
// exit signal (include/uapi/linux/sched.h).
constexpr std::uint64_t kCloneNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                           CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                                           CLONE_NEWNET;
// Where the kernel writes thread ids and what it loads as TLS: they change nothing outside the
// process. C libraries differ in them.
constexpr std::uint64_t kCloneFree =
    CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID | CLONE_SETTLS | CLONE_DETACHED;
constexpr std::uint64_t kTypeFree = SOCK_CLOEXEC | SOCK_NONBLOCK;

std::uint64_t width_mask(std::uint8_t width) { return width >= 64 ? UINT64_MAX : UINT32_MAX; }

// Bits of the value at that position of the spec which any call may have as it likes.
std::uint64_t free_bits(const ArgumentSpec& spec, std::size_t position) {
  if (spec.syscall == "clone") return kCloneFree;
  const bool is_socket = spec.syscall == "socket" || spec.syscall == "socketpair";
  return is_socket && position == 1 ? kTypeFree : 0;
}

Region region_for(const ArgumentSpec& spec, const Values& values) {
  Region region{};
  for (std::size_t i = 0; i < spec.indexes.size(); ++i) {
    const std::uint64_t mask = width_mask(spec.widths[i]) & ~free_bits(spec, i);
    region[spec.indexes[i]] = {mask, values[i] & mask};
  }
  return region;
}

std::string text_of(const ArgumentSpec& spec, const Values& values) {
  const std::vector<unsigned> indexes(spec.indexes.begin(), spec.indexes.end());
  if (indexes.size() == 1) return syscalls::value_text(spec.syscall, indexes[0], values[0]);
  return join(syscalls::tuple_text(spec.syscall, indexes, values), ", ");
}

std::string socket_danger(std::uint64_t family, std::uint64_t protocol) {
  if (family == AF_ALG || family == AF_VSOCK || family == AF_PACKET) {
    return "the family has a history of kernel exploits and few programs need it";
  }
  if (family == AF_NETLINK && protocol != 0) {
    return "of netlink only NETLINK_ROUTE is allowed without asking";
  }
  return {};
}

std::string danger_of(const ArgumentSpec& spec, const Values& values) {
  if (spec.syscall == "socket" || spec.syscall == "socketpair") {
    return socket_danger(values[0], values[2]);
  }
  if (spec.syscall == "clone" && (values[0] & kCloneNamespaces) != 0) {
    return "it makes new namespaces, the way into most kernel exploits";
  }
  return {};
}

// The families and protocols that count as the same as the observed socket.
std::vector<Values> same_sockets(const Values& socket) {
  const std::uint64_t family = socket[0];
  const std::uint64_t type = socket[1] & ~kTypeFree;
  if (family != AF_INET && family != AF_INET6) return {socket};
  std::set<std::uint64_t> protocols = {socket[2]};
  const std::uint64_t own = type == SOCK_STREAM  ? IPPROTO_TCP
                            : type == SOCK_DGRAM ? IPPROTO_UDP
                                                 : 0;
  if (socket[2] == 0 || socket[2] == own) protocols = {0, own};
  std::vector<Values> same;
  for (const std::uint64_t one : {std::uint64_t{AF_INET}, std::uint64_t{AF_INET6}}) {
    for (const std::uint64_t protocol : protocols) same.push_back({one, type, protocol});
  }
  return same;
}

// (level, option) -> all of its group.
const std::map<Values, std::vector<Values>>& option_groups() {
  static const auto groups = [] {
    std::map<Values, std::vector<Values>> all;
    for (const auto& row : syscalls::tsv_rows(embedded_option_siblings_tsv())) {
      const std::uint64_t level = syscalls::constant(row[1]).value();
      std::vector<Values> group;
      for (const std::string& symbol : split(row[2], ' ')) {
        group.push_back({level, syscalls::constant(symbol).value()});
      }
      for (const Values& option : group) all.emplace(option, group);
    }
    return all;
  }();
  return groups;
}

std::vector<Values> siblings(const ArgumentSpec& spec, const Values& values) {
  if (spec.syscall != "setsockopt") return {};
  const auto group = option_groups().find(values);
  return group != option_groups().end() ? group->second : std::vector<Values>{};
}

std::vector<Values> equals(const ArgumentSpec& spec, const Values& values) {
  const bool is_socket = spec.syscall == "socket" || spec.syscall == "socketpair";
  return is_socket ? same_sockets(values) : std::vector<Values>{values};
}

}  // namespace

std::vector<Pattern> patterns(const ArgumentSpec& spec, const std::set<Values>& values,
                              Headroom headroom) {
  std::map<Region, Pattern> found;
  const auto add = [&](const Values& one, bool sibling) {
    const Region region = region_for(spec, one);
    found.try_emplace(region, Pattern{region, text_of(spec, one), sibling, danger_of(spec, one)});
  };
  // Observed values first: what was observed is never called a sibling.
  for (const Values& one : values) add(one, false);
  for (const Values& one : values) {
    for (const Values& same : equals(spec, one)) add(same, true);
    if (headroom == Headroom::kNone) continue;
    for (const Values& sibling : siblings(spec, one)) add(sibling, true);
  }
  std::vector<Pattern> all;
  all.reserve(found.size());
  for (auto& [region, pattern] : found) all.push_back(std::move(pattern));
  return all;
}

const std::vector<CallSiblings>& call_siblings() {
  static const auto groups = [] {
    std::vector<CallSiblings> all;
    for (const auto& row : syscalls::tsv_rows(embedded_call_siblings_tsv())) {
      all.push_back({split(row[1], ' '), split(row[2], ' ')});
    }
    return all;
  }();
  return groups;
}

const std::set<std::string>& vdso_calls() {
  static const std::set<std::string> calls = {"clock_getres", "clock_gettime", "getcpu",
                                              "gettimeofday", "time"};
  return calls;
}

}  // namespace whittle::generate
