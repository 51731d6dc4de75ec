// raw32_exec PROGRAM [ARGUMENT...]: a 32-bit program. One getpid, then execve of PROGRAM; without one,
// exit. No C library.
#define CALL(result, number, a, b, c) \
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory")

__attribute__((used)) static void begin(long* stack) {
  const long argc = stack[0];
  char** argv = (char**)(stack + 1);
  long result;
  CALL(result, 20, 0, 0, 0);  // getpid
  if (argc > 1) CALL(result, 11, argv[1], argv + 1, argv + argc + 1);
  CALL(result, 1, argc > 1, 0, 0);
}

__asm__(
    ".globl _start\n"
    "_start: mov %esp, %eax\n"
    "push %eax\n"
    "call begin\n");
