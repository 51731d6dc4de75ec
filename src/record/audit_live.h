// Seccomp records as the kernel writes them: its audit socket's multicast group
// (AUDIT_NLGRP_READLOG, include/uapi/linux/audit.h), which journald and others may read at the same
// time, or the kernel log (/dev/kmsg).
//
//   socket   needs CAP_AUDIT_READ in the first user namespace, and only the first network namespace
//            gets any. What did not fit into its buffer is counted by the gaps that it leaves in
//            the serials: each audit event has one, and the group sees all events. What was lost
//            at the very end, with no event behind it, counts as one.
//   kmsg     needs CAP_SYSLOG where kernel.dmesg_restrict is set. The kernel prints ten messages in
//            five seconds, and none of these while an audit daemon runs.
//
// For a verb that runs something and asks afterwards what was refused:
//
//   TRY_ASSIGN(AuditFollower follower, AuditFollower::start(AuditSource::kAuto));
//   AuditTally tally;
//   AuditCapture capture(tally, 100'000);          // keeps the records themselves
//   ... run it; poll(2) follower.fd(), and whenever it is readable: TRY(follower.drain(tally));
//   TRY(follower.finish(tally));                   // the last ones, and the losses
//   capture.records_of([&](const KeptRecord& r) { return ours.contains(r.record.pid); });
//   tally.counts().complete()
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "record/audit_line.h"
#include "record/audit_tally.h"

namespace whittle::record {

enum class AuditSource : std::uint8_t { kAuto, kSocket, kKmsg };

// Counts what a sequence of ascending numbers lacks, when they may come a little out of order.
class GapCounter {
 public:
  void add(std::uint64_t number);
  std::uint64_t missing() const { return first_ ? last_ - *first_ + 1 - seen_ : 0; }

 private:
  static constexpr std::uint64_t kWindow = 4096;  // further out of order: passed over
  std::optional<std::uint64_t> first_;
  std::uint64_t last_ = 0;
  std::uint64_t seen_ = 0;
  std::vector<bool> recent_ = std::vector<bool>(kWindow);
};

class AuditFollower {
 public:
  // From now on nothing is missed, or it is counted. Errors, kind environment: no such privilege;
  // the hint says which and what else there is.
  static Result<AuditFollower> start(AuditSource source);

  AuditSource source() const { return source_; }
  int fd() const { return fd_.get(); }  // readable when there is something to drain
  // All that is there now; never blocks.
  Result<void> drain(AuditTally& tally);
  // Drains, with what the kernel has not handed on yet (it is waited for, thirty seconds at
  // most: then that is lost), and adds what was lost since the start. Once.
  Result<void> finish(AuditTally& tally);
  // The process id of an audit daemon; nullopt: there is none, or we may not ask (it takes
  // CAP_AUDIT_CONTROL).
  static std::optional<pid_t> daemon();

 private:
  AuditFollower() = default;
  Result<void> settle(AuditTally& tally);
  Result<bool> take_one(AuditTally& tally);
  void take_message(std::string_view message, AuditTally& tally);

  AuditSource source_ = AuditSource::kSocket;
  UniqueFd fd_;
  std::vector<char> buffer_;
  AuditLineParser parser_;
  GapCounter serials_;
  std::uint64_t messages_ = 0;  // of the kernel
  std::uint64_t overflows_ = 0;
  std::optional<std::uint64_t> lost_before_;  // by the kernel's counter
};

// The kernel's log as it stands: what /dev/kmsg still holds.
Result<void> read_kernel_log(AuditTally& tally);

struct KeptRecord {
  AuditRecord record;  // its texts are comm and exe below
  std::string comm;
  std::string exe;
};

// Keeps the records of a tally as they come, `limit` at most; more count as lost. The tally must
// live as long, and gives its on_record to it.
class AuditCapture {
 public:
  AuditCapture(AuditTally& tally, std::size_t limit);
  std::vector<const KeptRecord*> records_of(
      const std::function<bool(const KeptRecord&)>& wanted) const;

 private:
  struct Kept {
    std::deque<KeptRecord> records;
  };
  std::shared_ptr<Kept> kept_ = std::make_shared<Kept>();
};

}  // namespace whittle::record
