// On x86_64, started without arguments: one execve of itself by the 32-bit entry point, into a
// 64-bit image that does exactly exit_group. The number of this execve is that of munmap on x86_64.
#include "raw.h"

#if defined(__x86_64__)
static const char kSelf[] = "/proc/self/exe";
static const char kAgain[] = "again";
// 32-bit pointers. The program is linked below 4 GiB, so they fit.
static unsigned arguments[3];

static int low_half(const void* pointer) { return (int)(unsigned long)pointer; }
#endif

void raw_main(long argc, char** argv) {
  (void)argv;
#if defined(__x86_64__)
  if (argc == 1) {
    arguments[0] = (unsigned)low_half(kSelf);
    arguments[1] = (unsigned)low_half(kAgain);
    raw_call_x86(11, low_half(kSelf), low_half(arguments), 0);
    raw_call(RAW_EXIT_GROUP, 1, 0, 0);
  }
#endif
  (void)argc;
  (void)argv;
  raw_call(RAW_EXIT_GROUP, 0, 0, 0);
}
