// What a log of seccomp records comes to: groups of equal records, copies taken out, and how much
// is missing. Constant memory, whatever the log: past kMostGroups groups (a program chooses its own
// name) records are counted as `ungrouped`.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "record/audit_line.h"
#include "record/audit_record.h"
#include "record/audit_seen.h"

namespace whittle::record {

inline constexpr std::size_t kMostGroups = 16384;
inline constexpr std::size_t kMostPids = 8;

struct AuditGroup {
  std::uint32_t audit_arch = 0;
  std::uint32_t nr = 0;
  AuditAction action = AuditAction::kUnknown;
  std::int32_t signal = 0;
  std::string comm;
  std::string exe;
  std::string container;  // empty: none, or it could not be known
  std::uint64_t count = 0;
  std::int64_t first = 0;  // milliseconds since 1970; 0: no record said when
  std::int64_t last = 0;
  std::vector<std::uint32_t> pids;  // the first kMostPids different ones
};

struct AuditCounts {
  std::uint64_t records = 0;     // each once
  std::uint64_t duplicates = 0;  // copies of them
  std::uint64_t malformed = 0;   // seccomp records that could not be read
  std::uint64_t foreign = 0;     // other programs' text that looks like one
  std::uint64_t ungrouped = 0;   // of `records`: in no group
  // Audit records that the kernel says it lost, of any type: the rise of its counter, which begins
  // at its start, or how often it said so when that is more; and missing messages of the kernel.
  std::uint64_t lost = 0;
  std::uint64_t rate_limited = 0;  // records that this log lacks because there were too many
  // The log is one that leaves records out and says so only later, or never.
  bool uncertain = false;
  bool forgot = false;  // more records than remembered: copies may be counted as records
  bool complete() const {
    return malformed == 0 && ungrouped == 0 && lost == 0 && rate_limited == 0 && !uncertain;
  }
};

class AuditTally {
 public:
  explicit AuditTally(std::size_t remembered = kMostRemembered) : seen_(remembered) {}

  // Called for each record that is no copy.
  std::function<void(const AuditRecord&)> on_record;
  // Called for each group when its first record comes.
  std::function<void(const AuditGroup&)> on_group;
  // Names the container of a record; empty when it cannot be known.
  std::function<std::string(const AuditRecord&)> container_of;

  void add(const AuditLine& line);
  // Losses that the carrier itself tells, such as a socket's.
  void add_lost(std::uint64_t count) { lost_ += count; }
  void set_uncertain() { counts_.uncertain = true; }
  // Another log begins: its counter of lost records may start below where the last one ended.
  void next_log() { new_log_ = true; }

  AuditCounts counts() const;
  // Most frequent first; alike ones by architecture, number and the rest.
  std::vector<AuditGroup> groups() const;

 private:
  void add_record(const AuditRecord& record);
  void add_counter(std::uint64_t lost);
  AuditGroup* group_of(const AuditRecord& record, std::uint64_t names,
                       const std::string& container);
  void grow();

  struct Slot {
    std::uint64_t hash = 0;
    std::uint32_t group = 0;  // its place + 1; 0: free
  };
  std::vector<Slot> slots_;
  std::vector<AuditGroup> groups_;
  SeenRecords seen_;
  AuditCounts counts_;
  std::uint64_t lost_ = 0;      // told in numbers
  std::uint64_t messages_ = 0;  // told one by one
  std::uint64_t counted_ = 0;   // by the kernel's counter
  std::uint64_t counter_ = 0;   // where it stood
  std::uint64_t highest_ = 0;
  bool new_log_ = true;
  bool repeating_ = false;  // this log tells what another one told
};

}  // namespace whittle::record
