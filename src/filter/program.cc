#include "filter/program.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>

#include "base/text.h"

namespace whittle::filter {

namespace {

using profile::Action;
using profile::Verdict;

constexpr std::size_t kMostInstructions = 4096;  // BPF_MAXINSNS
constexpr std::uint16_t kMostErrno = 4095;       // MAX_ERRNO, include/linux/err.h

enum class Kind { kRefused, kPlain, kMemoryRead, kMemoryWrite, kJump, kBranch, kReturn };

// The instructions that seccomp_check_filter() of kernel/seccomp.c lets through. BPF_MOD and loads
// of bytes and half words are classic BPF, but are not among them.
Kind kind_of(std::uint16_t code) {
  switch (code) {
    case BPF_LD | BPF_W | BPF_ABS:
    case BPF_LD | BPF_W | BPF_LEN:
    case BPF_LDX | BPF_W | BPF_LEN:
    case BPF_LD | BPF_IMM:
    case BPF_LDX | BPF_IMM:
    case BPF_MISC | BPF_TAX:
    case BPF_MISC | BPF_TXA:
    case BPF_ALU | BPF_ADD | BPF_K:  // NOLINT(misc-redundant-expression): both are 0
    case BPF_ALU | BPF_ADD | BPF_X:
    case BPF_ALU | BPF_SUB | BPF_K:
    case BPF_ALU | BPF_SUB | BPF_X:
    case BPF_ALU | BPF_MUL | BPF_K:
    case BPF_ALU | BPF_MUL | BPF_X:
    case BPF_ALU | BPF_DIV | BPF_K:
    case BPF_ALU | BPF_DIV | BPF_X:
    case BPF_ALU | BPF_AND | BPF_K:
    case BPF_ALU | BPF_AND | BPF_X:
    case BPF_ALU | BPF_OR | BPF_K:
    case BPF_ALU | BPF_OR | BPF_X:
    case BPF_ALU | BPF_XOR | BPF_K:
    case BPF_ALU | BPF_XOR | BPF_X:
    case BPF_ALU | BPF_LSH | BPF_K:
    case BPF_ALU | BPF_LSH | BPF_X:
    case BPF_ALU | BPF_RSH | BPF_K:
    case BPF_ALU | BPF_RSH | BPF_X:
    case BPF_ALU | BPF_NEG:
      return Kind::kPlain;
    case BPF_LD | BPF_MEM:
    case BPF_LDX | BPF_MEM:
      return Kind::kMemoryRead;
    case BPF_ST:
    case BPF_STX:
      return Kind::kMemoryWrite;
    case BPF_JMP | BPF_JA:
      return Kind::kJump;
    case BPF_JMP | BPF_JEQ | BPF_K:
    case BPF_JMP | BPF_JEQ | BPF_X:
    case BPF_JMP | BPF_JGE | BPF_K:
    case BPF_JMP | BPF_JGE | BPF_X:
    case BPF_JMP | BPF_JGT | BPF_K:
    case BPF_JMP | BPF_JGT | BPF_X:
    case BPF_JMP | BPF_JSET | BPF_K:
    case BPF_JMP | BPF_JSET | BPF_X:
      return Kind::kBranch;
    case BPF_RET | BPF_K:
    case BPF_RET | BPF_A:
      return Kind::kReturn;
    default:
      return Kind::kRefused;
  }
}

// What is wrong with one instruction taken by itself; nullptr when nothing is.
const char* fault_of(const sock_filter& instruction, std::size_t at, std::size_t size) {
  const std::uint32_t k = instruction.k;
  switch (kind_of(instruction.code)) {
    case Kind::kRefused:
      return "opcode that seccomp does not take";
    case Kind::kPlain:
      if (instruction.code == (BPF_LD | BPF_W | BPF_ABS) &&
          (k >= sizeof(seccomp_data) || k % 4 != 0)) {
        return "load outside of seccomp_data or not aligned";
      }
      if (instruction.code == (BPF_ALU | BPF_DIV | BPF_K) && k == 0) return "division by zero";
      if ((instruction.code == (BPF_ALU | BPF_LSH | BPF_K) ||
           instruction.code == (BPF_ALU | BPF_RSH | BPF_K)) &&
          k >= 32) {
        return "shift by 32 or more";
      }
      return nullptr;
    case Kind::kMemoryRead:
    case Kind::kMemoryWrite:
      return k >= BPF_MEMWORDS ? "memory slot above 15" : nullptr;
    case Kind::kJump:
      return k >= size - at - 1 ? "jump past the end" : nullptr;
    case Kind::kBranch:
      return at + instruction.jt + 1 >= size || at + instruction.jf + 1 >= size
                 ? "branch past the end"
                 : nullptr;
    case Kind::kReturn:
      return nullptr;
  }
  return nullptr;
}

// The first instruction that reads a memory slot which some way to it has not written
// (check_load_and_stores() of net/core/filter.c).
std::optional<std::size_t> unwritten_read(std::span<const sock_filter> program) {
  constexpr std::uint16_t kEverySlot = 0xffff;
  std::vector<std::uint16_t> written_at(program.size(), kEverySlot);
  std::uint16_t written = 0;
  for (std::size_t at = 0; at < program.size(); ++at) {
    const sock_filter& instruction = program[at];
    written &= written_at[at];
    const auto slot = static_cast<std::uint16_t>(1U << (instruction.k % BPF_MEMWORDS));
    switch (kind_of(instruction.code)) {
      case Kind::kMemoryWrite:
        written |= slot;
        break;
      case Kind::kMemoryRead:
        if ((written & slot) == 0) return at;
        break;
      case Kind::kJump:
        written_at[at + 1 + instruction.k] &= written;
        written = kEverySlot;
        break;
      case Kind::kBranch:
        written_at[at + 1 + instruction.jt] &= written;
        written_at[at + 1 + instruction.jf] &= written;
        written = kEverySlot;
        break;
      case Kind::kPlain:
      case Kind::kReturn:
      case Kind::kRefused:
        break;
    }
  }
  return std::nullopt;
}

std::uint32_t load(const seccomp_data& data, std::uint32_t offset) {
  if (offset == offsetof(seccomp_data, nr)) return static_cast<std::uint32_t>(data.nr);
  if (offset == offsetof(seccomp_data, arch)) return data.arch;
  const std::uint64_t whole = offset < offsetof(seccomp_data, args)
                                  ? data.instruction_pointer
                                  : data.args[(offset - offsetof(seccomp_data, args)) / 8];
  return static_cast<std::uint32_t>(offset % 8 == 0 ? whole : whole >> 32U);
}

// SECCOMP_RET_* of a program that check() found good.
std::uint32_t run(std::span<const sock_filter> program, const seccomp_data& data) {
  std::uint32_t a = 0;
  std::uint32_t x = 0;
  std::array<std::uint32_t, BPF_MEMWORDS> memory{};
  for (std::size_t at = 0;; ++at) {
    const auto& [code, jt, jf, k] = program[at];
    switch (BPF_CLASS(code)) {
      case BPF_LD:
      case BPF_LDX: {
        const std::uint32_t value = BPF_MODE(code) == BPF_ABS   ? load(data, k)
                                    : BPF_MODE(code) == BPF_MEM ? memory[k]
                                    : BPF_MODE(code) == BPF_LEN ? sizeof(seccomp_data)
                                                                : k;
        (BPF_CLASS(code) == BPF_LD ? a : x) = value;
        break;
      }
      case BPF_ST:
        memory[k] = a;
        break;
      case BPF_STX:
        memory[k] = x;
        break;
      case BPF_ALU: {
        const auto result = alu(code, a, BPF_SRC(code) == BPF_X ? x : k);
        if (!result) return 0;
        a = *result;
        break;
      }
      case BPF_JMP:
        if (BPF_OP(code) == BPF_JA) {
          at += k;
        } else {
          at += branch_taken(code, a, BPF_SRC(code) == BPF_X ? x : k) ? jt : jf;
        }
        break;
      case BPF_RET:
        return BPF_RVAL(code) == BPF_A ? a : k;
      default:  // BPF_MISC
        (BPF_MISCOP(code) == BPF_TAX ? x : a) = BPF_MISCOP(code) == BPF_TAX ? a : x;
        break;
    }
  }
}

std::int32_t severity(std::uint32_t return_value) {
  return static_cast<std::int32_t>(return_value & SECCOMP_RET_ACTION_FULL);
}

}  // namespace

bool same_program(const Program& a, const Program& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const sock_filter& x, const sock_filter& y) {
                      return x.code == y.code && x.jt == y.jt && x.jf == y.jf && x.k == y.k;
                    });
}

