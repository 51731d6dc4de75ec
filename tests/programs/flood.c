// flood KIND N: N different things of one kind, to fill what a recorder keeps them in.
//   errnos    getppid answered with N errnos, by a filter of its own
//   numbers   N system calls whose numbers no kernel has, from 600 on
//   values    prctl with N options that there are not
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { kMost = 2000 };

// getppid(i) -> errno i, for i of 1 to n; everything else is allowed.
static int answer_with_errnos(int n) {
  static struct sock_filter code[2 * kMost + 8];
  int size = 0;
  code[size++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  code[size++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 1, 0);
  code[size++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  code[size++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]));
  for (int i = 1; i <= n; ++i) {
    code[size++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, i, 0, 1);
    code[size++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | i);
  }
  code[size++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  const struct sock_fprog program = {size, code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char** argv) {
  const int n = argc > 2 ? atoi(argv[2]) : 0;
  if (n < 1 || n > kMost) return 2;
  if (strcmp(argv[1], "errnos") == 0) {
    if (answer_with_errnos(n) != 0) return 1;
    for (int i = 1; i <= n; ++i) syscall(SYS_getppid, i);
  } else if (strcmp(argv[1], "numbers") == 0) {
    for (int i = 0; i < n; ++i) syscall(600 + i);
  } else if (strcmp(argv[1], "values") == 0) {
    for (int i = 0; i < n; ++i) prctl(100000 + i, 0, 0, 0, 0);
  } else {
    return 2;
  }
  return 0;
}
