// The program that tries the attack steps, from inside, under the filter: whittle starts it,
// natively or in a container. It makes no system call but the steps', write and exit_group, so that
// a profile needs to allow no more than that: no C library, no heap, no start-up code.
//
// argv[1] is the first call of probe_calls.inc to make and argv[2] the one after the last. For
// each it writes a line to descriptor 1, all numbers in hexadecimal after "0x":
//
//   CALL AUDIT_ARCH NUMBER A0 A1 A2 A3 A4 A5 RESULT
//
// up to A5 before the call and the rest after it: a line without a result names the call that did
// not return.
#include <asm/unistd.h>
#include <linux/audit.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum entry { NATIVE, INT80, X32 };

struct call {
  enum entry entry;
  long number;
  long arguments[6];
};

// Set by the kernel in the child alone (CLONE_CHILD_SETTID): a result of 0 does not tell a child, a
// filter can answer 0 too.
static volatile int child_tid;

#define CHILD_SETTID 0x01000000L
#define SIGNAL_CHILD 17L

// struct clone_args of include/uapi/linux/sched.h, its first 64 bytes.
static const unsigned long clone3_arguments[8] = {
    0x10000000L | CHILD_SETTID,  // flags: CLONE_NEWUSER
    0,                           // pidfd
    (unsigned long)&child_tid,
    0,             // parent_tid
    SIGNAL_CHILD,  // exit_signal
    0,             // stack: the parent's, copied
    0,
    0,  // tls
};

// struct perf_event_attr of include/uapi/linux/perf_event.h, its first 64 bytes.
static const unsigned long perf_attributes[8] = {1 | 64UL << 32};  // PERF_TYPE_SOFTWARE, and its size

// struct file_handle of include/linux/fs.h: 8 bytes, of FILEID_INVALID.
static const unsigned file_handle[4] = {8, 0xff};

#define FILE_HANDLE (long)file_handle
#define CLONE3_ARGUMENTS (long)clone3_arguments
#define PERF_ATTRIBUTES (long)perf_attributes
#define ROOT_PATH (long)"/"
// Where child_tid stands differs by architecture (clone(2)).
#if defined(__x86_64__)
#define NATIVE_AUDIT_ARCH AUDIT_ARCH_X86_64
#define CLONE_ARGUMENTS(flags) (flags) | CHILD_SETTID | SIGNAL_CHILD, 0, 0, (long)&child_tid, 0, 0
#elif defined(__aarch64__)
#define NATIVE_AUDIT_ARCH AUDIT_ARCH_AARCH64
#define CLONE_ARGUMENTS(flags) (flags) | CHILD_SETTID | SIGNAL_CHILD, 0, 0, 0, (long)&child_tid, 0
#endif

#define __NR_syscall_999 999
#define NUMBER_NATIVE(name) __NR_##name
#define NUMBER_X32(name) (X32_BIT | __NR_##name)
#define X32_BIT 0x40000000L
// Of the 32-bit table: arch/x86/entry/syscalls/syscall_32.tbl.
#define NUMBER_INT80(name) I386_NR_##name
#define I386_NR_getpid 20
#define I386_NR_socketcall 102

static const struct call calls[] = {
#define CALL(step, entry, same, capability, name, label, ...) {entry, NUMBER_##entry(name), {__VA_ARGS__}},
#include "probe_calls.inc"
#undef CALL
};

#if defined(__x86_64__)

static long native(long number, const long* a) {
  register long r10 __asm__("r10") = a[3];
  register long r8 __asm__("r8") = a[4];
  register long r9 __asm__("r9") = a[5];
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

// With the three arguments that any call here has at most.
static long int80(long number, const long* a) {
  long result;
  __asm__ volatile("int $0x80"
                   : "=a"(result)
                   : "a"(number), "b"(a[0]), "c"(a[1]), "d"(a[2]), "S"(0L), "D"(0L)
                   : "r8", "r9", "r10", "r11", "memory");
  return (int)result;
}

#elif defined(__aarch64__)

static long native(long number, const long* a) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a[0];
  register long x1 __asm__("x1") = a[1];
  register long x2 __asm__("x2") = a[2];
  register long x3 __asm__("x3") = a[3];
  register long x4 __asm__("x4") = a[4];
  register long x5 __asm__("x5") = a[5];
  __asm__ volatile("svc #0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
  return x0;
}

#endif

static void end_program(void) {
  const long arguments[6] = {0};
  native(__NR_exit_group, arguments);
  native(__NR_exit, arguments);  // exit_group was refused
  __builtin_trap();
}

// One line, built up and written in two parts.
static char text[256];
static unsigned long length;

static void put_number(unsigned long value) {
  text[length++] = '0';
  text[length++] = 'x';
  int shift = 60;
  while (shift > 0 && value >> shift == 0) shift -= 4;
  for (; shift >= 0; shift -= 4) text[length++] = "0123456789abcdef"[value >> shift & 15];
}

static void write_text(void) {
  const long arguments[6] = {1, (long)text, (long)length, 0, 0, 0};
  native(__NR_write, arguments);
  length = 0;
}

static void announce(unsigned long index, unsigned long arch, unsigned long number,
                     const long* arguments) {
  put_number(index);
  text[length++] = ' ';
  put_number(arch);
  text[length++] = ' ';
  put_number(number);
  for (int i = 0; i < 6; ++i) {
    text[length++] = ' ';
    put_number((unsigned long)arguments[i]);
  }
  write_text();
}

static long make(unsigned long index, const struct call* call) {
#if defined(__x86_64__)
  if (call->entry == INT80) {
    announce(index, AUDIT_ARCH_I386, (unsigned long)call->number, call->arguments);
    return int80(call->number, call->arguments);
  }
#endif
  announce(index, NATIVE_AUDIT_ARCH, (unsigned long)call->number, call->arguments);
  const long result = native(call->number, call->arguments);
  // modify_ldt returns an int in the low half (arch/x86/kernel/ldt.c).
  return (unsigned long)result >> 12 == 0xfffff ? (int)result : result;
}

static unsigned long decimal(const char* digits) {
  unsigned long value = 0;
  for (; *digits >= '0' && *digits <= '9'; ++digits) {
    value = value * 10 + (unsigned long)(*digits - '0');
  }
  return value;
}

// `stack` is what the kernel puts there: argc, then the pointers of argv.
__attribute__((used)) void probe_main(const long* stack) {
  const unsigned long first = stack[0] > 2 ? decimal((const char*)stack[2]) : 0;
  const unsigned long end = stack[0] > 2 ? decimal((const char*)stack[3]) : 0;
  for (unsigned long i = first; i < end && i < COUNT(calls); ++i) {
    const long result = make(i, &calls[i]);
    if (child_tid != 0) end_program();
    text[length++] = ' ';
    put_number((unsigned long)result);
    text[length++] = '\n';
    write_text();
  }
  end_program();
}

#if defined(__x86_64__)
__asm__(
    ".global _start\n"
    "_start:\n"
    "  mov %rsp, %rdi\n"
    "  and $-16, %rsp\n"
    "  call probe_main\n");
#elif defined(__aarch64__)
__asm__(
    ".global _start\n"
    "_start:\n"
    "  mov x0, sp\n"
    "  bl probe_main\n");
#endif
