#include "filter/stub.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>

namespace whittle::filter {

namespace {

// The ABIs that share an AUDIT_ARCH value.
struct Section {
  std::uint32_t audit_arch = 0;
  std::uint32_t plain = 0;  // the newest number without the x32 bit; 0: the ABI names no call
  std::uint32_t x32 = 0;    // with it
  std::size_t start = 0;    // of its code, counted in instructions from the end of the stub
};

constexpr sock_filter kLoadNumber{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)};
constexpr sock_filter kLoadArch{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, arch)};
constexpr sock_filter kReturnEnosys{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ENOSYS};

sock_filter jump(std::size_t skip) {
  return {BPF_JMP | BPF_JA, 0, 0, static_cast<std::uint32_t>(skip)};
}

sock_filter branch(unsigned operation, std::uint32_t k, std::size_t taken, std::size_t not_taken) {
  return {static_cast<std::uint16_t>(BPF_JMP | operation | BPF_K), static_cast<std::uint8_t>(taken),
          static_cast<std::uint8_t>(not_taken), k};
}

std::vector<Section> sections_of(std::span<const NewestCall> newest) {
  std::vector<Section> sections;
  for (const NewestCall& call : newest) {
    auto section = std::find_if(sections.begin(), sections.end(), [&call](const Section& s) {
      return s.audit_arch == call.audit_arch;
    });
    if (section == sections.end()) {
      section = sections.insert(section, {call.audit_arch, 0, 0, 0});
    }
    (call.x32 ? section->x32 : section->plain) = call.nr;
  }
  return sections;
}

// The code for one AUDIT_ARCH value. It stands `after` instructions before the filter, and the last
// of those returns ENOSYS.
Program code_of(const Section& section, std::uint32_t x86_64, std::size_t after) {
  Program code = {kLoadNumber};
  if (section.plain != 0 && section.x32 != 0) {
    code.push_back(branch(BPF_JSET, syscalls::kX32Bit, 1, 0));
    code.push_back(branch(BPF_JGT, section.plain, after + 1, 1));
    code.push_back(branch(BPF_JGT, section.x32, after, 0));
  } else {
    // Where two ABIs share the value, the one that names no call is left to the filter.
    if (section.audit_arch == x86_64) {
      const bool plain = section.plain != 0;
      code.push_back(branch(BPF_JSET, syscalls::kX32Bit, plain ? 1 : 0, plain ? 0 : 1));
    }
    code.push_back(branch(BPF_JGT, std::max(section.plain, section.x32), after, 0));
  }
  code.push_back(jump(after));
  return code;
}

}  // namespace

bool has_stub(const profile::Verdict& default_verdict) {
  return !default_verdict.allows() && default_verdict.action != profile::Action::kTrace;
}

Program enosys_stub(std::span<const NewestCall> newest) {
  auto sections = sections_of(newest);
  const std::uint32_t x86_64 = syscalls::audit_arch(syscalls::Arch::kX86_64);
  // From the end to the start: every jump is counted from the end. A dozen ABIs of five
  // instructions each: no jump comes near the 255 that a branch can skip.
  Program stub = {jump(1), kReturnEnosys};
  const auto prepend = [&stub](const Program& code) {
    stub.insert(stub.begin(), code.begin(), code.end());
  };
  for (Section& section : sections) {
    if (section.plain == 0 && section.x32 == 0) continue;
    prepend(code_of(section, x86_64, stub.size()));
    section.start = stub.size();
  }
  prepend({jump(stub.size())});  // other architectures: the filter knows what to do
  for (const Section& section : sections) {
    prepend({branch(BPF_JEQ, section.audit_arch, stub.size() - section.start, 0)});
  }
  prepend({kLoadArch});
  return stub;
}

}  // namespace whittle::filter
