// Starting a program natively: forked, held, prepared (a filter, a recorder), then let go to
// execve.
//
//   TRY_ASSIGN(Launched child, launch(spec));
//   ... attach a recorder to child.pid() ...
//   TRY(child.release());         // the program runs now; an execve that failed is an error here
//   const ExitStatus status = child.wait();
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/process.h"
#include "base/result.h"
#include "filter/program.h"
#include "host/listener.h"

namespace whittle::host {

struct LaunchSpec {
  std::string program;                    // a path: see find_program()
  std::vector<std::string> argv;          // argv[0] included
  std::optional<filter::Program> filter;  // loaded between fork and execve
  bool log_refusals = false;              // SECCOMP_FILTER_FLAG_LOG
  // The filter's SECCOMP_RET_USER_NOTIF is answered by whoever has the listener; see
  // Launched::take_listener(). REQUIRES: a filter.
  bool listen = false;
  bool wait_killable = true;  // false: as a kernel before 5.19 has it (Listener), for tests
  // The program is killed when the launcher dies (PR_SET_PDEATHSIG), also after the release.
  bool dies_with_launcher = false;
  // prctl(PR_SET_NO_NEW_PRIVS). Without it a filter needs CAP_SYS_ADMIN.
  bool no_new_privileges = false;
  // Another user and no group but this one; without capabilities, unless it is root. Needs root.
  std::optional<std::pair<unsigned, unsigned>> user;  // uid, gid
  // The bounding set of capabilities, a bit each (capabilities(7)): others are dropped from it, and
  // none are inherited, so that root has these and no more. To drop any needs CAP_SETPCAP.
  std::optional<std::uint64_t> capabilities;
  bool output_to_stderr = false;  // the program's standard output goes to our standard error
  int output = -1;                // a descriptor of ours that becomes its standard output; -1: ours
  int errors = -1;                // and its standard error
  std::string directory;          // to start in; empty: ours
  // "NAME=value", the whole of it; nullopt: ours.
  std::optional<std::vector<std::string>> environment;
};

// The child is killed with the launcher when the launcher dies before release(); from then on it is
// on its own. Move-only. The child is in our process group, so that Ctrl-C reaches it. It starts
// with no signal blocked and none ignored, and our standard input and error.
class Launched {
 public:
  Launched(Launched&&) noexcept = default;
  Launched& operator=(Launched&& other) noexcept;
  // Kills the child when it was not waited for.
  ~Launched();

  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }

  // Lets the child load its filter and call execve. Returns when execve succeeded, or with the
  // error that it, or loading the filter, met. REQUIRES: called once. NOTE: with a ptracer attached
  // execve does not finish until the tracer lets the child go on; then use begin_release() and
  // finish_release().
  Result<void> release();
  Result<void> begin_release();
  // REQUIRES: the child has passed execve, or died.
  Result<void> finish_release();

  // The listener of a filter that asks (LaunchSpec::listen), which is in force by then. Errors:
  // those of release(). REQUIRES: called once, between begin_release() and finish_release(). NOTE:
  // execve may be one of the calls that ask, so finish_release() must not be waited for by the
  // thread that is to answer.
  Result<Listener> take_listener();

  // Waits for the end; EINTR is retried. Can be called again. REQUIRES: nobody else (a tracer's
  // waitpid(-1)) has reaped the child; then the status is lost and exit status 127 is returned.
  ExitStatus wait();
  // The same, without blocking: nullopt while it runs.
  std::optional<ExitStatus> poll();

 private:
  friend Result<Launched> launch(const LaunchSpec& spec);
  Launched() = default;
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  UniqueFd channel_;  // one byte lets the child go; back comes its error, or end of file by execve
  std::string program_;
  bool filtered_ = false;
  bool listens_ = false;
  std::optional<ExitStatus> status_;  // once it was waited for
};

// Forks and holds the child. REQUIRES: called on a thread that outlives the release
// (PR_SET_PDEATHSIG goes by thread). Errors: out of processes or descriptors (environment). What
// only the child can find out is an error of release(): execve's, with kind input; loading the
// filter or changing the user without the privilege, with kind environment; a profile that refuses
// execve itself, with kind input.
Result<Launched> launch(const LaunchSpec& spec);

}  // namespace whittle::host
