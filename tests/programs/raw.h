// System calls without a C library, for programs whose every call is in their source.
#pragma once

#if defined(__x86_64__)

#define RAW_GETPID 39
#define RAW_EXIT_GROUP 231

static inline long raw_call(long nr, long a, long b, long c) {
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(nr), "D"(a), "S"(b), "d"(c)
                   : "rcx", "r11", "memory");
  return result;
}

// The same kernel's 32-bit entry point: numbers and pointers are those of x86.
static inline long raw_call_x86(int nr, int a, int b, int c) {
  int result;
  __asm__ volatile("int $0x80"
                   : "=a"(result)
                   : "a"(nr), "b"(a), "c"(b), "d"(c)
                   : "r8", "r9", "r10", "r11", "memory");
  return result;
}

// The kernel starts a program with argc on top of the stack, and argv above it (System V ABI, AMD64
// supplement, 3.4.1).
#define RAW_START             \
  __asm__(                    \
      ".global _start\n"      \
      "_start:\n"             \
      "  xor %ebp, %ebp\n"    \
      "  mov (%rsp), %rdi\n"  \
      "  lea 8(%rsp), %rsi\n" \
      "  and $-16, %rsp\n"    \
      "  call raw_main\n"     \
      "  hlt\n");

#elif defined(__aarch64__)

#define RAW_GETPID 172
#define RAW_EXIT_GROUP 94

static inline long raw_call(long nr, long a, long b, long c) {
  register long x8 __asm__("x8") = nr;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
  return x0;
}

#define RAW_START          \
  __asm__(                 \
      ".global _start\n"   \
      "_start:\n"          \
      "  ldr x0, [sp]\n"   \
      "  add x1, sp, #8\n" \
      "  b raw_main\n");

#else
#error "no system calls known for this machine"
#endif

void raw_main(long argc, char** argv);
RAW_START
