// Makes the calls that its arguments name, and no others but exit_group:
//   NR:A,B,...      the native call NR with up to six registers, all numbers hexadecimal
//   x86:NR:A,B,...  on x86_64, by the 32-bit entry point, up to five registers; their upper halves
//                   hold what is written here
//   clone3:F,S      clone3 with flags F and exit signal S in its struct
// A register that is not named is 0. A child leaves at once.
#include <asm/unistd.h>

#include "raw.h"

typedef unsigned long word;

static word call_native(word nr, const word* a) {
#if defined(__x86_64__)
  word result;
  register word r10 __asm__("r10") = a[3];
  register word r8 __asm__("r8") = a[4];
  register word r9 __asm__("r9") = a[5];
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register word x8 __asm__("x8") = nr;
  register word x0 __asm__("x0") = a[0];
  register word x1 __asm__("x1") = a[1];
  register word x2 __asm__("x2") = a[2];
  register word x3 __asm__("x3") = a[3];
  register word x4 __asm__("x4") = a[4];
  register word x5 __asm__("x5") = a[5];
  __asm__ volatile("svc #0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
  return x0;
#endif
}

static word call_x86(word nr, const word* a) {
#if defined(__x86_64__)
  word result;
  __asm__ volatile("int $0x80"
                   : "=a"(result)
                   : "a"(nr), "b"(a[0]), "c"(a[1]), "d"(a[2]), "S"(a[3]), "D"(a[4])
                   : "r8", "r9", "r10", "r11", "memory");
  return result & 0xffffffff;
#else
  (void)nr;
  (void)a;
  return 1;
#endif
}

static word number(const char** text) {
  word value = 0;
  for (;; ++*text) {
    const char c = **text;
    if (c >= '0' && c <= '9') {
      value = value << 4 | (word)(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      value = value << 4 | (word)(c - 'a' + 10);
    } else {
      return value;
    }
  }
}

static int starts_with(const char** text, const char* prefix) {
  const char* at = *text;
  for (; *prefix != 0; ++prefix, ++at) {
    if (*at != *prefix) return 0;
  }
  *text = at;
  return 1;
}

static void make(const char* text) {
  const int clone3 = starts_with(&text, "clone3:");
  const int x86 = starts_with(&text, "x86:");
  const word nr = clone3 ? __NR_clone3 : number(&text);
  word registers[6] = {0, 0, 0, 0, 0, 0};
  if (*text == ':') ++text;
  for (int i = 0; i < 6 && *text != 0; ++i) {
    registers[i] = number(&text);
    if (*text == ',') ++text;
  }
  // flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls
  volatile word structure[8] = {registers[0], 0, 0, 0, registers[1], 0, 0, 0};
  if (clone3) {
    registers[0] = (word)structure;
    registers[1] = sizeof(structure);
  }
  const word result = x86 ? call_x86(nr, registers) : call_native(nr, registers);
  const int forks = x86 ? nr == 120 : nr == __NR_clone || nr == __NR_clone3;
  if (forks && result == 0) raw_call(RAW_EXIT_GROUP, 0, 0, 0);
}

void raw_main(long argc, char** argv) {
  for (long i = 1; i < argc; ++i) make(argv[i]);
  raw_call(RAW_EXIT_GROUP, 0, 0, 0);
}
