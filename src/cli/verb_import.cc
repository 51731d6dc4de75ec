#include <cstdint>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/text.h"
#include "cli/output.h"
#include "cli/verbs_list.h"
#include "evidence/evidence.h"
#include "record/import.h"

namespace whittle::cli {

namespace {

// What each kind of loss means for who has the file in hand.
std::string loss_text(std::string_view kind, std::uint64_t count) {
  if (kind == "lines") return format("{} could not be read", plural(count, "line"));
  if (kind == "arguments") {
    return format("{} could not be read: their sets are open", plural(count, "argument value"));
  }
  if (kind == "late_start") return "it does not begin with the start of the program";
  if (kind == "selected") return "it shows chosen calls only";
  if (kind == "not_logged") return "calls that the filter allowed are not in a log";
  if (kind == "tasks") {
    return format("{} of it {} not in it", plural(count, "child task"), count == 1 ? "is" : "are");
  }
  if (kind == "abi") return format("the ABI of {} is a guess", plural(count, "call"));
  return format("lost {} {}", count, kind);
}

void report(const std::string& path, const record::Imported& imported, bool quiet) {
  const std::string place = path == "-" ? "standard input" : printable(path);
  const evidence::Run& run = imported.run;
  std::uint64_t calls = 0;
  for (const evidence::Observation& seen : run.syscalls) calls += seen.count;
  if (!quiet) {
    print_note(format("{}: {}: {} of {}", place, imported.format, plural(calls, "call"),
                      plural(run.syscalls.size(), "kind")));
    for (const std::string& note : run.notes) print_note(format("{}: {}", place, note));
  }
  for (const record::Unread& unread : imported.unread) {
    print_warning(format("{}:{}: {}{}", place, unread.line, unread.why,
                         unread.text.empty() ? "" : ": " + unread.text));
  }
  if (imported.unread_count > imported.unread.size()) {
    print_warning(
        format("{}: {} more like these", place, imported.unread_count - imported.unread.size()));
  }
  for (const auto& [kind, count] : run.lost) {
    if (count != 0) print_warning(format("{}: incomplete: {}", place, loss_text(kind, count)));
  }
}

// A line on the terminal once reading takes longer than a second.
class Progress {
 public:
  explicit Progress(std::string path) : path_(std::move(path)) {}
  ~Progress() {
    if (shown_) end_progress();
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void operator()(std::uint64_t bytes) {
    const double now = monotonic_seconds();
    if (now - last_ < (shown_ ? 0.2 : 1.0)) return;
    last_ = now;
    shown_ = true;
    show_progress(format("importing {}: {} MiB", printable(path_), bytes >> 20U));
  }

 private:
  std::string path_;
  double last_ = monotonic_seconds();
  bool shown_ = false;
};

Result<record::ImportOptions> options_of(const Arguments& arguments) {
  record::ImportOptions options;
  options.format = arguments.value_or("--format", "");
  if (const auto name = arguments.value("--arch")) {
    const auto arch = syscalls::arch_from_name(*name);
    if (!arch || syscalls::native_of(*arch) != *arch) {
      return input_error(format("--arch {}: not the architecture of a machine", printable(*name)),
                         {}, "x86_64 or aarch64");
    }
    options.arch = *arch;
  }
  return options;
}

Result<int> run_import(const Arguments& arguments) {
  const std::string output = arguments.value_or("--output", "-");
  TRY(check_writable(output));
  TRY_ASSIGN(record::ImportOptions options, options_of(arguments));
  std::vector<record::Imported> all;
  for (const std::string& path : arguments.operands()) {
    Progress progress(path);
    options.progress = [&progress](std::uint64_t bytes) { progress(bytes); };
    TRY_ASSIGN(record::Imported one, record::import_file(path, options));
    all.push_back(std::move(one));
  }
  record::check_tasks(all);
  evidence::Evidence part;
  for (std::size_t i = 0; i < all.size(); ++i) {
    report(arguments.operands()[i], all[i], arguments.flag("--quiet"));
    if (part.workload.empty()) part.workload = all[i].workload;
    part.runs.push_back(std::move(all[i].run));
  }
  part.workload = arguments.value_or("--workload", part.workload);
  const evidence::Evidence merged = evidence::merge({&part, 1});
  const std::string text = evidence::write(merged);
  if (output == "-") {
    TRY(print_result(text));
  } else {
    TRY(write_file(output, text));
    if (!arguments.flag("--quiet")) {
      print_note(format("wrote {}: {}, {}", printable(output), plural(merged.runs.size(), "run"),
                        plural(merged.syscalls().size(), "call")));
    }
  }
  return merged.complete() ? 0 : 1;
}

std::vector<std::string> format_names() {
  std::vector<std::string> names;
  for (const auto& [name, summary] : record::import_formats()) names.emplace_back(name);
  return names;
}

std::string description() {
  std::string text =
      "Reads what other tools recorded and writes evidence, one run a file: calls, counts, "
      "results, "
      "and argument values where the format has them. The format is found by the content of a "
      "file, "
      "never by its name:\n\n";
  for (const auto& [name, summary] : record::import_formats()) {
    text += format("{}: {}.\n\n", name, summary);
  }
  text +=
      "What cannot be read is counted and the first few are shown with FILE:LINE; the run is then "
      "incomplete. A value that cannot be read leaves its set open, and no rule is made of it. "
      "Logs "
      "of any size are read in constant memory. The same file gives the same run, so that "
      "importing "
      "it twice adds nothing.\n\n"
      "Exit status: 0 when everything was read and nothing is known to be missing, 1 when "
      "something "
      "is, 2 for a file in which nothing could be read: then nothing is written.";
  return text;
}

}  // namespace

const Verb& import_verb() {
  static const Verb verb = {
      .name = "import",
      .summary = "make evidence of what strace, audit, perf and other tools recorded",
      .synopsis = "FILE... [-o EVIDENCE]",
      .description = description(),
      .examples =
          {"strace -f -n -o nginx.strace nginx; whittle import nginx.strace -o nginx.evidence.json",
           "whittle import trace.1201 trace.1202 -o app.evidence.json    # strace -ff",
           "kubectl get seccompprofile app -o yaml | whittle import - | whittle generate -"},
      .options = {{"--output", 'o', "FILE", "where to write the evidence; - is standard output"},
                  {"--format", 0, "FORMAT", "the format, when the content does not tell",
                   format_names()},
                  {"--arch", 0, "ARCH",
                   "the machine's architecture, where the format does not say (default: this one)"},
                  {"--workload", 0, "NAME",
                   "the name of the workload (default: of what was started)"},
                  {"--quiet", 'q', "", "say nothing but warnings and errors"}},
      .operand = "FILE",
      .least_operands = 1,
      .most_operands = SIZE_MAX,
      .run = run_import,
  };
  return verb;
}

}  // namespace whittle::cli
