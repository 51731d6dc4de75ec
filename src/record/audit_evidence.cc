#include "record/audit_evidence.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/text.h"
#include "record/audit_time.h"
#include "syscalls/table.h"

namespace whittle::record {

namespace {

using syscalls::Arch;

// FNV-1a, twice from different starts: the id must be the same in every process.
std::string id_of(const std::string& text) {
  std::uint64_t a = 0xcbf29ce484222325U;
  std::uint64_t b = 0x84222325cbf29ce4U;
  for (const char c : text) {
    a = (a ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    b = (b ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    b ^= b >> 29U;
  }
  return format("{:016x}{:016x}", a, b);
}

void note_programs(const std::vector<AuditGroup>& groups, evidence::Run& run) {
  std::set<std::string> containers;
  std::set<std::string> programs;
  for (const AuditGroup& group : groups) {
    containers.insert(group.container);
    programs.insert(printable(group.comm) + " (" + printable(group.exe) + ")");
  }
  if (containers.size() == 1) run.container = printable(*containers.begin());
  constexpr std::size_t kMostNoted = 16;
  std::vector<std::string> names(programs.begin(), programs.end());
  if (names.size() > kMostNoted) {
    names.resize(kMostNoted);
    names.emplace_back("others");
  }
  if (!names.empty()) run.notes.push_back("records of " + join(names, ", "));
}

}  // namespace

evidence::Run audit_evidence(const AuditTally& tally) {
  const std::vector<AuditGroup> groups = tally.groups();
  const AuditCounts counts = tally.counts();
  evidence::Run run;
  run.source = "audit";
  run.arch = syscalls::host_arch();
  run.under = "unknown";
  std::int64_t start = 0;
  std::int64_t end = 0;
  for (const AuditGroup& group : groups) {
    if (group.first != 0) start = start == 0 ? group.first : std::min(start, group.first);
    end = std::max(end, group.last);
  }
  run.started = audit_time_text(start);
  run.duration = static_cast<double>(end - start) / 1000;

  std::string seen_text = run.started;
  std::map<std::pair<Arch, std::uint32_t>, evidence::Observation> calls;
  std::uint64_t others = 0;
  std::uint64_t most = 0;
  for (const AuditGroup& group : groups) {
    seen_text += format("\n{:x} {} {} {} {} {} {} {}", group.audit_arch, group.nr,
                        audit_action_name(group.action), group.count, group.first, group.last,
                        group.comm, group.exe);
    const auto arch = syscalls::arch_from_audit(group.audit_arch, group.nr);
    if (!arch) {
      others += group.count;
      continue;
    }
    if (group.count > most) run.arch = syscalls::native_of(*arch);
    most = std::max(most, group.count);
    evidence::Observation& seen = calls[{*arch, group.nr}];
    const double first = static_cast<double>(group.first == 0 ? 0 : group.first - start) / 1000;
    const double last = static_cast<double>(group.last == 0 ? 0 : group.last - start) / 1000;
    seen.first = seen.count == 0 ? first : std::min(seen.first, first);
    seen.last = std::max(seen.last, last);
    seen.arch = *arch;
    seen.nr = group.nr;
    seen.name = syscalls::display_name(*arch, group.nr);
    seen.count += group.count;
    if (group.action != AuditAction::kLog) {
      seen.refused += group.count;
      seen.refusals_closed = false;  // with which arguments and which errno is not known
    }
  }
  run.id = id_of(seen_text);
  for (auto& [key, seen] : calls) run.syscalls.push_back(std::move(seen));
  run.lost = {{"not_logged", 1},
              {"records", counts.lost},
              {"rate_limited", counts.rate_limited},
              {"malformed", counts.malformed},
              {"ungrouped", counts.ungrouped},
              {"other_architectures", others}};
  note_programs(groups, run);
  return run;
}

}  // namespace whittle::record
