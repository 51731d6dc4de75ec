// The table of `strace -c`: a line a call, with how often it was made.
//
//   % time     seconds  usecs/call     calls    errors syscall
//   ------ ----------- ----------- --------- --------- ----------------
//     0.00    0.000000           0         2         2 access
//   100.00    0.000000           0       145        19 total
//
// -U changes which columns there are and in what order; "errors" stays blank where there are none.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "record/import_sink.h"
#include "syscalls/arch.h"

namespace whittle::record {

// True for the line with the names of the columns.
bool is_strace_table(std::string_view line);

class StraceTable {
 public:
  // `ignore`: the calls of the table are known already (-C: the log is in front of it).
  StraceTable(ImportSink& sink, std::string_view columns, syscalls::Arch arch, bool ignore);

  // False: the line is not of the table, which has ended.
  bool line(std::string_view text);

 private:
  void row(const std::vector<std::string>& words, std::string_view text);

  ImportSink& sink_;
  syscalls::Arch arch_;
  bool ignore_;
  bool ended_ = false;
  std::vector<std::string> columns_;
};

}  // namespace whittle::record
