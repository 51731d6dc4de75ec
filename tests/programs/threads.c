// threads N M: N threads make M getppid each; prints "getppid N*M".
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static long calls_each;

static void* work(void* unused) {
  for (long i = 0; i < calls_each; ++i) syscall(SYS_getppid);
  return unused;
}

int main(int argc, char** argv) {
  const long count = argc > 1 ? atol(argv[1]) : 4;
  calls_each = argc > 2 ? atol(argv[2]) : 100;
  pthread_t* threads = calloc((size_t)count, sizeof *threads);
  if (threads == NULL) return 1;
  for (long i = 0; i < count; ++i) {
    if (pthread_create(&threads[i], NULL, work, NULL) != 0) return 1;
  }
  for (long i = 0; i < count; ++i) pthread_join(threads[i], NULL);
  free(threads);
  printf("getppid %ld\n", count * calls_each);
  return 0;
}
