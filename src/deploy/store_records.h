// What whittle put into a store: ROOT/.whittle/installed.json, schema whittle.installed/v1.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace whittle::deploy {

struct StoreRecord {
  std::string sha256;            // of what we put there; empty: it was taken away by a roll-back
  std::string installed;         // when it last changed, RFC 3339
  std::uint64_t generation = 0;  // of the install that changed it last
  // What is there, and what is kept as its previous version, had not been put there by whittle.
  bool foreign = false;
  bool foreign_previous = false;
};

struct StoreRecords {
  std::uint64_t generation = 0;  // of the last install that changed something
  std::map<std::string, StoreRecord> files;
};

Result<StoreRecords> parse_store_records(std::string_view text, std::string_view place);
std::string write_store_records(const StoreRecords& records);

}  // namespace whittle::deploy
