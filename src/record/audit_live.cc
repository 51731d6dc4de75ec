#include "record/audit_live.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/clock.h"
#include "base/text.h"

namespace whittle::record {

namespace {

constexpr int kSocketBuffer = 64 << 20;
constexpr std::size_t kMostMessage = 16384;  // MAX_AUDIT_MESSAGE_LENGTH is 8970; kmsg: 8192
constexpr std::uint16_t kSeccomp = AUDIT_SECCOMP;
constexpr double kSettleSeconds = 30;  // on a machine that has no time for the kernel's thread
constexpr int kQuietMilliseconds = 50;
constexpr const char* kKmsg = "/dev/kmsg";

// Asks the kernel for its audit status; nullopt: we may not. That is answered at once, the status
// itself by a thread of the kernel, which may come late on a busy machine.
std::optional<audit_status> status() {
  const UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT));
  if (!socket.valid()) return std::nullopt;
  nlmsghdr request = {};
  request.nlmsg_len = NLMSG_LENGTH(0);
  request.nlmsg_type = AUDIT_GET;
  request.nlmsg_flags = NLM_F_REQUEST;
  if (::send(socket.get(), &request, request.nlmsg_len, 0) < 0) return std::nullopt;
  std::array<char, 4096> reply{};
  pollfd ready = {socket.get(), POLLIN, 0};
  constexpr int kLimit = 30'000;  // milliseconds
  if (::poll(&ready, 1, kLimit) != 1) return std::nullopt;
  const ssize_t length = ::recv(socket.get(), reply.data(), reply.size(), 0);
  nlmsghdr header = {};
  if (length < static_cast<ssize_t>(NLMSG_HDRLEN)) return std::nullopt;
  std::memcpy(&header, reply.data(), sizeof header);
  if (header.nlmsg_type != AUDIT_GET) return std::nullopt;  // an error
  audit_status status = {};
  std::memcpy(&status, reply.data() + NLMSG_HDRLEN,
              std::min(sizeof status, static_cast<std::size_t>(length) - NLMSG_HDRLEN));
  return status;
}

// Where both can be seen; else nobody can tell, and silence is the worst of it.
bool are_different(const char* a, const char* b) {
  struct stat first = {};
  struct stat second = {};
  return ::stat(a, &first) == 0 && ::stat(b, &second) == 0 && first.st_ino != second.st_ino;
}

Result<UniqueFd> open_socket() {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_AUDIT));
  if (!fd.valid()) {
    return errno_error(ErrorKind::kEnvironment, "the kernel has no audit socket", errno, {},
                       "without CONFIG_AUDIT, --source kmsg reads the kernel log");
  }
  // Larger than the system's limit where we may; else as large as that.
  const int size = kSocketBuffer;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) {
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  }
  sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  address.nl_groups = 1U << (AUDIT_NLGRP_READLOG - 1);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return errno_error(ErrorKind::kEnvironment, "the audit records cannot be followed", errno, {},
                       "it takes CAP_AUDIT_READ (root) on the host, not in a container; --source "
                       "kmsg reads the kernel log");
  }
  if (are_different("/proc/self/ns/net", "/proc/1/ns/net")) {
    return environment_error("audit records do not reach this network namespace", {},
                             "run it in the host's (nsenter -t 1 -n), or use --source kmsg");
  }
  return fd;
}

Result<UniqueFd> open_kmsg() {
  UniqueFd fd(::open(kKmsg, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid()) {
    return errno_error(ErrorKind::kEnvironment, "the kernel log cannot be read", errno, kKmsg,
                       "it takes CAP_SYSLOG (root) where kernel.dmesg_restrict is 1");
  }
  return fd;
}

}  // namespace

void GapCounter::add(std::uint64_t number) {
  if (!first_) {
    first_ = number;
    last_ = number;
    seen_ = 1;
    recent_[number % kWindow] = true;
    return;
  }
  if (number > last_) {
    const std::uint64_t steps = std::min(number - last_, kWindow);
    for (std::uint64_t i = 0; i < steps; ++i) recent_[(number - i) % kWindow] = false;
    last_ = number;
  } else if (last_ - number >= kWindow || recent_[number % kWindow]) {
    return;
  }
  if (number < *first_) first_ = number;
  recent_[number % kWindow] = true;
  ++seen_;
}

std::optional<pid_t> AuditFollower::daemon() {
  const auto now = status();
  if (!now || now->pid == 0) return std::nullopt;
  return static_cast<pid_t>(now->pid);
}

Result<AuditFollower> AuditFollower::start(AuditSource source) {
  AuditFollower follower;
  follower.buffer_.resize(kMostMessage);
  if (source != AuditSource::kKmsg) {
    Result<UniqueFd> socket = open_socket();
    if (socket) {
      follower.fd_ = *std::move(socket);
      if (const auto now = status()) follower.lost_before_ = now->lost;
      return follower;
    }
    if (source == AuditSource::kSocket) return tl::unexpected(std::move(socket).error());
    Result<UniqueFd> kmsg = open_kmsg();
    if (!kmsg) return tl::unexpected(std::move(socket).error());
    follower.fd_ = *std::move(kmsg);
  } else {
    TRY_ASSIGN(follower.fd_, open_kmsg());
  }
  follower.source_ = AuditSource::kKmsg;
  ::lseek(follower.fd_.get(), 0, SEEK_END);
  return follower;
}

