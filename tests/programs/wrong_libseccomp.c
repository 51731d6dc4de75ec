/* A libseccomp that goes wrong: its functions answer, and then it crashes when a rule is added. */
#include <stdint.h>
#include <stdlib.h>

struct version {
  unsigned major, minor, micro;
};

const struct version* seccomp_version(void) {
  static const struct version version = {9, 8, 7};
  return &version;
}

void* seccomp_init(uint32_t action) {
  static uint32_t context;
  context = action;
  return &context;
}

uint32_t seccomp_arch_resolve_name(const char* name) { return name[0] != '\0' ? 0xc000003e : 0; }
int seccomp_arch_add(void* context, uint32_t token) { return context != NULL && token != 0 ? 0 : -1; }
int seccomp_arch_remove(void* context, uint32_t token) { return context != NULL && token == 0 ? 0 : -1; }
int seccomp_syscall_resolve_name(const char* name) { return name[0] == 'r' ? 0 : -1; }
int seccomp_syscall_resolve_name_arch(uint32_t token, const char* name) {
  return token != 0 && name[0] == 'r' ? 0 : -1;
}
int seccomp_rule_add_array(void* context, uint32_t action, int call, unsigned count, const void* args) {
  (void)context, (void)action, (void)call, (void)count, (void)args;
  abort();
}
int seccomp_export_bpf(const void* context, int fd) { return context != NULL && fd >= 0 ? 0 : -1; }
