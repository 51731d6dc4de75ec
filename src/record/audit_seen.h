// Which records were seen before, in constant memory: the journal and the kernel print the same
// record, and the same log may be given twice.
//
// Records with a serial are the same when stamp, serial, process and call are. Lines such as
// `audit[20178]: SECCOMP ...` have lost both, and are matched by what they say instead: of the
// copies that have a serial and those that have not, the larger number is how often it happened.
//
// The last kMostRemembered records and up to as many before them are remembered; forgot() says that
// there were more.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "record/audit_record.h"

namespace whittle::record {

inline constexpr std::size_t kMostRemembered = std::size_t{1} << 20U;
// Of different things said, whatever the stamp: a program makes a call from few places.
inline constexpr std::size_t kMostSaid = std::size_t{1} << 17U;

// Of comm and exe.
std::uint64_t names_hash(const AuditRecord& record);

class SeenRecords {
 public:
  // REQUIRES: a power of 2, 64 or more.
  explicit SeenRecords(std::size_t remembered = kMostRemembered)
      : stamped_(remembered), said_(std::min(remembered, kMostSaid)) {}
  // Takes the record in; true: it is a copy.
  // `names`: names_hash() of the record.
  bool is_copy(const AuditRecord& record, std::uint64_t names);
  bool forgot() const { return stamped_.forgot() || said_.forgot(); }

 private:
  struct Entry {
    std::uint64_t key = 0;  // 0: free
    std::uint64_t home = 0;
    std::uint32_t with_serial = 0;
    std::uint32_t without = 0;
  };

  // Two tables, the older one thrown away when the newer one is full.
  template <typename Slot>
  class Table {
   public:
    explicit Table(std::size_t remembered) : most_slots_(remembered * 2) {}
    // The slot of the key, made when there is none; `found` says which. It is looked for from
    // `home` on, which goes with the key.
    Slot& at(std::uint64_t key, std::uint64_t home, bool& found);
    bool forgot() const { return forgot_; }

   private:
    static Slot* look(std::vector<Slot>& slots, std::uint64_t key, std::uint64_t home);
    void make_room();
    std::vector<Slot> newer_;
    std::vector<Slot> older_;
    std::size_t most_slots_;
    std::size_t used_ = 0;
    bool forgot_ = false;
  };

  struct Key {
    std::uint64_t key = 0;
    std::uint64_t home = 0;
  };

  Table<Key> stamped_;
  Table<Entry> said_;
};

}  // namespace whittle::record
