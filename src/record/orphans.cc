#include "record/orphans.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file_system.h"
#include "base/text.h"

namespace whittle::record {

namespace {

// The children of our main thread, to which the kernel hands orphans (find_new_reaper() in
// kernel/exit.c).
std::vector<pid_t> children() {
  std::vector<pid_t> pids;
  const auto text = read_file(format("/proc/self/task/{}/children", ::getpid()));
  if (!text) return pids;
  for (const std::string& word : split(*text, ' ')) {
    if (const auto pid = parse_u64(trim(word))) pids.push_back(static_cast<pid_t>(*pid));
  }
  return pids;
}

}  // namespace

Orphans::Orphans() { ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }
Orphans::~Orphans() { ::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0); }

void Orphans::reap(pid_t command) {
  siginfo_t info = {};
  while (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WNOTHREAD) == 0 &&
         info.si_pid != 0 && info.si_pid != command) {
    asked_.erase(info.si_pid);  // from the next line on the id may be somebody else's
    ::waitid(P_PID, static_cast<id_t>(info.si_pid), &info, WEXITED | WNOHANG);
    info = {};
  }
}

pid_t Orphans::first() const {
  const std::vector<pid_t> pids = children();
  return pids.empty() ? 0 : pids.front();
}

void Orphans::ask(int signal) {
  for (const pid_t pid : children()) {
    if (asked_.insert(pid).second) ::kill(pid, signal);
  }
}

void Orphans::kill() const {
  for (const pid_t pid : children()) ::kill(pid, SIGKILL);
}

}  // namespace whittle::record
