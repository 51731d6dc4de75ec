#include "record/audit_tally.h"

#include <algorithm>
#include <tuple>

#include "record/audit_hash.h"

namespace whittle::record {

namespace {

std::uint64_t group_hash(const AuditRecord& record, std::uint64_t names,
                         const std::string& container) {
  Hash hash;
  hash.add(names);
  hash.add(std::uint64_t{record.audit_arch} << 32U | record.nr);
  hash.add(static_cast<std::uint64_t>(record.action) << 32U |
           static_cast<std::uint32_t>(record.signal));
  hash.add(container);
  return hash.value();
}

bool is_of(const AuditGroup& group, const AuditRecord& record, const std::string& container) {
  return group.audit_arch == record.audit_arch && group.nr == record.nr &&
         group.action == record.action && group.signal == record.signal &&
         group.comm == record.comm && group.exe == record.exe && group.container == container;
}

}  // namespace

void AuditTally::grow() {
  if (groups_.size() * 2 < slots_.size()) return;
  std::vector<Slot> larger(slots_.empty() ? 256 : slots_.size() * 2);
  for (const Slot& slot : slots_) {
    if (slot.group == 0) continue;
    std::size_t at = slot.hash & (larger.size() - 1);
    while (larger[at].group != 0) at = (at + 1) & (larger.size() - 1);
    larger[at] = slot;
  }
  slots_ = std::move(larger);
}

AuditGroup* AuditTally::group_of(const AuditRecord& record, std::uint64_t names,
                                 const std::string& container) {
  grow();
  const std::uint64_t hash = group_hash(record, names, container);
  std::size_t at = hash & (slots_.size() - 1);
  for (; slots_[at].group != 0; at = (at + 1) & (slots_.size() - 1)) {
    if (slots_[at].hash != hash) continue;
    AuditGroup& group = groups_[slots_[at].group - 1];
    if (is_of(group, record, container)) return &group;
  }
  if (groups_.size() == kMostGroups) return nullptr;
  AuditGroup group;
  group.audit_arch = record.audit_arch;
  group.nr = record.nr;
  group.action = record.action;
  group.signal = record.signal;
  group.comm = record.comm;
  group.exe = record.exe;
  group.container = container;
  groups_.push_back(std::move(group));
  slots_[at] = {hash, static_cast<std::uint32_t>(groups_.size())};
  return &groups_.back();
}

void AuditTally::add_record(const AuditRecord& record) {
  const std::uint64_t names = names_hash(record);
  if (seen_.is_copy(record, names)) {
    ++counts_.duplicates;
    return;
  }
  ++counts_.records;
  AuditGroup* const group =
      group_of(record, names, container_of ? container_of(record) : std::string());
  if (group == nullptr) {
    ++counts_.ungrouped;
  } else {
    ++group->count;
    const std::int64_t time = record.stamp.time;
    if (time != 0) {
      group->first = group->first == 0 ? time : std::min(group->first, time);
      group->last = std::max(group->last, time);
    }
    std::vector<std::uint32_t>& pids = group->pids;
    if (record.pid != 0 && pids.size() < kMostPids && (pids.empty() || pids.back() != record.pid) &&
        std::find(pids.begin(), pids.end(), record.pid) == pids.end()) {
      pids.push_back(record.pid);
    }
    if (group->count == 1 && on_group) on_group(*group);
  }
  if (on_record) on_record(record);
}

// The counter only rises until the machine starts anew; a log that begins lower than another one
// ended tells the same losses again.
void AuditTally::add_counter(std::uint64_t lost) {
  if (new_log_) repeating_ = lost <= highest_;
  new_log_ = false;
  if (repeating_ && lost <= highest_) return;
  if (repeating_) counter_ = highest_;
  repeating_ = false;
  counted_ += lost >= counter_ ? lost - counter_ : lost;
  counter_ = lost;
  highest_ = std::max(highest_, lost);
}

void AuditTally::add(const AuditLine& line) {
  switch (line.kind) {
    case LineKind::kOther:
      return;
    case LineKind::kRecord:
      add_record(line.record);
      return;
    case LineKind::kMalformed:
      ++counts_.malformed;
      return;
    case LineKind::kForeign:
      ++counts_.foreign;
      return;
    case LineKind::kLostCounter:
      add_counter(line.number);
      return;
    case LineKind::kLostMessage:
      ++messages_;
      return;
    case LineKind::kLost:
      lost_ += line.number;
      return;
    case LineKind::kRateLimited:
      counts_.rate_limited += line.number;
      return;
  }
}

AuditCounts AuditTally::counts() const {
  AuditCounts counts = counts_;
  counts.lost = lost_ + std::max(counted_, messages_);
  counts.forgot = seen_.forgot();
  return counts;
}

std::vector<AuditGroup> AuditTally::groups() const {
  std::vector<AuditGroup> sorted = groups_;
  const auto key = [](const AuditGroup& group) {
    return std::make_tuple(UINT64_MAX - group.count, group.audit_arch, group.nr, group.action,
                           group.signal, std::string_view(group.comm), std::string_view(group.exe),
                           std::string_view(group.container));
  };
  std::sort(sorted.begin(), sorted.end(),
            [&](const AuditGroup& a, const AuditGroup& b) { return key(a) < key(b); });
  return sorted;
}

}  // namespace whittle::record
