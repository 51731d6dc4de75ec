// Calls that signals interrupt. Exactly, beside what the C library does to start and end:
//   3 rt_sigreturn
//   2 read: ERESTARTSYS, then restarted by SA_RESTART and good
//   1 pause: ERESTARTNOHAND (EINTR to the program)
//   1 clock_nanosleep: ERESTART_RESTARTBLOCK by SIGSTOP and SIGCONT, then 1 restart_syscall, in a
//   child 1 kill of ourselves with a handler
// Prints "good" when all went as it should.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int ends[2];
static volatile sig_atomic_t handled;

static void handler(int signal) {
  handled = handled + 1;
  if (signal == SIGALRM && write(ends[1], "x", 1) != 1) _exit(1);
}

static void alarm_in(long microseconds) {
  const struct itimerval when = {{0, 0}, {0, microseconds}};
  setitimer(ITIMER_REAL, &when, NULL);
}

// Stopped and continued in the middle of a sleep, without a handler.
static int sleeper_good(void) {
  const pid_t pid = fork();
  if (pid == 0) {
    const struct timespec time = {0, 300000000};
    _exit(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &time, NULL) == 0 ? 0 : 1);
  }
  usleep(100000);
  kill(pid, SIGSTOP);
  int status = 0;
  if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status)) return 0;
  kill(pid, SIGCONT);
  return waitpid(pid, &status, 0) == pid && status == 0;
}

int main(void) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  action.sa_flags = 0;
  sigaction(SIGUSR1, &action, NULL);
  if (pipe(ends) != 0) return 1;
  char byte = 0;
  alarm_in(80000);
  int good = read(ends[0], &byte, 1) == 1 && byte == 'x';
  alarm_in(80000);
  good = pause() == -1 && errno == EINTR && good;
  kill(getpid(), SIGUSR1);
  good = sleeper_good() && good && handled == 3;
  printf("%s\n", good ? "good" : "bad");
  return good ? 0 : 1;
}
