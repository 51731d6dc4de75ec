#include "generate/patterns.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <map>

#include "base/embedded.h"
#include "base/text.h"
#include "syscalls/tsv.h"

WHITTLE_EMBEDDED(call_siblings_tsv)
WHITTLE_EMBEDDED(value_siblings_tsv)

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

// What makes memory code, or code memory; the other bits choose nothing of worth and differ by
// architecture (PROT_BTI, PROT_MTE).
constexpr std::uint64_t kProtFree = ~std::uint64_t{PROT_WRITE | PROT_EXEC};

// close-on-exec, non-blocking, and packets (O_DIRECT), which is another bit on arm and aarch64 than
// on x86: what one architecture calls so is O_DIRECTORY on the other, which pipe2 refuses. So what
// is left for the rule is the same on all of them, O_NOTIFICATION_PIPE above all (fs/pipe.c,
// include/uapi/asm-generic/fcntl.h, arch/arm64/include/uapi/asm/fcntl.h).
constexpr std::uint64_t kPipeFree = O_CLOEXEC | O_NONBLOCK | 0x4000 | 0x10000;

// Bits of a value that any call may have as it likes: close-on-exec and the like.
struct FreeBits {
  std::string_view syscall;
  std::uint8_t index;
  std::uint64_t bits;
};
constexpr FreeBits kFreeBits[] = {
    {"clone", 0, kCloneFree},
    {"futex", 1, FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME},
    {"futex_time64", 1, FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME},
    {"io_uring_register", 1, 1U << 31U},  // IORING_REGISTER_USE_REGISTERED_RING
    {"memfd_create", 1, MFD_CLOEXEC},
    {"mmap", 2, kProtFree},
    {"mmap2", 2, kProtFree},
    {"mprotect", 2, kProtFree},
    {"perf_event_open", 4, PERF_FLAG_FD_CLOEXEC},
    {"pipe2", 1, kPipeFree},
    {"pkey_mprotect", 2, kProtFree},
    {"socket", 1, kTypeFree},
    {"socketpair", 1, kTypeFree},
    {"userfaultfd", 0, O_CLOEXEC | O_NONBLOCK},
};

std::uint64_t width_mask(std::uint8_t width) { return width >= 64 ? UINT64_MAX : UINT32_MAX; }

std::uint64_t free_bits(const ArgumentSpec& spec, std::size_t position) {
  for (const FreeBits& free : kFreeBits) {
    if (free.syscall == spec.syscall && free.index == spec.indexes[position]) return free.bits;
  }
  return 0;
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

// A row of data/value-siblings.tsv.
struct ValueGroup {
  bool always = false;  // else: once one of the values was observed
  std::vector<Values> values;
};

ValueGroup value_group(bool always, std::string_view first, std::string_view symbols) {
  ValueGroup group;
  group.always = always;
  for (const std::string& symbol : split(symbols, ' ')) {
    const auto number = parse_u64(symbol);
    Values values = {number ? *number : syscalls::constant(symbol).value()};
    if (first != "-") values.insert(values.begin(), syscalls::constant(first).value());
    group.values.push_back(std::move(values));
  }
  return group;
}

// By call.
const std::map<std::string, std::vector<ValueGroup>, std::less<>>& value_groups() {
  static const auto groups = [] {
    std::map<std::string, std::vector<ValueGroup>, std::less<>> all;
    for (const auto& row : syscalls::tsv_rows(embedded_value_siblings_tsv())) {
      for (const std::string& call : split(row[0], ' ')) {
        all[call].push_back(value_group(row[1] == "always", row[2], row[3]));
      }
    }
    return all;
  }();
  return groups;
}

std::vector<Values> siblings(const ArgumentSpec& spec, const Values& values) {
  const auto groups = value_groups().find(spec.syscall);
  if (groups == value_groups().end()) return {};
  Values plain = values;
  for (std::size_t i = 0; i < plain.size(); ++i) plain[i] &= ~free_bits(spec, i);
  std::vector<Values> all;
  for (const ValueGroup& group : groups->second) {
    const bool with = group.always || std::find(group.values.begin(), group.values.end(), plain) !=
                                          group.values.end();
    if (with) all.insert(all.end(), group.values.begin(), group.values.end());
  }
  return all;
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
