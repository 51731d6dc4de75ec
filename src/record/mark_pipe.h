// The FIFO of `--marks`: each line written to it names the phase from then on.
//
//   echo reload > marks; nginx -s reload
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace whittle::record {

// A name that a caller may give to a phase: [a-z0-9_-]{1,64}, but for "runtime", which stands for
// the container runtime's own calls.
bool is_phase_name(std::string_view name);

// Cuts what is written to a FIFO into names. A line that is no name comes back as it is, but cut to
// 80 bytes; blanks around a line and empty lines do not count.
class MarkReader {
 public:
  std::vector<std::string> add(std::string_view bytes);
  void forget();  // what there is of a line that has not ended

 private:
  std::string line_;
};

// The FIFO itself. It is there from open() until it goes; one that was there before stays.
class MarkPipe {
 public:
  // Makes it, for our user alone, or takes an existing one. Errors, kind input: the path is
  // something else; it cannot be made or opened.
  static Result<MarkPipe> open(const std::string& path);

  MarkPipe(MarkPipe&& other) noexcept;
  MarkPipe& operator=(MarkPipe&& other) noexcept;
  ~MarkPipe();

  int fd() const { return fd_.get(); }
  // The lines that have come, without waiting.
  std::vector<std::string> read();
  // Drops them: they were meant for an earlier run.
  void drain();

 private:
  MarkPipe() = default;
  UniqueFd fd_;
  std::string made_;  // the path, when we made it; removed at the end
  MarkReader reader_;
};

}  // namespace whittle::record
