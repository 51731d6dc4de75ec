// Runs a command while a program that does nothing is attached to the recorder's hook:
//   empty_hook empty_hook.bpf.o COMMAND...
#include <bpf/libbpf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t child;

static void pass_on(int signal)
{
	kill(child, signal);
}

int main(int argc, char** argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: empty_hook OBJECT COMMAND...\n");
		return 2;
	}
	struct bpf_object* object = bpf_object__open_file(argv[1], NULL);

	if (!object || bpf_object__load(object) != 0 ||
	    !bpf_program__attach(bpf_object__find_program_by_name(object, "empty"))) {
		fprintf(stderr, "empty_hook: cannot attach %s\n", argv[1]);
		return 3;
	}
	child = fork();
	if (child == 0) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	signal(SIGTERM, pass_on);
	signal(SIGINT, SIG_IGN);
	int status = 0;

	while (waitpid(child, &status, 0) != child) {
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
