// Calls that signals interrupt, each sent when the call is under way. Exactly, beside what the C
// library does to start, to end and to make a thread:
//   3 rt_sigreturn
//   2 read: ERESTARTSYS, then restarted by SA_RESTART and good
//   1 pause: ERESTARTNOHAND (EINTR to the program)
//   1 poll: ERESTART_RESTARTBLOCK by SIGSTOP and SIGCONT, then 1 restart_syscall, in a child; where
//   there is no poll, futex
//   1 kill of ourselves with a handler
// Prints "good" when all went as it should.
#include "in_call.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(SYS_pause)
#define IN_PAUSE SYS_pause
#else
#define IN_PAUSE SYS_ppoll
#endif

static int ends[2];
static volatile sig_atomic_t handled;

static void handler(int signal) {
  handled = handled + 1;
  if (signal == SIGALRM && write(ends[1], "x", 1) != 1) _exit(1);
}

// Interrupts the first thread in its read and in its pause.
static void* interrupt(void* unused) {
  if (!wait_until_in_call(getpid(), getpid(), SYS_read)) _exit(1);
  syscall(SYS_tgkill, getpid(), getpid(), SIGALRM);
  if (!wait_until_in_call(getpid(), getpid(), IN_PAUSE)) _exit(1);
  syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
  return unused;
}

#if defined(SYS_poll)
#define IN_WAIT SYS_poll

static int wait_for_go(atomic_int* unused) {
  (void)unused;
  struct pollfd polled = {ends[0], POLLIN, 0};
  return syscall(SYS_poll, &polled, 1, 60000) == 1;
}

static void go(atomic_int* unused) {
  (void)unused;
  if (write(ends[1], "x", 1) != 1) _exit(1);
}
#else
#define IN_WAIT SYS_futex

static int wait_for_go(atomic_int* word) {
  const struct timespec time = {60, 0};
  return syscall(SYS_futex, word, FUTEX_WAIT, 0, &time, NULL, 0) == 0;
}

static void go(atomic_int* word) {
  atomic_store(word, 1);
  syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}
#endif

// Stopped and continued in the middle of a wait with a limit, without a handler.
static int waiter_good(void) {
  atomic_int* word = mmap(NULL, sizeof *word, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (word == MAP_FAILED) return 0;
  const pid_t pid = fork();
  if (pid == 0) _exit(wait_for_go(word) ? 0 : 1);
  if (!wait_until_in_call(pid, pid, IN_WAIT)) return 0;
  kill(pid, SIGSTOP);
  int status = 0;
  if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status)) return 0;
  kill(pid, SIGCONT);
  if (!wait_until_in_call(pid, pid, SYS_restart_syscall)) return 0;
  go(word);
  return waitpid(pid, &status, 0) == pid && status == 0;
}

int main(void) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  action.sa_flags = 0;
  sigaction(SIGUSR1, &action, NULL);
  pthread_t thread;
  if (pipe(ends) != 0 || pthread_create(&thread, NULL, interrupt, NULL) != 0) return 1;
  char byte = 0;
  int good = read(ends[0], &byte, 1) == 1 && byte == 'x';
  good = pause() == -1 && errno == EINTR && good;
  pthread_join(thread, NULL);
  kill(getpid(), SIGUSR1);
  good = waiter_good() && good && handled == 3;
  printf("%s\n", good ? "good" : "bad");
  return good ? 0 : 1;
}
