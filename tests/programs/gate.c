// gate COMMAND...: stops itself (SIGSTOP), and executes the command once it is continued. So whoever
// is to watch the command, two watchers even, can attach before its first call.
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  raise(SIGSTOP);
  execvp(argv[1], argv + 1);
  perror(argv[1]);
  return 127;
}
