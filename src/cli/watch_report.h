// What `watch` says, a line at a time (docs/watch.md).
#pragma once

#include <string>

#include "base/json.h"
#include "trial/watch.h"

namespace whittle::cli {

// One line each, without its end; `time` is when it is told, RFC 3339.
std::string sighting_text(const trial::Sighting& sighting, const std::string& time);
json::Value sighting_json(const trial::Sighting& sighting, const std::string& time);

// "3 denials of 2 kinds, no drift, 1 fallback (clone3) in 12.3 s"
std::string watch_summary(const trial::WatchReport& report);

}  // namespace whittle::cli
