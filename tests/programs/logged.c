// logged NAME [N]: calls that a filter loaded with the LOG flag answers and the kernel writes audit
// records of, each made once but for the first, made N times (1 unless told). NAME becomes the name
// of the process.
//   getppid        by LOG
//   geteuid        by ERRNO (EOWNERDEAD)
//   getuid         by TRAP, in a child with a handler for SIGSYS
//   getpgid        by TRACE, which nobody traces, and getsid by USER_NOTIF, which nobody hears
//   getgid         by KILL_THREAD, in a thread of a child
//   getegid        by KILL_PROCESS, in another child
//   getpid         by LOG through the 32-bit entry point of x86_64, and by its x32 number
// Prints its process id, then "good" when all went as it should.
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define X32_GETPID (0x40000000 | 39)
#define X86_GETPID 20

static volatile sig_atomic_t trapped;

static void on_trap(int signal) { trapped = signal; }

static long load_filter(void) {
#define ANSWER(nr, action)                                            \
  (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), \
      (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action)
  struct sock_filter code[] = {
#if defined(__x86_64__)
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_I386, 0, 4),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    ANSWER(X86_GETPID, SECCOMP_RET_LOG),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
#endif
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#if defined(__x86_64__)
    ANSWER(X32_GETPID, SECCOMP_RET_LOG),
#endif
    ANSWER(SYS_getppid, SECCOMP_RET_LOG),
    ANSWER(SYS_geteuid, SECCOMP_RET_ERRNO | EOWNERDEAD),
    ANSWER(SYS_getuid, SECCOMP_RET_TRAP),
    ANSWER(SYS_getpgid, SECCOMP_RET_TRACE),
    ANSWER(SYS_getsid, SECCOMP_RET_USER_NOTIF),
    ANSWER(SYS_getgid, SECCOMP_RET_KILL_THREAD),
    ANSWER(SYS_getegid, SECCOMP_RET_KILL_PROCESS),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog program = {sizeof code / sizeof code[0], code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &program);
}

static void* die_alone(void* unused) {
  syscall(SYS_getgid);
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
  syscall(SYS_getuid);
  _exit(trapped == SIGSYS ? 7 : 8);
}

static void kill_thread(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, die_alone, NULL) != 0) _exit(1);
  pthread_join(thread, NULL);
  _exit(7);
}

static void kill_process(void) { syscall(SYS_getegid); }

static void other_abis(void) {
#if defined(__x86_64__)
  long result = X86_GETPID;
  __asm__ volatile("int $0x80" : "+a"(result) : : "r8", "r9", "r10", "r11", "memory");
  syscall(X32_GETPID);
#endif
}

int main(int argc, char** argv) {
  if (argc < 2) return 64;
  const long times = argc > 2 ? atol(argv[2]) : 1;
  prctl(PR_SET_NAME, argv[1]);
  printf("%d\n", (int)getpid());
  fflush(stdout);
  if (load_filter() != 0) return 1;
  for (long i = 0; i < times; ++i) syscall(SYS_getppid);
  const int refused = syscall(SYS_geteuid) == -1 ? errno : 0;
  const int untraced = syscall(SYS_getpgid, 0) == -1 ? errno : 0;
  const int unheard = syscall(SYS_getsid, 0) == -1 ? errno : 0;
  const int trap_status = child_status(trap);
  const int thread_status = child_status(kill_thread);
  const int process_status = child_status(kill_process);
  other_abis();
  if (refused != EOWNERDEAD || untraced != ENOSYS || unheard != ENOSYS) return 2;
  if (WEXITSTATUS(trap_status) != 7 || WEXITSTATUS(thread_status) != 7) return 3;
  if (!WIFSIGNALED(process_status) || WTERMSIG(process_status) != SIGSYS) return 4;
  puts("good");
  return 0;
}
