// crowd [N M]: N processes and threads (1,000 unless told), half of each, many at a time, each
// making M getppid (3) and ending at once; prints "getppid N*M" and "tasks N".
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kAtOnce = 20 };

static long calls_each = 3;

static void* work(void* unused) {
  for (long i = 0; i < calls_each; ++i) syscall(SYS_getppid);
  return unused;
}

int main(int argc, char** argv) {
  const long tasks = argc > 1 ? atol(argv[1]) : 1000;
  if (argc > 2) calls_each = atol(argv[2]);
  long made = 0;
  while (made < tasks) {
    pthread_t threads[kAtOnce];
    int processes = 0;
    int started = 0;
    for (; processes < kAtOnce && made < tasks; ++processes, ++made) {
      const pid_t pid = fork();
      if (pid < 0) return 1;
      if (pid == 0) {
        work(NULL);
        _exit(0);
      }
    }
    for (; started < kAtOnce && made < tasks; ++started, ++made) {
      if (pthread_create(&threads[started], NULL, work, NULL) != 0) return 1;
    }
    for (int i = 0; i < started; ++i) pthread_join(threads[i], NULL);
    for (int i = 0; i < processes; ++i) wait(NULL);
  }
  printf("getppid %ld\ntasks %ld\n", tasks * calls_each, tasks);
  return 0;
}
