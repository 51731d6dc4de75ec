// One child by each of fork, vfork, clone, posix_spawn and clone3, one thread by clone, each of
// which makes exactly one getppid; prints "getppid 6", or fewer when this kernel or a filter has no
// clone3.
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

static char stack[65536] __attribute__((aligned(16)));

static int child(void* unused) {
  (void)unused;
  syscall(SYS_getppid);
  return 0;
}

static int reaped(pid_t pid) {
  int status = 1;
  return pid > 0 && waitpid(pid, &status, __WALL) == pid && status == 0;
}

static pid_t spawn_self(void) {
  char* arguments[] = {(char*)"forks", (char*)"child", NULL};
  pid_t pid = -1;
  posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ);
  return pid;
}

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "child") == 0) return child(NULL);
  int made = 0;
#if defined(SYS_fork)
  long pid = syscall(SYS_fork);
#else
  long pid = fork();
#endif
  if (pid == 0) _exit(child(NULL));
  made += reaped((pid_t)pid);
  pid = vfork();
  if (pid == 0) {
    syscall(SYS_getppid);
    _exit(0);
  }
  made += reaped((pid_t)pid);
  made += reaped(clone(child, stack + sizeof stack, SIGCHLD, NULL));
  made += reaped(clone(child, stack + sizeof stack, CLONE_VM | CLONE_FILES, NULL));
  made += reaped(spawn_self());
  struct clone_args arguments = {.exit_signal = SIGCHLD, .flags = CLONE_FS};
  pid = syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid == 0) _exit(child(NULL));
  made += reaped((pid_t)pid);
  printf("getppid %d\n", made);
  return 0;
}
