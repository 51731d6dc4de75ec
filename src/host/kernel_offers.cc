#include "host/kernel_offers.h"

#include <linux/bpf.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "base/fd.h"
#include "base/file_system.h"
#include "base/text.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

namespace whittle::host {

namespace {

constexpr const char* kBtf = "/sys/kernel/btf/vmlinux";
constexpr const char* kTracepointType = "btf_trace_sys_exit";  // include/trace/bpf_probe.h

// As in <linux/btf.h>, whose kinds and sizes are those of Documentation/bpf/btf.rst.
struct BtfHeader {
  std::uint16_t magic;
  std::uint8_t version;
  std::uint8_t flags;
  std::uint32_t header_size;
  std::uint32_t types_at;
  std::uint32_t types_size;
  std::uint32_t strings_at;
  std::uint32_t strings_size;
};
struct BtfType {
  std::uint32_t name;
  std::uint32_t info;
  std::uint32_t size_or_type;
};
constexpr unsigned kTypedef = 8;

// The bytes behind a type of that kind; nullopt: a kind that is not known.
std::optional<std::size_t> bytes_behind(unsigned kind, std::size_t entries) {
  constexpr std::array<std::uint8_t, 20> kFixed = {0, 4, 0, 12, 0, 0, 0, 0, 0, 0,
                                                   0, 0, 0, 0,  4, 0, 0, 4, 0, 0};
  constexpr std::array<std::uint8_t, 20> kEach = {0, 0, 0, 0, 12, 12, 8, 0, 0, 0,
                                                  0, 0, 0, 8, 0,  12, 0, 0, 0, 12};
  if (kind >= kFixed.size()) return std::nullopt;
  return kFixed.at(kind) + kEach.at(kind) * entries;
}

template <typename T>
T read_at(const std::string& bytes, std::size_t at) {
  T value{};
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

// The number of the typedef of that name; 0: it is not there, or the file is not understood.
std::uint32_t typedef_of(const std::string& btf, std::string_view wanted) {
  if (btf.size() < sizeof(BtfHeader)) return 0;
  const auto header = read_at<BtfHeader>(btf, 0);
  const std::size_t types = std::size_t{header.header_size} + header.types_at;
  const std::size_t end = types + header.types_size;
  const std::size_t strings = std::size_t{header.header_size} + header.strings_at;
  if (header.magic != 0xeb9f || end > btf.size() || strings > btf.size()) return 0;
  std::uint32_t id = 1;
  for (std::size_t at = types; at + sizeof(BtfType) <= end; ++id) {
    const auto type = read_at<BtfType>(btf, at);
    const unsigned kind = type.info >> 24U & 0x1fU;
    const std::size_t name = strings + type.name;
    if (kind == kTypedef && name < btf.size() && wanted == btf.c_str() + name) return id;
    const auto behind = bytes_behind(kind, type.info & 0xffffU);
    if (!behind) return 0;
    at += sizeof(BtfType) + *behind;
  }
  return 0;
}

// Loads `return 0` as a program of that type.
std::optional<std::string> refuses_program(bpf_prog_type type, std::uint32_t btf_id) {
  std::array<bpf_insn, 2> program{};
  program[0].code = BPF_ALU64 | BPF_MOV | BPF_K;  // r0 = 0
  program[1].code = BPF_JMP | BPF_EXIT;
  bpf_attr attr;
  std::memset(&attr, 0, sizeof attr);
  attr.prog_type = type;
  attr.insns = reinterpret_cast<std::uintptr_t>(program.data());
  attr.insn_cnt = program.size();
  attr.license = reinterpret_cast<std::uintptr_t>("GPL");
  if (btf_id != 0) {
    attr.expected_attach_type = BPF_TRACE_RAW_TP;
    attr.attach_btf_id = btf_id;
  }
  const UniqueFd fd(static_cast<int>(::syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr)));
  if (fd.valid()) return std::nullopt;
  return std::string(std::strerror(errno));
}

}  // namespace

std::optional<std::vector<std::string>> seccomp_actions() {
  const auto text = read_file("/proc/sys/kernel/seccomp/actions_avail");
  if (!text) return std::nullopt;
  std::vector<std::string> actions;
  for (std::string& word : split(trim(*text), ' ')) {
    if (!word.empty()) actions.push_back(std::move(word));
  }
  return actions;
}

bool takes_seccomp_flags(unsigned flags) {
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, nullptr) != 0 && errno == EFAULT;
}

bool has_wait_killable() {
  return takes_seccomp_flags(SECCOMP_FILTER_FLAG_NEW_LISTENER |
                             SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
}

bool has_log_flag() { return takes_seccomp_flags(SECCOMP_FILTER_FLAG_LOG); }

std::optional<std::string> refuses_raw_tracepoint() {
  return refuses_program(BPF_PROG_TYPE_RAW_TRACEPOINT, 0);
}

std::optional<std::string> refuses_tp_btf() {
  const auto btf = read_file(kBtf);
  if (!btf) return "no types of the kernel (BTF)";
  const std::uint32_t id = typedef_of(*btf, kTracepointType);
  if (id == 0) return format("no {} among the kernel's types", kTracepointType);
  return refuses_program(BPF_PROG_TYPE_TRACING, id);
}

std::string lockdown() {
  const auto text = read_file("/sys/kernel/security/lockdown");
  if (!text) return {};
  const std::size_t open = text->find('[');
  const std::size_t close = text->find(']');
  if (open == std::string::npos || close == std::string::npos || close < open) return {};
  return text->substr(open + 1, close - open - 1);
}

}  // namespace whittle::host
