// Calls with known argument values, by syscall(2) so that the registers hold what is written here.
// The kernel looks at the low 32 bits of an int; what is above is rubbish or a sign in some of
// them:
//   socket       (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) with rubbish above, (AF_INET, SOCK_DGRAM,
//   0) socketpair   (AF_UNIX, SOCK_DGRAM, 0) setsockopt   (SOL_SOCKET, SO_KEEPALIVE), (-1, -2)
//   sign-extended, which fails prctl        PR_GET_DUMPABLE with rubbish above, PR_GET_NAME
//   personality  0xffffffff (asks only), sign-extended and not
//   unshare      CLONE_FILES, CLONE_FS
//   clone        CLONE_FILES | SIGCHLD with rubbish above, on x86_64
//   ioctl        300 different requests on -1, which fail
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUBBISH 0xdeadbeef00000000UL

int main(void) {
  const int on = 1;
  int pair[2];
  char name[16];
  const long fd =
      syscall(SYS_socket, RUBBISH | AF_UNIX, RUBBISH | SOCK_STREAM | SOCK_CLOEXEC, RUBBISH);
  if (fd < 0 || syscall(SYS_socket, AF_INET, SOCK_DGRAM, 0) < 0) return 1;
  if (syscall(SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0, pair) != 0) return 2;
  if (syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) != 0) return 3;
  if (syscall(SYS_setsockopt, fd, -1L, -2L, &on, sizeof on) == 0) return 4;
  if (syscall(SYS_prctl, RUBBISH | PR_GET_DUMPABLE, 0, 0, 0, 0) < 0) return 5;
  if (syscall(SYS_prctl, PR_GET_NAME, name, 0, 0, 0) != 0) return 6;
  if (syscall(SYS_personality, 0xffffffffUL) != syscall(SYS_personality, -1L)) return 7;
  if (syscall(SYS_unshare, CLONE_FILES) != 0 || syscall(SYS_unshare, CLONE_FS) != 0) return 8;
#if defined(__x86_64__)
  const long pid = syscall(SYS_clone, RUBBISH | CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
#else
  const long pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
#endif
  if (pid == 0) _exit(0);
  if (pid < 0 || waitpid((pid_t)pid, NULL, 0) != pid) return 9;
  for (long request = 1; request <= 300; ++request) syscall(SYS_ioctl, -1L, request, 0);
  return 0;
}
