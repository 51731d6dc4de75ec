/*
 * A server of two processes: on SIGHUP the first tells the second, a thread of which makes the directory
 * that argv[1] names, and nobody makes one before. SIGTERM ends both, and what was asked before it is
 * done first: of signals that wait, sigwait() takes the lowest.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *directory;

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
	while (sigwait(&set, &signal) == 0 && signal == SIGHUP) {
		if (make_cache() != 0 && errno != EEXIST)
			dprintf(2, "reload failed: %s\n", strerror(errno));
		else
			dprintf(1, "reloaded\n");
	}
	return unused;
}

static void run_child(void)
{
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pthread_create(&thread, NULL, reloader, NULL);
	dprintf(1, "serving\n");
	pthread_join(thread, NULL);
	_exit(0);
}

int main(int argc, char **argv)
{
	sigset_t set;
	int signal;
	pid_t child;

	if (argc != 2)
		return 2;
	directory = argv[1];
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
