#include "cli/probe_report.h"

#include <algorithm>

#include "base/text.h"
#include "cli/output.h"

namespace whittle::cli {

namespace {

// "blocked" by the filter; else what stands in the way, or "open".
std::string state(const trial::Probe& probe) {
  const std::string text =
      format("{:10}", probe.blocked ? "blocked" : trial::probe_by_name(probe.by));
  return probe.blocked ? good(text) : bad(text);
}

std::string lines(const trial::ProbeReport& report, bool blocked_too) {
  std::size_t width = 0;
  for (const trial::Probe& probe : report.probes) width = std::max(width, probe.name.size());
  std::string text;
  for (const trial::Probe& probe : report.probes) {
    if (probe.blocked && !blocked_too) continue;
    text += format("  {}  {:{}}  {}\n", state(probe), probe.name, width, probe.result);
    if (probe.blocked) continue;
    text += format("  {:10}  {:{}}  {}\n", "", "", width,
                   dim(format("{} [{}]", probe.technique, probe.source)));
  }
  return text;
}

// Of those that the filter lets through: what else stands in the way.
std::string also_stopped(const trial::ProbeReport& report) {
  const auto count = [&report](trial::ProbeBy by) {
    return std::count_if(report.probes.begin(), report.probes.end(),
                         [by](const trial::Probe& probe) { return probe.by == by; });
  };
  const auto capability = count(trial::ProbeBy::kCapability);
  const auto kernel = count(trial::ProbeBy::kKernel);
  if (capability + kernel == 0) return {};
  return format(
      "let through, but stopped by a missing capability: {}, by the kernel's configuration: {}\n",
      capability, kernel);
}

std::string headline(const trial::ProbeReport& report) {
  return format("probes: {} of {} attack steps are blocked by the filter\n", report.blocked(),
                report.probes.size()) +
         also_stopped(report);
}

}  // namespace

json::Value probe_json(const trial::ProbeReport& report) {
  json::Array probes;
  for (const trial::Probe& probe : report.probes) {
    json::Value expected;
    expected.set("root", probe.expected_root).set("nobody", probe.expected_nobody);
    expected.set("docker", probe.expected_docker);
    json::Value item;
    item.set("name", probe.name).set("syscall", probe.syscall).set("blocked", probe.blocked);
    item.set("by", trial::probe_by_name(probe.by)).set("result", probe.result);
    item.set("tries", probe.tries).set("technique", probe.technique).set("source", probe.source);
    item.set("expected", std::move(expected));
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
