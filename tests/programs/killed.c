// Calls that never return, each made once: accept4 in a child that SIGKILL ends, epoll_wait in a
// thread that exit_group of another ends (epoll_pwait where there is no other), and SIGSEGV right
// after a getppid in another child.
#include "in_call.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(SYS_epoll_wait)
#define IN_EPOLL SYS_epoll_wait
#else
#define IN_EPOLL SYS_epoll_pwait
#endif

static atomic_int waiting;  // the thread that waits for events; 0: not yet

static void* wait_for_events(void* unused) {
  struct epoll_event event;
  const int fd = epoll_create1(0);
  atomic_store(&waiting, gettid());
#if defined(SYS_epoll_wait)
  syscall(SYS_epoll_wait, fd, &event, 1, -1);
#else
  syscall(SYS_epoll_pwait, fd, &event, 1, -1, NULL, 0);
#endif
  return unused;
}

static void accept_for_ever(void) {
  const struct sockaddr_un address = {.sun_family = AF_UNIX};
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  bind(fd, (const struct sockaddr*)&address, sizeof address.sun_family);  // any free name
  listen(fd, 1);
  syscall(SYS_accept4, fd, NULL, NULL, 0);
  _exit(1);
}

static void crash(void) {
  prctl(PR_SET_DUMPABLE, 0);
  syscall(SYS_getppid);
  __builtin_trap();
}

int main(void) {
  const pid_t acceptor = fork();
  if (acceptor == 0) accept_for_ever();
  if (!wait_until_in_call(acceptor, acceptor, SYS_accept4)) return 1;
  kill(acceptor, SIGKILL);
  const pid_t crasher = fork();
  if (crasher == 0) crash();
  int status = 0;
  if (waitpid(acceptor, &status, 0) != acceptor || WTERMSIG(status) != SIGKILL) return 1;
  if (waitpid(crasher, &status, 0) != crasher || !WIFSIGNALED(status)) return 1;
  pthread_t thread;
  if (pthread_create(&thread, NULL, wait_for_events, NULL) != 0) return 1;
  while (atomic_load(&waiting) == 0) sched_yield();
  return wait_until_in_call(getpid(), atomic_load(&waiting), IN_EPOLL) ? 0 : 1;
}
