/* Runs a libseccomp that is a file: whittle itself is a static program, which can't load one. Part
   of whittle's binary; linked with the C library of the machine, which the file needs too.

     whittle-libseccomp FILE      standard input: the socket; standard output: the filter */
#include <dlfcn.h>
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libseccomp_protocol.h"

static struct {
  __typeof__(&seccomp_version) version;
  __typeof__(&seccomp_api_set) api_set; /* since 2.4; may be missing */
  __typeof__(&seccomp_init) init;
  __typeof__(&seccomp_arch_resolve_name) arch_resolve_name;
  __typeof__(&seccomp_arch_add) arch_add;
  __typeof__(&seccomp_arch_remove) arch_remove;
  __typeof__(&seccomp_syscall_resolve_name) syscall_resolve_name;
  __typeof__(&seccomp_syscall_resolve_name_arch) syscall_resolve_name_arch;
  __typeof__(&seccomp_rule_add_array) rule_add_array;
  __typeof__(&seccomp_export_bpf) export_bpf;
} library;

static scmp_filter_ctx context;

/* The functions of the file; 0 and the reason in `message` when one is missing. */
static int find_functions(const char* file, char* message, size_t size) {
  void* const opened = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (opened == NULL) {
    snprintf(message, size, "%s", dlerror());
    return 0;
  }
  struct {
    const char* name;
    void* pointer;
  } const wanted[] = {
      {"seccomp_version", &library.version},
      {"seccomp_init", &library.init},
      {"seccomp_arch_resolve_name", &library.arch_resolve_name},
      {"seccomp_arch_add", &library.arch_add},
      {"seccomp_arch_remove", &library.arch_remove},
      {"seccomp_syscall_resolve_name", &library.syscall_resolve_name},
      {"seccomp_syscall_resolve_name_arch", &library.syscall_resolve_name_arch},
      {"seccomp_rule_add_array", &library.rule_add_array},
      {"seccomp_export_bpf", &library.export_bpf},
  };
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; ++i) {
    void* const function = dlsym(opened, wanted[i].name);
    if (function == NULL) {
      snprintf(message, size, "it has no %s()", wanted[i].name);
      return 0;
    }
    memcpy(wanted[i].pointer, &function, sizeof function);
  }
  void* const api_set = dlsym(opened, "seccomp_api_set");
  memcpy(&library.api_set, &api_set, sizeof api_set);
  return 1;
}

static int add_rule(const struct whittle_libseccomp_request* request) {
  struct scmp_arg_cmp comparisons[WHITTLE_MOST_CONDITIONS];
  if (request->conditions_given > WHITTLE_MOST_CONDITIONS) return -EINVAL;
  for (uint32_t i = 0; i < request->conditions_given; ++i) {
    comparisons[i].arg = request->conditions[i].index;
    comparisons[i].op = (enum scmp_compare)request->conditions[i].op;
    comparisons[i].datum_a = request->conditions[i].value;
    comparisons[i].datum_b = request->conditions[i].value_two;
  }
  return library.rule_add_array(context, request->action, request->call, request->conditions_given,
                                comparisons);
}

static int answer(const struct whittle_libseccomp_request* request,
                  struct whittle_libseccomp_reply* reply) {
  switch (request->function) {
    case WHITTLE_VERSION: {
      const struct scmp_version* const version = library.version();
      reply->version[0] = (int32_t)version->major;
      reply->version[1] = (int32_t)version->minor;
      reply->version[2] = (int32_t)version->micro;
      return 0;
    }
    case WHITTLE_INIT:
      /* All features, whatever the kernel of this machine has. */
      if (library.api_set != NULL) library.api_set(6);
      context = library.init(request->action);
      return context == NULL ? -EINVAL : 0;
    case WHITTLE_ARCH_RESOLVE_NAME:
      return (int)library.arch_resolve_name(request->name);
    case WHITTLE_ARCH_ADD:
      return library.arch_add(context, request->token);
    case WHITTLE_ARCH_REMOVE:
      return library.arch_remove(context, request->token);
    case WHITTLE_SYSCALL_RESOLVE_NAME:
      return library.syscall_resolve_name(request->name);
    case WHITTLE_SYSCALL_RESOLVE_NAME_ARCH:
      return library.syscall_resolve_name_arch(request->token, request->name);
    case WHITTLE_RULE_ADD_ARRAY:
      return add_rule(request);
    case WHITTLE_EXPORT_BPF:
      return library.export_bpf(context, STDOUT_FILENO);
    default:
      return -ENOSYS;
  }
}

/* A socket of packets: each of ours is sent and taken whole. */
static int send_reply(const struct whittle_libseccomp_reply* reply) {
  return write(STDIN_FILENO, reply, sizeof *reply) == (ssize_t)sizeof *reply;
}

int main(int argc, char** argv) {
  struct whittle_libseccomp_reply reply = {0, {0, 0, 0}, ""};
  if (argc != 2) return 2;
  if (!find_functions(argv[1], reply.message, sizeof reply.message)) reply.result = -ENOENT;
  if (!send_reply(&reply) || reply.result != 0) return 1;
  struct whittle_libseccomp_request request;
  while (read(STDIN_FILENO, &request, sizeof request) == (ssize_t)sizeof request) {
    request.name[sizeof request.name - 1] = '\0';
    reply.result = answer(&request, &reply);
    if (!send_reply(&reply)) return 1;
  }
  return 0;
}
