// Where the importers put what they read, and what they could not.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "record/collector.h"
#include "record/import.h"
#include "syscalls/arch.h"

namespace whittle::record {

class ImportSink {
 public:
  explicit ImportSink(syscalls::Arch native) : native_(native) { run.arch = native; }

  // The native ABI of the machine; see ImportOptions.
  syscalls::Arch native() const { return native_; }
  // Where the reader is; what unread() says of a line.
  void at_line(std::uint64_t line) { line_ = line; }
  std::uint64_t line() const { return line_; }

  void add(const Call& call);
  // A call by name. False: the name has no number in the ABI, and nothing was added.
  bool add_named(Call call, std::string_view name);
  // Takes a run that is made already, in place of the calls.
  void adopt(evidence::Run run);
  bool empty() const { return calls_ == 0; }

  // A line that could not be read; it counts in lost "lines".
  void unread(std::string why, std::string_view text);
  // An argument that could not be read: it is shown like a line, and counts in lost "arguments",
  // which the collector does for each unit that has it. Or whatever else is counted elsewhere.
  void unread_argument(std::string why, std::string_view text);
  void lose(std::string_view kind, std::uint64_t count = 1);
  void note(std::string text);  // once each

  // What the importer fills in: command, started, duration, exit. The rest is finish()'s.
  evidence::Run run;
  std::string workload;
  bool single_task = false;
  std::uint64_t children = 0;

  // Gives everything up. The run has calls, losses, completeness; no id, source or timing yet,
  // unless it was adopted.
  Imported finish();

 private:
  void show(std::string why, std::string_view text);

  syscalls::Arch native_;
  std::uint64_t line_ = 0;
  std::uint64_t calls_ = 0;
  bool adopted_ = false;
  Collector collector_;
  std::vector<Unread> shown_;
  std::uint64_t unread_ = 0;
  std::map<std::string, std::uint64_t> lost_;
};

}  // namespace whittle::record
