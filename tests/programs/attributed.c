/*
 * A container of the attribution test, which makes calls that only container N makes: prctl with
 * operations that no kernel knows. "start N MILLISECONDS": prctl(10000 + N) first of all, then
 * prctl(30000 + N) in one child after the other until the time is over. "exec N": prctl(20000 + N).
 */
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	int number = atoi(argv[2]);

	if (strcmp(argv[1], "exec") == 0) {
		prctl(20000 + number, 0, 0, 0, 0);
		return 0;
	}
	prctl(10000 + number, 0, 0, 0, 0); /* the start: made once */
	if (write(1, "started\n", 8) != 8)
		return 1;
	int rounds = argc > 3 ? atoi(argv[3]) / 20 : 0;
	struct timespec pause = {0, 20000000};

	for (int i = 0; i < rounds; i++) {
		pid_t child = fork();

		if (child == 0) {
			prctl(30000 + number, 0, 0, 0, 0);
			_exit(0);
		}
		waitpid(child, NULL, 0);
		nanosleep(&pause, NULL);
	}
	return 0;
}
