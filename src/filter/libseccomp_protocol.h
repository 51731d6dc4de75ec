/* What whittle and libseccomp_program.c, which runs another build of libseccomp, say to each other
   over a socket: a request and its reply, both of fixed size, one at a time. The program speaks
   first: a reply that says whether it has the library. */
#ifndef WHITTLE_LIBSECCOMP_PROTOCOL_H
#define WHITTLE_LIBSECCOMP_PROTOCOL_H

#include <stdint.h>

/* The function of libseccomp that is called: seccomp_version(3), ... */
enum whittle_libseccomp_function {
  WHITTLE_VERSION,
  WHITTLE_INIT,
  WHITTLE_ARCH_RESOLVE_NAME,
  WHITTLE_ARCH_ADD,
  WHITTLE_ARCH_REMOVE,
  WHITTLE_SYSCALL_RESOLVE_NAME,
  WHITTLE_SYSCALL_RESOLVE_NAME_ARCH,
  WHITTLE_RULE_ADD_ARRAY,
  WHITTLE_EXPORT_BPF, /* to the program's standard output */
};

/* One more than libseccomp takes, so that it can refuse them itself. */
#define WHITTLE_MOST_CONDITIONS 7

struct whittle_libseccomp_condition {
  uint32_t index;
  uint32_t op; /* enum scmp_compare */
  uint64_t value;
  uint64_t value_two;
};

struct whittle_libseccomp_request {
  uint32_t function;
  uint32_t token;  /* of an architecture */
  uint32_t action; /* SCMP_ACT_* */
  int32_t call;
  uint32_t conditions_given;
  char name[108]; /* ends with a NUL */
  struct whittle_libseccomp_condition conditions[WHITTLE_MOST_CONDITIONS];
};

struct whittle_libseccomp_reply {
  int32_t result;     /* what the function returned; 0 for those that return none */
  int32_t version[3]; /* major, minor, micro */
  char message[240];  /* of the first reply: why the library can't be used; ends with a NUL */
};

#endif
