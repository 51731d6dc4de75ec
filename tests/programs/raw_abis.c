// Exactly: getpid by the native entry point, on x86_64 getpid by the 32-bit one, exit_group.
#include "raw.h"

void raw_main(long argc, char** argv) {
  (void)argc;
  (void)argv;
  raw_call(RAW_GETPID, 0, 0, 0);
#if defined(__x86_64__)
  raw_call_x86(20, 0, 0, 0);  // getpid
#endif
  raw_call(RAW_EXIT_GROUP, 0, 0, 0);
}
