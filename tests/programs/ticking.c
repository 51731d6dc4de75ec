// ticking [FD]: goes on for ever, every few milliseconds with: getppid in the first thread, getuid in
// a second one, getgid in a child, geteuid in a grandchild that the child makes anew each time.
// SIGTERM ends it with status 7, and the child with it. After each such call its letter is written
// to FD, if there is one: p, u, g, G.
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t ended;
static int tell_to = -1;

static void made(char letter) {
  if (tell_to >= 0 && write(tell_to, &letter, 1) != 1) return;  // full: nobody asks now
}

static void end(int signal) {
  (void)signal;
  ended = 1;
}

static void* second(void* unused) {
  while (!ended) {
    syscall(SYS_getuid);
    made('u');
    usleep(4000);
  }
  return unused;
}

static void child(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);  // it had gone before
  while (1) {
    syscall(SYS_getgid);
    made('g');
    const pid_t pid = fork();
    if (pid == 0) {
      syscall(SYS_geteuid);
      made('G');
      _exit(0);
    }
    waitpid(pid, NULL, 0);
    usleep(4000);
  }
}

int main(int argc, char** argv) {
  if (argc > 1) tell_to = atoi(argv[1]);
  signal(SIGTERM, end);
  const pid_t self = getpid();
  if (fork() == 0) child(self);
  pthread_t thread;
  if (pthread_create(&thread, NULL, second, NULL) != 0) return 1;
  while (!ended) {
    syscall(SYS_getppid);
    made('p');
    usleep(4000);
  }
  return 7;
}
