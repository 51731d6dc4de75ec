/* Starts N threads that wait; when standard input ends each thread, the first too, calls getppid once. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *wait_and_call(void *unused)
{
	char byte;

	(void)unused;
	while (read(0, &byte, 1) > 0) {
	}
	syscall(SYS_getppid);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[64];
	int count = argc > 1 ? atoi(argv[1]) : 0;

	if (count < 0 || count > 64)
		return 2;
	for (int i = 0; i < count; i++)
		pthread_create(&threads[i], NULL, wait_and_call, NULL);
	puts("ready");
	fflush(stdout);
	wait_and_call(NULL);
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
