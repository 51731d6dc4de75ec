#include <unistd.h>

#include <algorithm>

#include "base/file_system.h"
#include "base/text.h"
#include "cli/audit_report.h"
#include "cli/output.h"
#include "cli/record_output.h"
#include "cli/verbs_list.h"
#include "record/audit_containers.h"
#include "record/audit_evidence.h"
#include "record/audit_reader.h"
#include "record/audit_tally.h"

namespace whittle::cli {

namespace {

Result<void> write_run(const Arguments& arguments, const record::AuditTally& tally) {
  const auto output = arguments.value("--evidence");
  if (!output) return {};
  evidence::Evidence evidence;
  evidence.runs.push_back(record::audit_evidence(tally));
  return write_evidence(*output, evidence, false);
}

Result<int> run_audit(const Arguments& arguments) {
  const auto output = arguments.value("--evidence");
  if (output) TRY(check_writable(*output));
  if (output == "-") {
    return input_error("the evidence cannot go to standard output: the report does", "--evidence");
  }
  record::AuditTally tally;
  record::AuditContainers containers;
  tally.container_of = [&](const record::AuditRecord& record) { return containers.of(record); };
  for (const std::string& path : arguments.operands()) TRY(record::read_audit_log(path, tally));
  TRY(write_run(arguments, tally));
  warn_of_audit_loss(tally.counts());
  if (arguments.flag("--json")) {
    TRY(print_json(audit_to_json(tally)));
  } else {
    TRY(print_result(audit_to_text(tally)));
  }
  return tally.counts().records == 0 && tally.counts().complete() ? 0 : 1;
}

}  // namespace

const Verb& audit_verb() {
  static const Verb verb = {
      .name = "audit",
      .summary =
          "read what the kernel logged of filters: which call, by which program, what was done",
      .synopsis = "FILE... [--evidence E] [--json]",
      .description =
          "Reads seccomp records (audit type 1326) out of the output of dmesg, /dev/kmsg, "
          "journalctl, "
          "auditd's log, ausearch and syslog, told apart by content. Groups them by call, "
          "architecture, "
          "action and program; what journal and kernel both printed counts once. Says what is "
          "missing: "
          "lines that are cut off, records that the kernel lost or did not print.\n\n"
          "A record holds no arguments and not the errno.\n\n"
          "Exits with 1 when there are records or something is missing.",
      .examples = {"whittle audit /var/log/audit/audit.log", "dmesg | whittle audit -",
                   "journalctl -o json | whittle audit --json -"},
      .options = {{"--evidence", 'o', "E", "write the calls as evidence, too"},
                  {"--json", 0, "", "print JSON"}},
      .operand = "FILE",
      .least_operands = 1,
      .most_operands = SIZE_MAX,
      .run = run_audit,
  };
  return verb;
}

}  // namespace whittle::cli
