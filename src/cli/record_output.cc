#include "cli/record_output.h"

#include "base/file_system.h"
#include "base/text.h"
#include "cli/output.h"

namespace whittle::cli {

void warn_of_loss(const evidence::Run& run) {
  for (const auto& [kind, count] : run.lost) {
    if (count != 0) print_warning(format("incomplete: {} lost of kind \"{}\"", count, kind));
  }
}

Result<void> write_evidence(const std::string& output, const evidence::Evidence& evidence,
                            bool quiet) {
  const std::string text = evidence::write(evidence);
  Result<void> written = write_file(output, text);
  if (!written) {
    const std::string rescue = format("/tmp/whittle-{}.evidence.json", evidence.runs.back().id);
    if (write_file(rescue, text)) written.error().hint = "the evidence is in " + rescue;
    return written;
  }
  if (output == "-" || quiet) return {};
  print_note(format("wrote {}: {}, {}", printable(output), plural(evidence.runs.size(), "run"),
                    plural(evidence.syscalls().size(), "call")));
  return {};
}

}  // namespace whittle::cli
