// A child that no tracer can follow (CLONE_UNTRACED), which makes one getppid.
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
  const long pid = syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) {
    syscall(SYS_getppid);
    _exit(0);
  }
  int status = 1;
  return pid > 0 && waitpid((pid_t)pid, &status, 0) == pid && status == 0 ? 0 : 1;
}
