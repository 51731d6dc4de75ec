// Starting a program natively: forked, held, prepared (a filter, a recorder), then let go to execve.
//
//   TRY_ASSIGN(Launched child, launch(spec));
//   ... attach a recorder to child.pid() ...
//   TRY(child.release());         // the program runs now; an execve that failed is an error here
//   const ExitStatus status = child.wait();
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/process.h"
#include "base/result.h"
#include "filter/program.h"

namespace whittle::host {

struct LaunchSpec {
  std::string program;             // a path: see find_program()
  std::vector<std::string> argv;   // argv[0] included
  std::optional<filter::Program> filter;  // loaded between fork and execve
  bool log_refusals = false;              // SECCOMP_FILTER_FLAG_LOG
  // prctl(PR_SET_NO_NEW_PRIVS). Without it a filter needs CAP_SYS_ADMIN.
  bool no_new_privileges = false;
  bool output_to_stderr = false;          // the program's standard output goes to our standard error
};

// The child is killed with the launcher when the launcher dies before release(); from then on it is
// on its own. Move-only. The child is in our process group, so that Ctrl-C reaches it.
class Launched {
 public:
  Launched(Launched&&) noexcept = default;
  Launched& operator=(Launched&&) noexcept = default;
  // Kills the child when it was not waited for.
  ~Launched();

  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }

  // Lets the child load its filter and call execve. Returns when execve succeeded, or with the error
  // that it, or loading the filter, met. REQUIRES: called once.
  // NOTE: with a ptracer attached execve does not finish until the tracer lets the child go on; then
  // use begin_release() and finish_release().
  Result<void> release();
  Result<void> begin_release();
  // REQUIRES: the child has passed execve, or died.
  Result<void> finish_release();

  // Waits for the end; EINTR is retried.
  ExitStatus wait();
  // When it has ended, without blocking.
  std::optional<ExitStatus> poll();

 private:
  friend Result<Launched> launch(const LaunchSpec& spec);
  Launched() = default;
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  UniqueFd go_;      // one byte lets the child go
  UniqueFd report_;  // the child's error, or end of file when execve closed it
  std::string program_;
};

Result<Launched> launch(const LaunchSpec& spec);

}  // namespace whittle::host
