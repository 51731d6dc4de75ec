// What a command leaves behind: processes whose parents have ended, as daemons have it. While one
// of these lives they become children of ours instead of init's (PR_SET_CHILD_SUBREAPER, prctl(2)),
// and so can be ended and waited for; as children of ours their ids stay their own until then.
//
// A whole tree is ended from its root: when that has gone its children are ours, and so on.
#pragma once

#include <sys/types.h>

#include <set>
#include <vector>

namespace whittle::record {

// REQUIRES: there is one at a time, used by the main thread. Needs /proc and CONFIG_PROC_CHILDREN
// (Linux 4.2, in every distribution): without it ask() and kill() reach nobody.
class Orphans {
 public:
  Orphans();
  ~Orphans();  // those who live on are adopted by us no more, but for those that are already
  Orphans(const Orphans&) = delete;
  Orphans& operator=(const Orphans&) = delete;

  // Waits for those that have ended. Not for `command` (0: it is gone), which is for its owner, nor
  // for children that other threads of ours have started.
  void reap(pid_t command);
  // The first of them, a daemon's main process most likely; 0: there is none.
  pid_t first() const;
  // Sends the signal to each child of ours that has not been sent one.
  void ask(int signal);
  // SIGKILL to each.
  void kill() const;

 private:
  std::set<pid_t> asked_;
};

}  // namespace whittle::record
