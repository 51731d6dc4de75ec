// Waits until another task sleeps in a system call, so that a test needs no time to guess that by.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

// Until task `tid` of process `pid` sleeps in system call `nr`, or, traced, stands at its entry: a
// signal that comes from then on interrupts that call. False when the task has ended, or is not
// ours to look at. The kernel's file says "running", or the number and more (proc_pid_syscall(5)).
// Makes one open of the file, and any number of pread64 and sched_yield.
static inline int wait_until_in_call(pid_t pid, pid_t tid, long nr) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", (int)pid, (int)tid);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[160];
  int found = 0;
  for (ssize_t n = 0; !found && (n = pread(fd, text, sizeof text - 1, 0)) > 0; sched_yield()) {
    text[n] = '\0';
    char* end = text;
    found = strtol(text, &end, 10) == nr && end != text;
  }
  close(fd);
  return found;
}
