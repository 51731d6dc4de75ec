// Stands between a command's output and ours, and tells when a line of it matches a pattern. What
// the command writes is passed on unchanged, byte for byte and in order; or it is kept.
//
//   TRY_ASSIGN(OutputTap tap, OutputTap::open({.pattern = pattern}));
//   launch.output = tap.output(); launch.errors = tap.errors();
//   ... fork ...
//   tap.start([] { ... the line has come ... });
//   ... the command has ended ...
//   tap.finish(give_up);
//
// Where our standard output and error are the same file (a terminal, 2>&1), the command gets one
// pipe for both, so that their order is kept.
//
// A reader of ours that is slow holds the command up no sooner than after 64 MiB; from then on it
// waits, as it would without us. A reader that has gone ends nothing: the rest is dropped.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"

namespace whittle::record {

// Bytes.
inline constexpr std::size_t kMostKept = 256U << 10U;

class OutputTap {
 public:
  struct Options {
    std::string pattern;     // empty: no line is waited for
    bool to_stderr = false;  // standard output, too, is passed on to our standard error
    bool keep = false;       // nothing is passed on: the last of it is kept, see kept()
  };
  // Errors: out of descriptors (environment); the pattern (input).
  static Result<OutputTap> open(const Options& options);

  OutputTap(OutputTap&&) noexcept;
  OutputTap& operator=(OutputTap&&) noexcept;
  ~OutputTap();  // without finish(): what has not been passed on is dropped

  // What becomes the command's standard output and standard error.
  int output() const;
  int errors() const;

  // From now on, on a thread of its own: passes on, and calls `matched` on that thread, once, at
  // the first line that matches. Lines end with a newline, LF or CR LF; a line over 8 KiB is looked
  // at by that much of it. REQUIRES: called once, after the fork.
  void start(std::function<void()> matched);

  // Passes on all that is left. Returns when that is done, or soon after `give_up` says true.
  // Processes that still hold the pipes get SIGPIPE from then on.
  void finish(const std::function<bool()>& give_up);

  // Of a command whose output is kept: the last kMostKept bytes of both its outputs, as they came.
  // REQUIRES: finished.
  const std::string& kept() const;
  std::uint64_t dropped() const;  // how many bytes came before those

 private:
  struct State;
  explicit OutputTap(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace whittle::record
