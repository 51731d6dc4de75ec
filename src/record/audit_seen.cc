#include "record/audit_seen.h"

#include <algorithm>
#include <utility>

#include "record/audit_hash.h"

namespace whittle::record {

namespace {

constexpr std::size_t kBlock = 64;
constexpr std::size_t kFirstSlots = std::size_t{1} << 12U;

std::uint64_t said_key(const AuditRecord& record, std::uint64_t names) {
  Hash hash;
  hash.add(names);
  hash.add(std::uint64_t{record.pid} << 32U | record.nr);
  hash.add(std::uint64_t{record.audit_arch} << 8U | static_cast<unsigned>(record.action));
  hash.add(record.ip);
  return hash.value();
}

std::uint64_t stamp_key(const AuditRecord& record) {
  Hash hash;
  hash.add(static_cast<std::uint64_t>(record.stamp.time));
  hash.add(record.stamp.serial);
  hash.add(std::uint64_t{record.pid} << 32U | record.nr);
  return hash.value();
}

// Records that follow one another lie in one block, side by side but for an order of its own, so
// that logs with a record at every 64th serial fill all places alike.
std::uint64_t stamp_home(const AuditRecord& record) {
  Hash hash;
  hash.add(record.stamp.serial / kBlock);
  hash.add(static_cast<std::uint64_t>(record.stamp.time) >> 20U);  // 17 minutes: each boot its own
  const std::uint64_t block = hash.value();
  return block * kBlock | ((record.stamp.serial ^ block >> 40U) & (kBlock - 1));
}

}  // namespace

template <typename Slot>
Slot* SeenRecords::Table<Slot>::look(std::vector<Slot>& slots, std::uint64_t key,
                                     std::uint64_t home) {
  const std::size_t mask = slots.size() - 1;
  std::size_t at = home & mask;
  for (std::size_t steps = 0; slots[at].key != 0 && slots[at].key != key; ++steps) {
    // From block to block, at the same place in each; if that is taken in all, to the next place.
    at = (at + ((steps + 1) % (slots.size() / kBlock) == 0 ? 1 : kBlock)) & mask;
  }
  return &slots[at];
}

template <typename Slot>
void SeenRecords::Table<Slot>::make_room() {
  if (newer_.empty()) newer_.resize(std::min(kFirstSlots, most_slots_));
  if (used_ * 2 < newer_.size()) return;
  if (newer_.size() < most_slots_) {
    std::vector<Slot> larger(newer_.size() * 2);
    for (const Slot& slot : newer_) {
      if (slot.key != 0) *look(larger, slot.key, slot.home) = slot;
    }
    newer_ = std::move(larger);
    return;
  }
  forgot_ = forgot_ || !older_.empty();
  std::swap(newer_, older_);
  if (newer_.empty()) newer_.resize(most_slots_);
  std::fill(newer_.begin(), newer_.end(), Slot());
  used_ = 0;
}

template <typename Slot>
Slot& SeenRecords::Table<Slot>::at(std::uint64_t key, std::uint64_t home, bool& found) {
  make_room();
  if (key == 0) key = 1;
  Slot* slot = look(newer_, key, home);
  found = slot->key == key;
  if (found) return *slot;
  if (!older_.empty()) {
    const Slot* old = look(older_, key, home);
    if (old->key == key) {
      *slot = *old;
      found = true;
    }
  }
  slot->key = key;
  slot->home = home;
  ++used_;
  return *slot;
}

std::uint64_t names_hash(const AuditRecord& record) {
  Hash hash;
  hash.add(record.comm);
  hash.add(record.exe);
  return hash.value();
}

bool SeenRecords::is_copy(const AuditRecord& record, std::uint64_t names) {
  bool found = false;
  if (record.stamp.serial != 0) {
    stamped_.at(stamp_key(record), stamp_home(record), found);
    if (found) return true;
  }
  const std::uint64_t said = said_key(record, names);
  Entry& entry = said_.at(said, said, found);
  std::uint32_t& mine = record.stamp.serial != 0 ? entry.with_serial : entry.without;
  const std::uint32_t others = record.stamp.serial != 0 ? entry.without : entry.with_serial;
  ++mine;
  return mine <= others;
}

}  // namespace whittle::record
