// How probes are shown, by `whittle probe` and `whittle verify`.
#pragma once

#include <string>

#include "base/json.h"
#include "trial/probe.h"

namespace whittle::cli {

// [{"name","syscall","blocked","by","result","tries","technique","source","expected"}, ...]
json::Value probe_json(const trial::ProbeReport& report);
// "probes: 40 of 59 attack steps are blocked by the filter", and a line for each that is not.
std::string probe_summary(const trial::ProbeReport& report);
// A line for each step.
std::string probe_table(const trial::ProbeReport& report);

}  // namespace whittle::cli
