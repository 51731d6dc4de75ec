// What `heal` says: for people, and as JSON (docs/heal.md).
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "filter/compare.h"
#include "trial/heal.h"

namespace whittle::cli {

struct HealDifference {
  filter::Comparison comparison;
  std::vector<syscalls::Arch> arches;
};

// Refers to what it tells of.
struct HealReport {
  const trial::HealSpec& spec;
  const trial::Healing& healing;
  const HealDifference& difference;  // of the profile before and after
  std::string written;               // the profile's path; empty: nothing was written
};

std::string heal_text(const HealReport& report);
json::Value heal_json(const HealReport& report);

}  // namespace whittle::cli
