#include "record/stopped_task.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <vector>

#include "base/file_system.h"
#include "base/text.h"
#include "record/process_tree.h"
#include "syscalls/arch.h"

namespace whittle::record {

namespace {

constexpr std::size_t kStackBytes = 32U << 10U;

#if defined(__x86_64__)

// The kernel gives the registers of a task that runs 32-bit code in the form of i386
// (arch/x86/kernel/ptrace.c: task_user_regset_view()).
struct Registers32 {
  std::uint32_t ebx, ecx, edx, esi, edi, ebp, eax, ds, es, fs, gs, orig_eax, eip, cs, eflags, esp;
  std::uint32_t ss;
};

std::uint64_t take_registers(const char* bytes, std::size_t size, CapturedStack& captured) {
  captured.code32 = size == sizeof(Registers32);
  if (captured.code32) {
    Registers32 values;
    std::memcpy(&values, bytes, sizeof values);
    captured.address = values.eip;
    const std::uint32_t numbered[] = {values.eax, values.ecx, values.edx, values.ebx,
                                      values.esp, values.ebp, values.esi, values.edi};
    std::copy(std::begin(numbered), std::end(numbered), captured.registers.begin());
    return values.esp;
  }
  user_regs_struct values = {};
  std::memcpy(&values, bytes, std::min(size, sizeof values));
  captured.address = values.rip;
  const unsigned long long numbered[] = {values.rax, values.rdx, values.rcx, values.rbx,
                                         values.rsi, values.rdi, values.rbp, values.rsp,
                                         values.r8,  values.r9,  values.r10, values.r11,
                                         values.r12, values.r13, values.r14, values.r15};
  std::copy(std::begin(numbered), std::end(numbered), captured.registers.begin());
  return values.rsp;
}

#elif defined(__aarch64__)

std::uint64_t take_registers(const char* bytes, std::size_t size, CapturedStack& captured) {
  user_regs_struct values = {};
  std::memcpy(&values, bytes, std::min(size, sizeof values));
  captured.address = values.pc;
  std::copy(std::begin(values.regs), std::end(values.regs), captured.registers.begin());
  captured.registers[stack_register(Machine::kAarch64)] = values.sp;
  return values.sp;
}

#endif

// By pages, as the reading ends with the first piece that is not all there (process_vm_readv(2)).
std::string read_memory(pid_t tid, std::uint64_t address, std::size_t size) {
  constexpr std::uint64_t kPage = 4096;
  std::vector<iovec> pieces;
  for (std::uint64_t at = address; at < address + size;) {
    const std::uint64_t end = std::min((at / kPage + 1) * kPage, address + size);
    pieces.push_back({reinterpret_cast<void*>(at), end - at});  // NOLINT: theirs
    at = end;
  }
  std::string bytes(size, '\0');
  const iovec local = {bytes.data(), size};
  const ssize_t got = ::process_vm_readv(tid, &local, 1, pieces.data(), pieces.size(), 0);
  bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return bytes;
}

// One of the numbers of a line of /proc/PID/status: "Uid" has four.
std::optional<std::uint64_t> status_number(pid_t task, std::string_view key, std::size_t place,
                                           int base) {
  const auto words = split(status_field(task, key), '\t');
  if (place >= words.size() || words[place].empty()) return std::nullopt;
  std::uint64_t value = 0;
  const char* end = words[place].data() + words[place].size();
  const auto parsed = std::from_chars(words[place].data(), end, value, base);
  return parsed.ptr == end ? std::optional(value) : std::nullopt;
}

std::string link_target(const std::string& path) {
  std::string target(4096, '\0');
  const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
  target.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return target;
}

// The capabilities that a file permits to whoever starts it (capabilities(7)).
std::uint64_t file_capabilities(const std::string& path) {
  vfs_ns_cap_data data = {};
  const ssize_t size = ::getxattr(path.c_str(), "security.capability", &data, sizeof data);
  // Revision 2 or, with a user namespace that it is for, 3.
  if (size < static_cast<ssize_t>(XATTR_CAPS_SZ_2)) return 0;
  return data.data[0].permitted | (std::uint64_t{data.data[1].permitted} << 32U);
}

bool got_all(pid_t tid, const std::string& executable, const struct stat& file) {
  constexpr std::size_t kEffective = 1;  // real, effective, saved, file system
  if ((file.st_mode & S_ISUID) != 0 &&
      status_number(tid, "Uid", kEffective, 10).value_or(file.st_uid) != file.st_uid) {
    return false;
  }
  const bool set_group = (file.st_mode & S_ISGID) != 0 && (file.st_mode & S_IXGRP) != 0;
  if (set_group && status_number(tid, "Gid", kEffective, 10).value_or(file.st_gid) != file.st_gid) {
    return false;
  }
  const std::uint64_t wanted =
      file_capabilities(executable) & status_number(tid, "CapBnd", 0, 16).value_or(0);
  return (wanted & ~status_number(tid, "CapPrm", 0, 16).value_or(wanted)) == 0;
}

}  // namespace

std::string comm_of(pid_t task) {
  const auto comm = read_file(format("/proc/{}/comm", task), 64);
  return comm ? printable(trim(*comm)) : std::string();
}

CapturedStack capture_stack(pid_t tid) {
  CapturedStack captured;
  captured.pid = tid;
  std::array<char, 1024> bytes{};
  iovec registers = {bytes.data(), bytes.size()};
  if (::ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &registers) != 0) return captured;
  const std::uint64_t top = take_registers(bytes.data(), registers.iov_len, captured);
  captured.stack = read_memory(tid, top, kStackBytes);
  return captured;
}

CapturedStack capture_waiting_stack(pid_t tid, std::uint64_t address, bool x86) {
  CapturedStack captured;
  captured.pid = tid;
  captured.address = address;
  // "NR ARG0 ... ARG5 SP PC", or a word: it runs.
  const auto text = read_file(format("/proc/{}/syscall", tid), 512);
  const auto words = split(text ? trim(*text) : std::string_view(), ' ');
  if (words.size() != 9 || !words[7].starts_with("0x")) return captured;
  std::uint64_t stack = 0;
  std::from_chars(words[7].data() + 2, words[7].data() + words[7].size(), stack, 16);
  // 64-bit code may make 32-bit calls, too, but its stack is high up.
  captured.code32 = x86 && address <= UINT32_MAX && stack <= UINT32_MAX;
  const Machine machine = captured.code32                                     ? Machine::kX86
                          : syscalls::host_arch() == syscalls::Arch::kAarch64 ? Machine::kAarch64
                                                                              : Machine::kX86_64;
  captured.registers[stack_register(machine)] = stack;
  captured.stack = read_memory(tid, stack, kStackBytes);
  return captured;
}

std::string privilege_lost_at_exec(pid_t tid, bool own_restriction) {
  const std::string executable = format("/proc/{}/exe", tid);
  struct stat file = {};
  if (::stat(executable.c_str(), &file) != 0 || got_all(tid, executable, file)) return {};
  struct statvfs system = {};
  const bool nosuid =
      ::statvfs(executable.c_str(), &system) == 0 && (system.f_flag & ST_NOSUID) != 0;
  const bool elsewhere =
      link_target(format("/proc/{}/ns/user", tid)) != link_target("/proc/self/ns/user");
  if (nosuid || elsewhere || own_restriction) return {};
  return printable(link_target(executable));
}

bool has_no_new_privileges(pid_t task) {
  return status_number(task, "NoNewPrivs", 0, 10).value_or(0) != 0;
}

}  // namespace whittle::record
