// denied KIND [N [M]]: makes getppid, a call that a profile refuses with EPERM, and tells how often
// it did so, and how often it got EPERM: "made 3200 refused 3200".
//   threads N M   N threads, M calls each
//   held N M      as threads, and it ends when its standard input does
//   signals N     N calls of one thread, into which signals come all the time
//   handles FD    one call; the handler of SIGUSR1 writes a byte to FD, and the call goes on after it
//   execs N       10 calls, then execve of itself, N times
//   vforks N      N times a child by vfork makes a call while its parent waits in the kernel
//   daemon N      N calls of a process that was forked twice, while the first is gone already; it
//                 tells nothing
//   killed N      N children of 8 threads each that make calls all the time, each killed in the
//                 middle
//   exits N       N children likewise, of which one thread ends the whole process in the middle
//   forever       32 threads and 4 children make calls until they are killed; tells nothing
// What children that die make is counted in shared memory before each call: "begun", and "made"
// after it.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

struct counts {
  atomic_long begun;
  atomic_long made;
  atomic_long refused;
};

static struct counts* counts;

static void call(void) {
  atomic_fetch_add(&counts->begun, 1);
  const long result = syscall(SYS_getppid);
  if (result == -1 && errno == EPERM) atomic_fetch_add(&counts->refused, 1);
  atomic_fetch_add(&counts->made, 1);
}

static void* some(void* times) {
  for (long i = 0; i < *(long*)times; ++i) call();
  return NULL;
}

static void* all_the_time(void* unused) {
  for (;;) call();
  return unused;
}

static void start_threads(int number, void* (*work)(void*)) {
  for (int i = 0; i < number; ++i) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, NULL) != 0) exit(1);
  }
}

static void wait_for_calls(long more) {
  const long enough = atomic_load(&counts->made) + more;
  while (atomic_load(&counts->made) < enough) {
  }
}

static void threads(long number, long times) {
  pthread_t* ids = calloc((size_t)number, sizeof *ids);
  if (ids == NULL) exit(1);
  for (long i = 0; i < number; ++i) {
    if (pthread_create(&ids[i], NULL, some, &times) != 0) exit(1);
  }
  for (long i = 0; i < number; ++i) pthread_join(ids[i], NULL);
  free(ids);
}

static void on_signal(int signal) { (void)signal; }

static void signals(long times) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  const struct itimerval often = {{0, 200}, {0, 200}};
  setitimer(ITIMER_REAL, &often, NULL);
  some(&times);
  const struct itimerval never = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &never, NULL);
}

static int handles_to;

static void on_usr1(int signal) {
  (void)signal;
  if (write(handles_to, "x", 1) != 1) _exit(3);
}

static void handles(int fd) {
  long once = 1;
  struct sigaction action = {.sa_handler = on_usr1, .sa_flags = SA_RESTART};
  handles_to = fd;
  sigaction(SIGUSR1, &action, NULL);
  some(&once);
}

// What was counted before the execve comes with the arguments.
static void execs(char** argv, long times, long made, long refused) {
  atomic_store(&counts->made, made);
  atomic_store(&counts->refused, refused);
  for (int i = 0; i < 10; ++i) call();
  if (times == 0) return;
  char words[3][24];
  snprintf(words[0], sizeof words[0], "%ld", times - 1);
  snprintf(words[1], sizeof words[1], "%ld", atomic_load(&counts->made));
  snprintf(words[2], sizeof words[2], "%ld", atomic_load(&counts->refused));
  execl("/proc/self/exe", argv[0], "execs", words[0], words[1], words[2], NULL);
  exit(1);
}

static void vforks(long times) {
  for (volatile long i = 0; i < times; ++i) {  // volatile: the child runs in this frame
    const pid_t pid = vfork();
    if (pid == 0) {
      call();
      _exit(0);
    }
    waitpid(pid, NULL, 0);
  }
}

static void daemon_makes(long times) {
  if (fork() != 0) exit(0);
  setsid();
  if (fork() != 0) _exit(0);
  some(&times);
  _exit(0);
}

static void* end_soon(void* unused) {
  wait_for_calls(20);
  _exit(0);
  return unused;
}

static void children(long number, int by_signal) {
  for (long i = 0; i < number; ++i) {
    const pid_t pid = fork();
    if (pid == 0) {
      start_threads(by_signal ? 7 : 6, all_the_time);
      if (!by_signal) start_threads(1, end_soon);
      all_the_time(NULL);
    }
    if (by_signal) {
      wait_for_calls(20);
      kill(pid, SIGKILL);
    }
    if (waitpid(pid, NULL, 0) != pid) exit(1);
  }
}

static void forever(void) {
  for (int i = 0; i < 4; ++i) {
    if (fork() == 0) {
      setsid();
      all_the_time(NULL);
    }
  }
  start_threads(31, all_the_time);
  all_the_time(NULL);
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const long n = argc > 2 ? atol(argv[2]) : 1;
  const long m = argc > 3 ? atol(argv[3]) : 0;
  counts = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (counts == MAP_FAILED) return 1;
  if (strcmp(argv[1], "threads") == 0) {
    threads(n, m);
  } else if (strcmp(argv[1], "held") == 0) {
    threads(n, m);
    char byte;
    while (read(0, &byte, 1) > 0) {
    }
  } else if (strcmp(argv[1], "signals") == 0) {
    signals(n);
  } else if (strcmp(argv[1], "handles") == 0) {
    handles((int)n);
  } else if (strcmp(argv[1], "execs") == 0) {
    execs(argv, n, m, argc > 4 ? atol(argv[4]) : 0);
  } else if (strcmp(argv[1], "vforks") == 0) {
    vforks(n);
  } else if (strcmp(argv[1], "daemon") == 0) {
    daemon_makes(n);
  } else if (strcmp(argv[1], "killed") == 0 || strcmp(argv[1], "exits") == 0) {
    children(n, argv[1][0] == 'k');
    printf("begun %ld ", atomic_load(&counts->begun));
  } else if (strcmp(argv[1], "forever") == 0) {
    forever();
  } else {
    return 2;
  }
  printf("made %ld refused %ld\n", atomic_load(&counts->made), atomic_load(&counts->refused));
  return 0;
}
