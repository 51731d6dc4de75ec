// A hash of a record's parts, for tables that hold no more than a bounded number of them: eight
// bytes at a time, seeded anew in each process, since programs choose what they are called.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace whittle::record {

class Hash {
 public:
  Hash() : value_(seed()) {}
  void add(std::uint64_t part) {
    value_ = (value_ ^ part) * 0x9e3779b97f4a7c15U;  // 2^64 / golden ratio
    value_ ^= value_ >> 32U;
  }
  void add(std::string_view text) {
    add(text.size());
    while (text.size() >= 8) {
      std::uint64_t part = 0;
      std::memcpy(&part, text.data(), 8);
      add(part);
      text.remove_prefix(8);
    }
    std::uint64_t part = 0;
    if (!text.empty()) std::memcpy(&part, text.data(), text.size());
    add(part);
  }
  std::uint64_t value() const { return value_; }

 private:
  static std::uint64_t seed();
  std::uint64_t value_;
};

}  // namespace whittle::record
