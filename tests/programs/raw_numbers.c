// Exactly: calls that no table has a name for (numbers 5000 to 6999, each once), number -1,
// exit_group.
#include "raw.h"

void raw_main(long argc, char** argv) {
  (void)argc;
  (void)argv;
  raw_call(-1, 0, 0, 0);
  for (long nr = 5000; nr < 7000; ++nr) raw_call(nr, 0, 0, 0);
  raw_call(RAW_EXIT_GROUP, 0, 0, 0);
}