std::optional<std::uint32_t> alu(std::uint16_t code, std::uint32_t a, std::uint32_t operand) {
  switch (BPF_OP(code)) {
    case BPF_ADD:
      return a + operand;
    case BPF_SUB:
      return a - operand;
    case BPF_MUL:
      return a * operand;
    case BPF_DIV:
      if (operand == 0) return std::nullopt;
      return a / operand;
    case BPF_AND:
      return a & operand;
    case BPF_OR:
      return a | operand;
    case BPF_XOR:
      return a ^ operand;
    case BPF_LSH:
      return a << (operand & 31U);
    case BPF_RSH:
      return a >> (operand & 31U);
    default:  // BPF_NEG
      return 0U - a;
  }
}

bool branch_taken(std::uint16_t code, std::uint32_t a, std::uint32_t operand) {
  switch (BPF_OP(code)) {
    case BPF_JEQ:
      return a == operand;
    case BPF_JGT:
      return a > operand;
    case BPF_JGE:
      return a >= operand;
    default:
      return (a & operand) != 0;
  }
}

seccomp_data call(syscalls::Arch arch, std::uint32_t nr, const Arguments& args) {
  seccomp_data data{};
  data.nr = static_cast<int>(nr);
  data.arch = syscalls::audit_arch(arch);
  for (std::size_t i = 0; i < 6; ++i) data.args[i] = args[i];
  return data;
}

