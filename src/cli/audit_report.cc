#include "cli/audit_report.h"

#include <algorithm>

#include "base/text.h"
#include "cli/output.h"
#include "record/audit_time.h"
#include "syscalls/table.h"

namespace whittle::cli {

namespace {

std::string call_name(const record::AuditGroup& group) {
  const auto arch = syscalls::arch_from_audit(group.audit_arch, group.nr);
  return arch ? syscalls::display_name(*arch, group.nr) : format("syscall_{}", group.nr);
}

json::Value time_to_json(std::int64_t time) {
  return time == 0 ? json::Value() : json::Value(record::audit_time_text(time));
}

json::Value to_json(const record::AuditGroup& group) {
  json::Value object;
  object.set("arch", record::audit_arch_name(group.audit_arch, group.nr));
  object.set("syscall", call_name(group));
  object.set("nr", group.nr);
  object.set("action", record::audit_action_name(group.action));
  object.set("comm", group.comm);
  object.set("exe", group.exe);
  object.set("count", group.count);
  object.set("first", time_to_json(group.first));
  object.set("last", time_to_json(group.last));
  object.set("signal", static_cast<std::int64_t>(group.signal));
  object.set("container", group.container.empty() ? json::Value() : json::Value(group.container));
  object.set("pids", json::Array(group.pids.begin(), group.pids.end()));
  return object;
}

}  // namespace

json::Value audit_to_json(const record::AuditTally& tally) {
  const record::AuditCounts counts = tally.counts();
  json::Array groups;
  for (const record::AuditGroup& group : tally.groups()) groups.push_back(to_json(group));
  json::Value object;
  object.set("records", counts.records);
  object.set("duplicates", counts.duplicates);
  object.set("malformed", counts.malformed);
  object.set("lost", counts.lost);
  object.set("rate_limited", counts.rate_limited);
  object.set("foreign", counts.foreign);
  object.set("ungrouped", counts.ungrouped);
  object.set("duplicates_exact", !counts.forgot);
  object.set("complete", counts.complete());
  object.set("groups", std::move(groups));
  return object;
}

std::string audit_group_text(const record::AuditGroup& group, std::uint64_t count) {
  std::string text = count == 0 ? std::string() : format("{:>7}  ", count);
  text += format("{:<7} {:<20} {:<12} {} ({})", record::audit_arch_name(group.audit_arch, group.nr),
                 call_name(group), record::audit_action_name(group.action), printable(group.comm),
                 printable(group.exe));
  if (!group.container.empty()) text += " in " + printable(group.container);
  return text;
}

std::string audit_to_text(const record::AuditTally& tally) {
  const record::AuditCounts counts = tally.counts();
  std::string text;
  std::int64_t first = 0;
  std::int64_t last = 0;
  for (const record::AuditGroup& group : tally.groups()) {
    if (text.empty()) {
      text += bold(format("{:>7}  {:<7} {:<20} {:<12} {}", "COUNT", "ARCH", "CALL", "ACTION",
                          "PROGRAM")) +
              "\n";
    }
    text += audit_group_text(group, group.count) + "\n";
    if (group.first != 0) first = first == 0 ? group.first : std::min(first, group.first);
    last = std::max(last, group.last);
  }
  text += plural(counts.records, "record");
  if (first != 0) {
    text += format(" from {} to {}", record::audit_time_text(first), record::audit_time_text(last));
  }
  text += format("; {}, {} malformed, {} lost, {} rate-limited\n",
                 counts.duplicates == 1 ? "1 copy" : format("{} copies", counts.duplicates),
                 counts.malformed, counts.lost, counts.rate_limited);
  return text;
}

void warn_of_audit_loss(const record::AuditCounts& counts) {
  if (counts.lost != 0) {
    print_warning(format("the log is incomplete: the kernel lost {} (of all types) on the way",
                         plural(counts.lost, "audit record")));
  }
  if (counts.rate_limited != 0) {
    print_warning(format("the log is incomplete: {} not printed, there were too many at once",
                         counts.rate_limited == 1
                             ? "1 record was"
                             : format("{} records were", counts.rate_limited)));
  }
  if (counts.uncertain) {
    print_warning(
        "the log may be incomplete: the kernel prints ten records in five seconds, and says that "
        "there were more only with the next one");
  }
  if (counts.malformed != 0) {
    print_warning(format("{} could not be read: cut off or not as the kernel writes them",
                         plural(counts.malformed, "seccomp record")));
  }
  if (counts.foreign != 0) {
    print_warning(
        format("{} that other programs wrote and that look like seccomp records were "
               "not believed",
               plural(counts.foreign, "line")));
  }
  if (counts.ungrouped != 0) {
    print_warning(
        format("more than {} different groups: {} in none", record::kMostGroups,
               counts.ungrouped == 1 ? "1 record is" : format("{} records are", counts.ungrouped)));
  }
  if (counts.forgot) {
    print_warning("more records than are remembered: copies far apart count as records");
  }
}

}  // namespace whittle::cli
