#include <algorithm>
#include <cstdint>

#include "base/file_system.h"
#include "base/text.h"
#include "cli/load_evidence.h"
#include "cli/output.h"
#include "cli/verbs_list.h"
#include "evidence/evidence.h"

namespace whittle::cli {

namespace {

void warn_of_incomplete(const evidence::Evidence& merged) {
  for (const evidence::Run& run : merged.runs) {
    if (run.complete) continue;
    std::vector<std::string> losses;
    for (const auto& [kind, count] : run.lost) {
      if (count != 0) losses.push_back(format("lost {} {}", count, kind));
    }
    if (losses.empty()) losses.emplace_back("it did not end as it should");
    print_warning(
        format("the run {} ({}) is incomplete: {}", run.id, run.source, join(losses, ", ")));
  }
}

// One workload's evidence in another's profile opens what neither needs.
void warn_of_other_workloads(const std::vector<evidence::Evidence>& parts,
                             const std::string& workload) {
  for (const evidence::Evidence& part : parts) {
    if (part.workload.empty() || part.workload == workload) continue;
    print_warning(format("evidence of different workloads: \"{}\" and \"{}\"", printable(workload),
                         printable(part.workload)));
    return;
  }
}

Result<int> run_merge(const Arguments& arguments) {
  const std::string output = arguments.value_or("--output", "-");
  TRY(check_writable(output));
  TRY_ASSIGN(const std::vector<evidence::Evidence> parts, load_evidence(arguments.operands()));
  const evidence::Evidence merged = evidence::merge(parts);
  warn_of_other_workloads(parts, merged.workload);
  warn_of_incomplete(merged);
  const std::string text = evidence::write(merged);
  if (output == "-") {
    TRY(print_result(text));
  } else {
    TRY(write_file(output, text));
    print_note(format("{}: {}, {}", printable(output), plural(merged.runs.size(), "run"),
                      plural(merged.syscalls().size(), "call")));
  }
  return 0;
}

}  // namespace

const Verb& merge_verb() {
  static const Verb verb = {
      .name = "merge",
      .summary = "join evidence of several runs into one file",
      .synopsis = "EVIDENCE... [-o FILE]",
      .description =
          "Writes the union of the runs in all files. A run stands once however often and in "
          "whatever order it is given: of two with the same id the complete one is kept, else the "
          "longer one. The summary of calls is made anew from the runs.\n\n"
          "Without -o the result goes to standard output. The output is checked before anything is "
          "read, and is written whole or not at all; it may be one of the inputs. Runs that are "
          "incomplete are kept and named on standard error.",
      .examples = {"whittle merge amd64.evidence.json arm64.evidence.json -o app.evidence.json",
                   "whittle merge night-*.evidence.json | whittle generate - -o app.profile.json"},
      .options = {{"--output", 'o', "FILE", "where to write the result; - is standard output"}},
      .operand = "EVIDENCE",
      .least_operands = 1,
      .most_operands = SIZE_MAX,
      .run = run_merge,
  };
  return verb;
}

}  // namespace whittle::cli
