#include "cli/probe_report.h"

#include <algorithm>

#include "base/text.h"
#include "cli/output.h"

namespace whittle::cli {

namespace {

std::string lines(const trial::ProbeReport& report, bool blocked_too) {
  std::size_t width = 0;
  for (const trial::Probe& probe : report.probes) width = std::max(width, probe.name.size());
  std::string text;
  for (const trial::Probe& probe : report.probes) {
    if (probe.blocked && !blocked_too) continue;
    text += format("  {}  {:{}}  {}\n", probe.blocked ? good("blocked") : bad("open   "),
                   probe.name, width, probe.result);
    if (!probe.blocked) text += format("           {:{}}  {}\n", "", width, dim(probe.technique));
  }
  return text;
}

std::string headline(const trial::ProbeReport& report) {
  return format("probes: {} of {} attack steps are blocked by the filter\n", report.blocked(),
                report.probes.size());
}

}  // namespace

json::Value probe_json(const trial::ProbeReport& report) {
  json::Array probes;
  for (const trial::Probe& probe : report.probes) {
    json::Value item;
    item.set("name", probe.name).set("syscall", probe.syscall).set("blocked", probe.blocked);
    item.set("result", probe.result).set("technique", probe.technique);
    probes.push_back(std::move(item));
  }
  return probes;
}

std::string probe_summary(const trial::ProbeReport& report) {
  return headline(report) + lines(report, false);
}

std::string probe_table(const trial::ProbeReport& report) {
  return headline(report) + lines(report, true);
}

}  // namespace whittle::cli
