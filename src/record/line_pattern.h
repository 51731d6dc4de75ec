// A POSIX extended regular expression that is tried on lines (regex(3), regex(7)).
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace whittle::record {

class LinePattern {
 public:
  // Error, kind input: what the expression lacks, in the C library's words.
  static Result<LinePattern> compile(const std::string& pattern);

  LinePattern(LinePattern&&) noexcept;
  LinePattern& operator=(LinePattern&&) noexcept;
  ~LinePattern();

  // Whether it matches somewhere in the line, which is given without its line end; a zero byte ends
  // it.
  bool matches(const std::string& line) const;

 private:
  struct Compiled;
  explicit LinePattern(std::unique_ptr<Compiled> compiled);
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace whittle::record
