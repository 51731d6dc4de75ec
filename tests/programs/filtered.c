// Calls that a seccomp filter of the program itself answers, each made once:
//   getppid   by TRAP, in a child with a handler for SIGSYS
//   getuid    by KILL_THREAD, in a thread of a child
//   getgid    by KILL_PROCESS, in another child
//   geteuid   by ERRNO (EOWNERDEAD)
//   getegid   by LOG: it is made
// Prints "good" when all went as it should.
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t trapped;

static void on_trap(int signal) { trapped = signal; }

static int load_filter(void) {
#define ANSWER(nr, action)                                            \
  (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), \
      (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action)
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      ANSWER(SYS_getppid, SECCOMP_RET_TRAP),
      ANSWER(SYS_getuid, SECCOMP_RET_KILL_THREAD),
      ANSWER(SYS_getgid, SECCOMP_RET_KILL_PROCESS),
      ANSWER(SYS_geteuid, SECCOMP_RET_ERRNO | EOWNERDEAD),
      ANSWER(SYS_getegid, SECCOMP_RET_LOG),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog program = {sizeof code / sizeof code[0], code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void* die_alone(void* unused) {
  syscall(SYS_getuid);
  return unused;
}

static int child_status(void (*what)(void)) {
  int status = 0;
  const pid_t pid = fork();
  if (pid == 0) {
    what();
    _exit(9);
  }
  return waitpid(pid, &status, 0) == pid ? status : -1;
}

static void trap(void) {
  signal(SIGSYS, on_trap);
  syscall(SYS_getppid);
  _exit(trapped == SIGSYS ? 7 : 8);
}

static void kill_thread(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, die_alone, NULL) != 0) _exit(1);
  pthread_join(thread, NULL);
  _exit(7);
}

static void kill_process(void) { syscall(SYS_getgid); }

int main(void) {
  if (load_filter() != 0) return 1;
  const int trap_status = child_status(trap);
  const int thread_status = child_status(kill_thread);
  const int process_status = child_status(kill_process);
  const int errno_seen = syscall(SYS_geteuid) == -1 ? errno : 0;
  const int logged = syscall(SYS_getegid) >= 0;
  if (WEXITSTATUS(trap_status) != 7 || WEXITSTATUS(thread_status) != 7) return 2;
  if (WTERMSIG(process_status) != SIGSYS || errno_seen != EOWNERDEAD || !logged) return 3;
  puts("good");
  return 0;
}