// A datagram is one message. Its length is the datagram's: the kernel's own field has been wrong
// (kernel/audit.c, kauditd_send_multicast_skb()).
void AuditFollower::take_message(std::string_view message, AuditTally& tally) {
  if (source_ == AuditSource::kKmsg) {
    std::string_view rest = message.substr(std::min(message.find(','), message.size() - 1) + 1);
    if (const auto number = parse_u64(rest.substr(0, rest.find(',')))) serials_.add(*number);
    tally.add(parser_.parse(message.substr(0, message.find('\n'))));
    return;
  }
  nlmsghdr header = {};
  if (message.size() < NLMSG_HDRLEN) return;
  std::memcpy(&header, message.data(), sizeof header);
  message.remove_prefix(NLMSG_HDRLEN);
  while (!message.empty() && message.back() == '\0') message.remove_suffix(1);
  constexpr std::string_view kStamp = "audit(";
  if (message.starts_with(kStamp)) {
    const std::size_t colon = message.find(':');
    const std::size_t end = message.find(')');
    if (colon < end && end != std::string_view::npos) {
      const auto serial = parse_u64(message.substr(colon + 1, end - colon - 1));
      if (serial) serials_.add(*serial);
    }
  }
  if (header.nlmsg_type == kSeccomp) tally.add(parser_.parse_stamped(message));
}

Result<bool> AuditFollower::take_one(AuditTally& tally) {
  sockaddr_nl sender = {};
  socklen_t sender_length = sizeof sender;
  const bool socket = source_ == AuditSource::kSocket;
  const ssize_t length = socket ? ::recvfrom(fd_.get(), buffer_.data(), buffer_.size(), 0,
                                             reinterpret_cast<sockaddr*>(&sender), &sender_length)
                                : ::read(fd_.get(), buffer_.data(), buffer_.size());
  if (length < 0) {
    if (errno == EINTR) return true;
    if (errno == EAGAIN) return false;
    if (socket && errno == ENOBUFS) {
      ++overflows_;
      return true;
    }
    if (!socket && errno == EPIPE) return true;  // overwritten before we came: a gap in the numbers
    return errno_error(ErrorKind::kEnvironment, "the audit records cannot be followed", errno);
  }
  const bool kernel = !socket || sender.nl_pid == 0;  // anybody may send to a netlink socket
  if (kernel) ++messages_;
  if (kernel && length > 0) {
    take_message({buffer_.data(), static_cast<std::size_t>(length)}, tally);
  }
  return true;
}

Result<void> AuditFollower::drain(AuditTally& tally) {
  while (true) {
    TRY_ASSIGN(const bool more, take_one(tally));
    if (!more) return {};
  }
}

// A thread of the kernel (kauditd) hands the records on, after the calls that they are of. How many
// it still has is in its status, where we may ask; else quiet must do. Where records come all the
// time, so many and the one in its hand are those that were there when the end was asked for.
Result<void> AuditFollower::settle(AuditTally& tally) {
  const double limit = monotonic_seconds() + kSettleSeconds;
  std::optional<std::uint64_t> last;  // the number of messages with which all have come
  while (monotonic_seconds() < limit) {
    const auto now = source_ == AuditSource::kSocket ? status() : std::nullopt;
    TRY(drain(tally));
    if (now && !last) last = messages_ + now->backlog + 1;
    if (last && messages_ >= *last) return {};
    pollfd ready = {fd_.get(), POLLIN, 0};
    const int count = ::poll(&ready, 1, kQuietMilliseconds);
    if (count == 0 && (!now || now->backlog == 0)) return {};
  }
  TRY(drain(tally));
  const auto now = source_ == AuditSource::kSocket ? status() : std::nullopt;
  if (now) tally.add_lost(now->backlog);
  return {};
}

Result<void> AuditFollower::finish(AuditTally& tally) {
  TRY(settle(tally));
  std::uint64_t lost = 0;
  if (source_ == AuditSource::kKmsg || overflows_ > 0) {
    lost = std::max(serials_.missing(), overflows_);
  }
  if (lost_before_) {
    // 32 bits in the kernel. Events that it dropped after they got their serial are gaps, too.
    if (const auto now = status()) {
      const auto dropped = static_cast<std::uint32_t>(now->lost - *lost_before_);
      lost = std::max<std::uint64_t>(lost, dropped);
    }
  }
  tally.add_lost(lost);
  if (source_ == AuditSource::kKmsg) tally.set_uncertain();
  return {};
}

Result<void> read_kernel_log(AuditTally& tally) {
  TRY_ASSIGN(const UniqueFd fd, open_kmsg());
  std::vector<char> buffer(kMostMessage);
  AuditLineParser parser;
  tally.next_log();
  while (true) {
    const ssize_t length = ::read(fd.get(), buffer.data(), buffer.size());
    if (length < 0 && (errno == EINTR || errno == EPIPE)) continue;
    if (length < 0 && errno == EAGAIN) return {};
    if (length < 0) {
      return errno_error(ErrorKind::kEnvironment, "the kernel log cannot be read", errno, kKmsg);
    }
    if (length == 0) return {};
    const std::string_view message(buffer.data(), static_cast<std::size_t>(length));
    tally.add(parser.parse(message.substr(0, message.find('\n'))));
  }
}

AuditCapture::AuditCapture(AuditTally& tally, std::size_t limit) {
  tally.on_record = [kept = kept_, limit, &tally](const AuditRecord& record) {
    if (kept->records.size() == limit) {
      tally.add_lost(1);
      return;
    }
    KeptRecord& copy = kept->records.emplace_back();
    copy.record = record;
    copy.comm = record.comm;
    copy.exe = record.exe;
    copy.record.comm = copy.comm;  // a deque does not move what it holds
    copy.record.exe = copy.exe;
  };
}

std::vector<const KeptRecord*> AuditCapture::records_of(
    const std::function<bool(const KeptRecord&)>& wanted) const {
  std::vector<const KeptRecord*> found;
  for (const KeptRecord& kept : kept_->records) {
    if (wanted(kept)) found.push_back(&kept);
  }
  return found;
}

}  // namespace whittle::record
