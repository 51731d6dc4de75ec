// Makes one cheap system call in a loop and prints the nanoseconds that one took: the best of
// several rounds.
//   loop plain      getppid: no argument is recorded
//   loop argument   prctl with one option: recorded, and always the same
//   loop values     prctl with four options in turn
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char** argv)
{
	const long calls = 40000;
	const char* kind = argc > 1 ? argv[1] : "plain";
	const long options[4] = {PR_GET_DUMPABLE, PR_GET_KEEPCAPS, PR_GET_NO_NEW_PRIVS, PR_GET_SECCOMP};
	const long number = strcmp(kind, "plain") == 0 ? SYS_getppid : SYS_prctl;
	const long step = strcmp(kind, "values") == 0 ? 1 : 0;
	double best = 1e18;

	for (int round = 0; round < 20; round++) {
		struct timespec start, end;

		clock_gettime(CLOCK_MONOTONIC, &start);
		for (long i = 0; i < calls; i++)
			syscall(number, options[i * step & 3], 0, 0, 0, 0);
		clock_gettime(CLOCK_MONOTONIC, &end);
		double ns = (end.tv_sec - start.tv_sec) * 1e9 + (end.tv_nsec - start.tv_nsec);

		if (ns / calls < best)
			best = ns / calls;
	}
	printf("%.1f\n", best);
	return 0;
}
