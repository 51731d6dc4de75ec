#include "filter/program.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <random>

#include "filter/random_program.h"

namespace whittle::filter {
namespace {

using profile::Action;
using profile::Verdict;
using syscalls::Arch;

constexpr sock_filter stmt(std::uint16_t code, std::uint32_t k) { return {code, 0, 0, k}; }
constexpr sock_filter kRetA = stmt(BPF_RET | BPF_A, 0);

std::uint32_t ret_errno(std::uint16_t errnum) { return SECCOMP_RET_ERRNO | errnum; }

// The verdict of a program with the given first arguments.
Verdict verdict(const Program& program, Arguments args = {}) {
  const auto result = evaluate(program, call(Arch::kX86_64, 39, args));
  EXPECT_TRUE(result) << result.error().text();
  return result.value_or(Verdict{Action::kKillProcess, 0xdead});
}

std::string refusal(const Program& program) {
  const auto result = check(program);
  return result ? "" : result.error().message;
}

// The accumulator after `body`, seen through RET A as an errno (values up to 4095).
int accumulator(std::vector<sock_filter> body, Arguments args = {}) {
  body.push_back(stmt(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO));
  body.push_back(kRetA);
  return verdict(body, args).data;
}

TEST(Evaluate, LoadsEveryWord) {
  seccomp_data data{};
  data.nr = 0x101;
  data.arch = 0x202;
  data.instruction_pointer = 0x0000030400000303U;
  for (std::uint64_t i = 0; i < 6; ++i) data.args[i] = (0x500 + i) << 32U | (0x400 + i);
  const std::uint16_t expected[] = {0x101, 0x202, 0x303, 0x304, 0x400, 0x500, 0x401, 0x501,
                                    0x402, 0x502, 0x403, 0x503, 0x404, 0x504, 0x405, 0x505};
  for (std::uint32_t i = 0; i < 16; ++i) {
    const Program program = {stmt(BPF_LD | BPF_W | BPF_ABS, i * 4),
                             stmt(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO), kRetA};
    EXPECT_EQ(evaluate(program, data)->data, expected[i]) << "word " << i;
  }
}

TEST(Evaluate, Arithmetic) {
  const auto with = [](std::uint16_t op, std::uint32_t a, std::uint32_t operand) {
    const int by_constant = accumulator(
        {stmt(BPF_LD | BPF_IMM, a), stmt(static_cast<std::uint16_t>(BPF_ALU | op), operand)});
    const int by_register =
        accumulator({stmt(BPF_LD | BPF_IMM, a), stmt(BPF_LDX | BPF_IMM, operand),
                     stmt(static_cast<std::uint16_t>(BPF_ALU | op | BPF_X), 0)});
    EXPECT_EQ(by_constant, by_register);
    return by_constant;
  };
  EXPECT_EQ(with(BPF_ADD, 40, 2), 42);
  EXPECT_EQ(with(BPF_SUB, 44, 2), 42);
  EXPECT_EQ(with(BPF_MUL, 21, 2), 42);
  EXPECT_EQ(with(BPF_DIV, 85, 2), 42);
  EXPECT_EQ(with(BPF_AND, 0xfa, 0x2f), 0x2a);
  EXPECT_EQ(with(BPF_OR, 0x28, 0x02), 0x2a);
  EXPECT_EQ(with(BPF_XOR, 0xff, 0xd5), 0x2a);
  EXPECT_EQ(with(BPF_LSH, 21, 1), 42);
  EXPECT_EQ(with(BPF_RSH, 84, 1), 42);
  EXPECT_EQ(accumulator({stmt(BPF_LD | BPF_IMM, UINT32_MAX - 41), stmt(BPF_ALU | BPF_NEG, 0)}), 42);
  // By a register, shifts count the low five bits.
  EXPECT_EQ(accumulator({stmt(BPF_LD | BPF_IMM, 21), stmt(BPF_LDX | BPF_IMM, 33),
                         stmt(BPF_ALU | BPF_LSH | BPF_X, 0)}),
            42);
}

TEST(Evaluate, DivisionByARegisterThatIsZeroKills) {
  const Program program = {stmt(BPF_LD | BPF_IMM, 1), stmt(BPF_ALU | BPF_DIV | BPF_X, 0),
                           stmt(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  EXPECT_EQ(verdict(program), (Verdict{Action::kKillThread, 0}));
}

TEST(Evaluate, RegistersMemoryAndLengths) {
  EXPECT_EQ(accumulator({stmt(BPF_LD | BPF_W | BPF_LEN, 0)}), 64);
  EXPECT_EQ(accumulator({stmt(BPF_LDX | BPF_W | BPF_LEN, 0), stmt(BPF_MISC | BPF_TXA, 0)}), 64);
  EXPECT_EQ(accumulator({stmt(BPF_LD | BPF_IMM, 7), stmt(BPF_ST, 15), stmt(BPF_LD | BPF_IMM, 0),
                         stmt(BPF_LD | BPF_MEM, 15)}),
            7);
  EXPECT_EQ(accumulator({stmt(BPF_LD | BPF_IMM, 7), stmt(BPF_MISC | BPF_TAX, 0), stmt(BPF_STX, 3),
                         stmt(BPF_LD | BPF_IMM, 0), stmt(BPF_LD | BPF_MEM, 3)}),
            7);
  EXPECT_EQ(accumulator({stmt(BPF_LD | BPF_IMM, 7), stmt(BPF_ST, 0), stmt(BPF_LDX | BPF_MEM, 0),
                         stmt(BPF_LD | BPF_IMM, 0), stmt(BPF_MISC | BPF_TXA, 0)}),
            7);
}

TEST(Evaluate, Branches) {
  const auto taken = [](std::uint16_t op, std::uint32_t a, std::uint32_t operand) {
    const auto ends = [&](std::uint16_t source, std::uint32_t k) {
      return verdict({stmt(BPF_LD | BPF_IMM, a),
                      stmt(BPF_LDX | BPF_IMM, operand),
                      {static_cast<std::uint16_t>(BPF_JMP | op | source), 1, 0, k},
                      stmt(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
                      stmt(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)})
                 .action == Action::kAllow;
    };
    EXPECT_EQ(ends(BPF_K, operand), ends(BPF_X, ~operand));
    return ends(BPF_K, operand);
  };
  EXPECT_TRUE(taken(BPF_JEQ, 5, 5));
  EXPECT_FALSE(taken(BPF_JEQ, 5, 6));
  EXPECT_TRUE(taken(BPF_JGT, 0x80000000U, 1));  // unsigned
  EXPECT_FALSE(taken(BPF_JGT, 5, 5));
  EXPECT_TRUE(taken(BPF_JGE, 5, 5));
  EXPECT_FALSE(taken(BPF_JGE, 4, 5));
  EXPECT_TRUE(taken(BPF_JSET, 6, 4));
  EXPECT_FALSE(taken(BPF_JSET, 6, 9));
}

TEST(VerdictOf, ActionsAndData) {
  EXPECT_EQ(verdict_of(SECCOMP_RET_ALLOW | 5), (Verdict{Action::kAllow, 0}));
  EXPECT_EQ(verdict_of(SECCOMP_RET_LOG), (Verdict{Action::kLog, 0}));
  EXPECT_EQ(verdict_of(SECCOMP_RET_TRACE | 9), (Verdict{Action::kTrace, 9}));
  EXPECT_EQ(verdict_of(SECCOMP_RET_USER_NOTIF), (Verdict{Action::kNotify, 0}));
  EXPECT_EQ(verdict_of(SECCOMP_RET_ERRNO | 38), (Verdict{Action::kErrno, 38}));
  EXPECT_EQ(verdict_of(SECCOMP_RET_ERRNO | 0xffff), (Verdict{Action::kErrno, 4095}));
  EXPECT_EQ(verdict_of(SECCOMP_RET_TRAP | 3), (Verdict{Action::kTrap, 3}));
  EXPECT_EQ(verdict_of(SECCOMP_RET_KILL_THREAD), (Verdict{Action::kKillThread, 0}));
  EXPECT_EQ(verdict_of(SECCOMP_RET_KILL_PROCESS), (Verdict{Action::kKillProcess, 0}));
  EXPECT_EQ(verdict_of(0x12340000U), (Verdict{Action::kKillProcess, 0}));
}

TEST(EvaluateAll, MostSevereWinsAndOfEqualOnesTheNewest) {
  const auto of = [](const std::vector<std::uint32_t>& returns) {
    std::vector<Program> filters;
    filters.reserve(returns.size());
    for (const std::uint32_t value : returns) filters.push_back({stmt(BPF_RET | BPF_K, value)});
    return *evaluate_all(filters, call(Arch::kX86_64, 0, {}));
  };
  EXPECT_EQ(of({}).action, Action::kAllow);
  EXPECT_EQ(of({SECCOMP_RET_ALLOW, SECCOMP_RET_LOG}).action, Action::kLog);
  EXPECT_EQ(of({ret_errno(1), ret_errno(38)}).data, 1);
  const std::uint32_t severe_to_mild[] = {
      SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO,
      SECCOMP_RET_USER_NOTIF,   SECCOMP_RET_TRACE,       SECCOMP_RET_LOG,  SECCOMP_RET_ALLOW};
  for (std::size_t i = 0; i + 1 < std::size(severe_to_mild); ++i) {
    EXPECT_EQ(of({severe_to_mild[i + 1], severe_to_mild[i]}), verdict_of(severe_to_mild[i]));
    EXPECT_EQ(of({severe_to_mild[i], severe_to_mild[i + 1]}), verdict_of(severe_to_mild[i]));
  }
}

TEST(Check, RefusesWhatTheKernelRefuses) {
  constexpr sock_filter kAllow = stmt(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  EXPECT_EQ(refusal({kAllow}), "");
  EXPECT_NE(refusal({}), "");
  EXPECT_NE(refusal(Program(4097, kAllow)), "");
  EXPECT_EQ(refusal(Program(4096, kAllow)), "");
  EXPECT_NE(refusal({stmt(BPF_LD | BPF_IMM, 1)}), "");  // no return
  const sock_filter bad[] = {
      stmt(BPF_LD | BPF_W | BPF_ABS, 64),
      stmt(BPF_LD | BPF_W | BPF_ABS, 2),
      stmt(BPF_LD | BPF_H | BPF_ABS, 0),
      stmt(BPF_ALU | BPF_MOD | BPF_K, 2),
      stmt(BPF_ALU | BPF_DIV | BPF_K, 0),
      stmt(BPF_ALU | BPF_LSH | BPF_K, 32),
      stmt(BPF_ST, 16),
      stmt(BPF_LD | BPF_MEM, 0),
      stmt(BPF_JMP | BPF_JA, 1),
      {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0},
      stmt(BPF_RET | BPF_X, 0),
      stmt(0xffff, 0),
  };
  for (const sock_filter& instruction : bad) {
    EXPECT_NE(refusal({instruction, kAllow}), "") << instruction.code;
  }
  // One of two ways to a read leaves its slot unwritten.
  EXPECT_NE(refusal({{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0},
                     stmt(BPF_ST, 0),
                     stmt(BPF_LD | BPF_MEM, 0),
                     kAllow}),
            "");
}

// What the kernel made of a program and of one call under it.
struct Outcome {
  bool loaded = false;
  Verdict verdict;
};

// The verdict by what the call did: getppid succeeds when nothing stopped it.
Verdict verdict_of_child(int status) {
  if (WIFSIGNALED(status)) {
    return {WTERMSIG(status) == SIGSYS ? Action::kKillThread : Action::kKillProcess, 0};
  }
  const int code = WEXITSTATUS(status);
  return code == 0 ? Verdict{Action::kAllow, 0}
                   : Verdict{Action::kErrno, static_cast<std::uint16_t>(code)};
}

// REQUIRES: `program` lets every call but getppid pass.
Outcome ask_kernel(const Program& program, const Arguments& args) {
  // Not fork(3): ThreadSanitizer starts a thread in the child, and kill_thread would spare it.
  const pid_t child = ::_Fork();
  if (child == 0) {
    const sock_fprog load{static_cast<unsigned short>(program.size()),
                          const_cast<sock_filter*>(program.data())};
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &load) != 0) ::_exit(255);
    const long result =
        ::syscall(SYS_getppid, args[0], args[1], args[2], args[3], args[4], args[5]);
    ::_exit(result > 0 ? 0 : errno);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 255) return {};
  return {true, verdict_of_child(status)};
}

// Lets every call but getppid pass, and asks `body` about that one.
Program only_getppid(const Program& body) {
  Program program = {stmt(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                     {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, SYS_getppid},
                     stmt(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  program.insert(program.end(), body.begin(), body.end());
  return program;
}

TEST(Evaluate, AgreesWithTheKernelOnRandomPrograms) {
  std::mt19937 random(8);
  int loaded = 0;
  int refused = 0;
  int stopped = 0;
  for (int round = 0; round < 400; ++round) {
    const Program program = only_getppid(random_program([&random] { return random() & 0xffU; }));
    Arguments args{};
    for (std::uint64_t& arg : args) arg = random() % 4 == 0 ? random() : random() % 8;
    const bool takes = check(program).has_value();
    ++(takes ? loaded : refused);
    const Outcome outcome = ask_kernel(program, args);
    ASSERT_EQ(outcome.loaded, takes) << "round " << round << ": " << refusal(program);
    if (!takes) continue;
    // The child's C library has a random instruction pointer, unknown to the evaluator.
    const bool looks_at_ip = std::any_of(program.begin(), program.end(), [](const auto& insn) {
      return insn.code == (BPF_LD | BPF_W | BPF_ABS) && (insn.k == 8 || insn.k == 12);
    });
    if (looks_at_ip) continue;
    Verdict expected = *evaluate(program, call(syscalls::host_arch(), SYS_getppid, args));
    // Seen from outside, the deadly verdicts are one, and so are those that let the call through.
    // Trace without a tracer is ENOSYS; so is notify without a listener.
    switch (expected.action) {
      case Action::kKillProcess:
      case Action::kTrap:
        expected = {Action::kKillThread, 0};
        break;
      case Action::kLog:
        expected = {Action::kAllow, 0};
        break;
      case Action::kTrace:
      case Action::kNotify:
        expected = {Action::kErrno, ENOSYS};
        break;
      default:
        break;
    }
    if (expected.action == Action::kErrno) {
      // An errno of 0 makes the call return 0, the exit status keeps 8 bits.
      expected.data &= 0xffU;
      if (expected.data == 0 || expected.data == 255) continue;
    }
    stopped += expected.action == Action::kAllow ? 0 : 1;
    ASSERT_EQ(outcome.verdict, expected) << "round " << round;
  }
  EXPECT_GT(loaded, 100);
  EXPECT_GT(refused, 50);
  EXPECT_GT(stopped, 30);
}

}  // namespace
}  // namespace whittle::filter
