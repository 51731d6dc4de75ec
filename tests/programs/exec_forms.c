// exec_forms HOW: one way to exec this program again, which then makes one getppid and exits with
// 0.
//   execve, execveat   by the first thread
//   thread             by another thread, while a third one waits in pause
//   orphan             by another thread, after the first one has exited
//   fail               one execve that fails with ENOENT, one that fails with EACCES; exits with 0
#include "in_call.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char** environ;

// Not of the process: that has none once its first thread has gone.
static char self[] = "/proc/thread-self/exe";
static char* again[] = {self, (char*)"end", NULL};

#if defined(SYS_pause)
#define IN_PAUSE SYS_pause
#else
#define IN_PAUSE SYS_ppoll
#endif

static pthread_t first_thread;
static atomic_int waiting;  // the thread that waits; 0: not yet

static void* wait_for_ever(void* unused) {
  atomic_store(&waiting, gettid());
  pause();
  return unused;
}

static void* exec_when_others_wait(void* unused) {
  while (atomic_load(&waiting) == 0) sched_yield();
  if (wait_until_in_call(getpid(), getpid(), IN_PAUSE) &&
      wait_until_in_call(getpid(), atomic_load(&waiting), IN_PAUSE)) {
    execve(self, again, environ);
  }
  _exit(1);
  return unused;
}

static void* exec_when_alone(void* unused) {
  if (pthread_join(first_thread, NULL) == 0) execve(self, again, environ);
  _exit(1);
  return unused;
}

int main(int argc, char** argv) {
  const char* how = argc > 1 ? argv[1] : "";
  pthread_t thread;
  first_thread = pthread_self();
  if (strcmp(how, "end") == 0) {
    syscall(SYS_getppid);
    return 0;
  }
  if (strcmp(how, "execve") == 0) execve(self, again, environ);
  if (strcmp(how, "execveat") == 0) {
    const int fd = open(self, O_PATH | O_CLOEXEC);
    syscall(SYS_execveat, fd, "", again, environ, AT_EMPTY_PATH);
  }
  if (strcmp(how, "thread") == 0) {
    if (pthread_create(&thread, NULL, wait_for_ever, NULL) != 0) return 1;
    if (pthread_create(&thread, NULL, exec_when_others_wait, NULL) != 0) return 1;
    pause();
  }
  if (strcmp(how, "orphan") == 0) {
    if (pthread_create(&thread, NULL, exec_when_alone, NULL) != 0) return 1;
    syscall(SYS_exit, 0);
  }
  if (strcmp(how, "fail") == 0) {
    if (execve("/nonexistent/program", again, environ) == 0 || errno != ENOENT) return 1;
    if (execve("/", again, environ) == 0 || errno != EACCES) return 1;
    return 0;
  }
  fprintf(stderr, "exec_forms: %s did not work\n", how);
  return 1;
}
