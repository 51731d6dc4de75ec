// What other tools recorded, as evidence: the formats are in docs/import.md.
//
//   TRY_ASSIGN(const Imported log, import_file("nginx.strace", {}));
//   log.run            // source "strace", timing "perturbed"
//   log.unread         // lines that could not be read; run.lost["lines"] has their number, too
//
// A format is found by what is in the file, never by its name. Text that grows with the recording
// (a log) is read line by line in constant memory; a document (a profile, a policy) as a whole.
// Input is hostile: everything is bounded. What cannot be read is counted, and the run is
// incomplete.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "evidence/evidence.h"
#include "syscalls/arch.h"

namespace whittle::record {

struct ImportOptions {
  std::string format;  // the name of one; empty: found by the content
  // The native ABI of the machine that the file comes from, where the format does not say.
  syscalls::Arch arch = syscalls::host_arch();
  // Called now and then with how much was read.
  std::function<void(std::uint64_t bytes)> progress;
};

// A line (a record) that could not be read, or one with an argument value that could not.
struct Unread {
  std::uint64_t line = 0;
  std::string why;
  std::string text;  // its beginning, printable
};

struct Imported {
  evidence::Run run;
  std::string format;          // "strace"
  std::string workload;        // what was started, as a name; empty when it is not known
  std::vector<Unread> unread;  // the first kMostShown
  std::uint64_t unread_count = 0;
  // A log of one task that started others: complete only together with theirs (strace -ff).
  bool single_task = false;
  std::uint64_t children = 0;
};

inline constexpr std::size_t kMostShown = 5;
// A longer line is not read, and counted so.
inline constexpr std::size_t kLongestLine = std::size_t{1} << 20U;

// "-" is standard input. Errors: no format fits, or nothing in it could be read.
Result<Imported> import_file(const std::string& path, const ImportOptions& options);
// The same of a text; `place` names it in errors.
Result<Imported> import_text(std::string_view text, const std::string& place,
                             const ImportOptions& options);

// Marks the runs of `strace -ff`, one file a task, as incomplete when files of tasks are missing.
void check_tasks(std::span<Imported> all);

// The names of the formats with a line about each, in the order in which they are tried.
struct ImportFormatName {
  std::string_view name;
  std::string_view summary;
};
std::vector<ImportFormatName> import_formats();

}  // namespace whittle::record