Verdict verdict_of(std::uint32_t return_value) {
  const auto data = static_cast<std::uint16_t>(return_value & SECCOMP_RET_DATA);
  switch (return_value & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_KILL_THREAD:
      return {Action::kKillThread, 0};
    case SECCOMP_RET_TRAP:
      return {Action::kTrap, data};
    case SECCOMP_RET_ERRNO:
      return {Action::kErrno, std::min(data, kMostErrno)};
    case SECCOMP_RET_USER_NOTIF:
      return {Action::kNotify, 0};
    case SECCOMP_RET_TRACE:
      return {Action::kTrace, data};
    case SECCOMP_RET_LOG:
      return {Action::kLog, 0};
    case SECCOMP_RET_ALLOW:
      return {Action::kAllow, 0};
    default:
      return {Action::kKillProcess, 0};
  }
}

Result<void> check(std::span<const sock_filter> program) {
  const auto refuse = [](std::string what) {
    return input_error("the kernel would not load this filter: " + std::move(what));
  };
  if (program.empty()) return refuse("it is empty");
  if (program.size() > kMostInstructions) {
    return refuse(format("{} instructions, the most are {}", program.size(), kMostInstructions));
  }
  for (std::size_t at = 0; at < program.size(); ++at) {
    if (const char* fault = fault_of(program[at], at, program.size())) {
      return refuse(format("instruction {}: {}", at, fault));
    }
  }
  if (kind_of(program.back().code) != Kind::kReturn) return refuse("no return at its end");
  if (const auto at = unwritten_read(program)) {
    return refuse(format("instruction {}: read of a memory slot that was not written", *at));
  }
  return {};
}

Result<Verdict> evaluate(std::span<const sock_filter> program, const seccomp_data& data) {
  TRY(check(program));
  return evaluate_checked(program, data);
}

Verdict evaluate_checked(std::span<const sock_filter> program, const seccomp_data& data) {
  return verdict_of(run(program, data));
}

Result<Verdict> evaluate_all(std::span<const Program> filters, const seccomp_data& data) {
  std::uint32_t worst = SECCOMP_RET_ALLOW;
  for (const Program& program : filters) {
    TRY(check(program));
    const std::uint32_t value = run(program, data);
    if (severity(value) < severity(worst)) worst = value;
  }
  return verdict_of(worst);
}

}  // namespace whittle::filter
