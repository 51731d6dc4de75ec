// Exactly: on x86_64 getpid of the x32 ABI, which most kernels answer with ENOSYS; exit_group.
#include "raw.h"

void raw_main(long argc, char** argv) {
  (void)argc;
  (void)argv;
#if defined(__x86_64__)
  raw_call(RAW_GETPID | 0x40000000, 0, 0, 0);
#endif
  raw_call(RAW_EXIT_GROUP, 0, 0, 0);
}
