// A command and all that it leaves behind, none of which outlives us: not even when we are killed.
//
//   TRY_ASSIGN(Kept kept, Kept::start(spec));
//   ... with spec.listen: answer kept.listener(), on another thread ...
//   TRY(kept.started());
//   while (!kept.gone()) { ... poll(2) kept.events_fd() ...; kept.update(); }
//
// Between us and the command stands a process of ours, the keeper: it is the parent of the command,
// and of what is orphaned below it (PR_SET_CHILD_SUBREAPER, prctl(2)), so that the end of the tree
// is known and a whole tree can be ended, root by root, whatever its processes do. When we die, it
// kills the tree. When the keeper itself is killed the command is (PR_SET_PDEATHSIG).
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <optional>

#include "base/fd.h"
#include "base/process.h"
#include "base/result.h"
#include "host/launch.h"

namespace whittle::host {

class Kept {
 public:
  // Starts the keeper, and by it the command: with spec.listen up to where its filter is in force.
  // Errors: those of launch() and Launched::take_listener().
  static Result<Kept> start(const LaunchSpec& spec);

  Kept(Kept&&) noexcept = default;
  Kept& operator=(Kept&&) = delete;
  ~Kept();  // kills the whole tree, and waits until it has gone

  pid_t pid() const { return pid_; }          // of the command; it may have ended
  pid_t keeper() const { return keeper_; }    // the root of the tree
  Listener& listener() { return listener_; }  // not valid without spec.listen

  // Returns when the command has passed execve, or with the error of that. REQUIRES: called once;
  // somebody answers the listener, if there is one, meanwhile.
  Result<void> started();

  int events_fd() const { return channel_.get(); }  // readable: update() has something new
  void update();                                    // does not wait
  // How the command itself ended, once it has.
  std::optional<ExitStatus> status() const { return status_; }
  // The last process of the tree has gone.
  bool gone() const { return gone_; }

  // The command; when it has ended, the first of what it left behind, a daemon's main process most
  // likely. 0: there is neither.
  pid_t main() const;

  // Sends a signal to the command, if it still runs.
  void signal(int signal);
  // Sends a signal to the children of the keeper: the command, what was orphaned.
  void signal_all(int signal);
  // SIGKILL for the whole tree.
  void kill() { signal_all(SIGKILL); }

 private:
  Kept() = default;
  void receive(bool wait);
  void order(int signal, bool all);

  pid_t keeper_ = -1;
  pid_t pid_ = -1;
  UniqueFd channel_;
  Listener listener_;
  std::optional<ExitStatus> status_;
  std::optional<Error> error_;
  bool executed_ = false;
  bool gone_ = false;
};

}  // namespace whittle::host
