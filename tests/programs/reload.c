/*
 * A server of two processes: on SIGHUP the first tells the second, a thread of which makes the directory
 * that argv[1] names, and nobody makes one before. It then makes the file that argv[2] names, if that is
 * there, whatever became of the directory. SIGTERM ends both, and what was asked before it is done first:
 * of signals that wait, sigwait() takes the lowest.
 *
 * "serving" comes when each task waits, or is about to wait by a call that has been made before: what it
 * calls up to then does not depend on when it is ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *directory;
static const char *answer;
static int begun[2];

__attribute__((noinline)) static int make_cache(void)
{
	volatile int made = mkdir(directory, 0755); /* no tail call: this frame is to be seen */
	return made;
}

static void *reloader(void *unused)
{
	sigset_t set;
	int signal;

	prctl(PR_SET_NAME, "reloader");
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	if (write(begun[1], "x", 1) != 1)
		return unused;
	while (sigwait(&set, &signal) == 0 && signal == SIGHUP) {
		if (make_cache() != 0 && errno != EEXIST)
			dprintf(2, "reload failed: %s\n", strerror(errno));
		else
			dprintf(1, "reloaded\n");
		if (answer)
			close(open(answer, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	}
	_exit(0);
}

static void run_child(void)
{
	pthread_t thread;
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (pipe(begun) != 0 || pthread_create(&thread, NULL, reloader, NULL) != 0)
		_exit(1);
	if (read(begun[0], &byte, 1) == 1)
		dprintf(1, "serving\n");
	while (read(begun[0], &byte, 1) != 0) /* until the other thread ends both */
		;
	_exit(1);
}

int main(int argc, char **argv)
{
	sigset_t set;
	int signal;
	pid_t child;

	if (argc != 2 && argc != 3)
		return 2;
	directory = argv[1];
	answer = argv[2];
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	child = fork();
	if (child == 0)
		run_child();
	while (sigwait(&set, &signal) == 0 && signal == SIGHUP)
		kill(child, SIGHUP);
	kill(child, SIGTERM);
	waitpid(child, NULL, 0);
	return 0;
}
