#include "record/import_parameters.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "record/import_values.h"

namespace whittle::record {

namespace {

// Names: of the kernel's SYSCALL_DEFINE, then of the manual page.
struct Parameter {
  std::string_view syscall;
  std::uint8_t index;
  std::array<std::string_view, 3> names;
  std::string_view prefix;
};

constexpr std::array kParameters = {
    Parameter{"arch_prctl", 0, {"option", "code", "op"}, "ARCH_"},
    Parameter{"bpf", 0, {"cmd", "", ""}, "BPF_"},
    Parameter{"clone", 0, {"clone_flags", "flags", ""}, "CLONE_"},
    Parameter{"fcntl", 1, {"cmd", "op", ""}, "F_"},
    Parameter{"fcntl64", 1, {"cmd", "op", ""}, "F_"},
    Parameter{"futex", 1, {"op", "futex_op", ""}, "FUTEX_"},
    Parameter{"getsockopt", 1, {"level", "", ""}, "SOL_"},
    Parameter{"getsockopt", 2, {"optname", "", ""}, "SO_"},
    Parameter{"io_uring_register", 1, {"opcode", "op", ""}, "IORING_"},
    Parameter{"ioctl", 1, {"cmd", "request", "op"}, ""},
    Parameter{"keyctl", 0, {"option", "operation", "cmd"}, "KEYCTL_"},
    Parameter{"kill", 1, {"sig", "", ""}, "SIG"},
    Parameter{"madvise", 2, {"behavior", "advice", ""}, "MADV_"},
    Parameter{"memfd_create", 1, {"flags", "", ""}, "MFD_"},
    Parameter{"mmap", 2, {"prot", "", ""}, "PROT_"},
    Parameter{"mmap", 3, {"flags", "", ""}, "MAP_"},
    Parameter{"mount", 3, {"flags", "mountflags", ""}, "MS_"},
    Parameter{"mprotect", 2, {"prot", "", ""}, "PROT_"},
    Parameter{"mremap", 3, {"flags", "", ""}, "MREMAP_"},
    Parameter{"perf_event_open", 4, {"flags", "", ""}, "PERF_FLAG_"},
    Parameter{"personality", 0, {"personality", "persona", ""}, ""},
    Parameter{"pidfd_send_signal", 1, {"sig", "", ""}, "SIG"},
    Parameter{"pkey_mprotect", 2, {"prot", "", ""}, "PROT_"},
    Parameter{"prctl", 0, {"option", "op", ""}, "PR_"},
    Parameter{"prlimit64", 1, {"resource", "", ""}, "RLIMIT_"},
    Parameter{"process_madvise", 3, {"behavior", "advice", ""}, "MADV_"},
    Parameter{"ptrace", 0, {"request", "op", ""}, "PTRACE_"},
    Parameter{"rt_sigqueueinfo", 1, {"sig", "", ""}, "SIG"},
    Parameter{"rt_tgsigqueueinfo", 2, {"sig", "", ""}, "SIG"},
    Parameter{"seccomp", 0, {"op", "operation", ""}, "SECCOMP_"},
    Parameter{"seccomp", 1, {"flags", "", ""}, "SECCOMP_FILTER_FLAG_"},
    Parameter{"setns", 1, {"flags", "nstype", ""}, "CLONE_"},
    Parameter{"setsockopt", 1, {"level", "", ""}, "SOL_"},
    Parameter{"setsockopt", 2, {"optname", "", ""}, "SO_"},
    Parameter{"socket", 0, {"family", "domain", ""}, "AF_"},
    Parameter{"socket", 1, {"type", "", ""}, "SOCK_"},
    Parameter{"socket", 2, {"protocol", "proto", ""}, "IPPROTO_"},
    Parameter{"socketpair", 0, {"family", "domain", ""}, "AF_"},
    Parameter{"socketpair", 1, {"type", "", ""}, "SOCK_"},
    Parameter{"socketpair", 2, {"protocol", "proto", ""}, "IPPROTO_"},
    Parameter{"tgkill", 2, {"sig", "", ""}, "SIG"},
    Parameter{"tkill", 1, {"sig", "", ""}, "SIG"},
    Parameter{"umount2", 1, {"flags", "", ""}, ""},
    Parameter{"unshare", 0, {"unshare_flags", "flags", ""}, "CLONE_"},
    Parameter{"userfaultfd", 0, {"flags", "", ""}, ""},
};

const Parameter* find_parameter(std::string_view syscall, std::uint8_t index) {
  const auto* const found =
      std::find_if(kParameters.begin(), kParameters.end(), [&](const Parameter& parameter) {
        return parameter.syscall == syscall && parameter.index == index;
      });
  return found == kParameters.end() ? nullptr : found;
}

std::optional<std::string> text_by_name(const Parameter& parameter, const NamedText& text_of) {
  for (const std::string_view name : parameter.names) {
    if (name.empty()) continue;
    if (auto text = text_of(name)) return text;
  }
  return std::nullopt;
}

}  // namespace

void fill_named(Call& call, std::string_view name, const NamedText& text_of, Absent absent,
                ImportSink& sink) {
  for (const syscalls::ArgumentSpec& spec : syscalls::argument_specs(call.arch, name)) {
    if (spec.in_struct) {
      sink.unread_argument(format("the struct of {} is not in it", name), {});
      continue;
    }
    for (const std::uint8_t index : spec.indexes) {
      const auto bit = static_cast<std::uint8_t>(1U << index);
      const Parameter* parameter = find_parameter(name, index);
      const auto text =
          parameter == nullptr ? std::optional<std::string>() : text_by_name(*parameter, text_of);
      if (!text) {
        if (absent == Absent::kOpen || parameter == nullptr) call.any |= bit;
        if (absent == Absent::kUnread) {
          sink.unread_argument(format("argument {} of {} is missing", index, name), {});
          call.unread |= bit;
        }
      } else if (const auto value = read_value(*text, parameter->prefix)) {
        call.args.at(index) = *value;
      } else {
        sink.unread_argument(format("argument {} of {} is not known", index, name), *text);
        call.unread |= bit;
      }
    }
  }
}

}  // namespace whittle::record
