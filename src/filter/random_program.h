// Random filters for tests and for the fuzzer: mostly well formed, of the instructions that real
// compilers emit and of all others.
#pragma once

#include <cstdint>
#include <functional>

#include "filter/program.h"

namespace whittle::filter {

// `next()` gives random bytes. The result often, not always, passes check().
inline Program random_program(const std::function<std::uint8_t()>& next) {
  static constexpr std::uint16_t kCodes[] = {
      BPF_LD | BPF_W | BPF_ABS,
      BPF_LD | BPF_W | BPF_ABS,
      BPF_LD | BPF_W | BPF_ABS,
      BPF_LD | BPF_W | BPF_ABS,
      BPF_ALU | BPF_AND | BPF_K,
      BPF_ALU | BPF_AND | BPF_K,
      BPF_JMP | BPF_JEQ | BPF_K,
      BPF_JMP | BPF_JEQ | BPF_K,
      BPF_JMP | BPF_JEQ | BPF_K,
      BPF_JMP | BPF_JGE | BPF_K,
      BPF_JMP | BPF_JGT | BPF_K,
      BPF_JMP | BPF_JSET | BPF_K,
      BPF_RET | BPF_K,
      BPF_RET | BPF_K,
      BPF_JMP | BPF_JA,
      BPF_RET | BPF_A,
      BPF_LD | BPF_IMM,
      BPF_LDX | BPF_IMM,
      BPF_LD | BPF_W | BPF_LEN,
      BPF_LDX | BPF_W | BPF_LEN,
      BPF_ST,
      BPF_STX,
      BPF_LD | BPF_MEM,
      BPF_LDX | BPF_MEM,
      BPF_MISC | BPF_TAX,
      BPF_MISC | BPF_TXA,
      BPF_ALU | BPF_ADD | BPF_K,  // NOLINT(misc-redundant-expression): both are 0
      BPF_ALU | BPF_ADD | BPF_X,
      BPF_ALU | BPF_SUB | BPF_K,
      BPF_ALU | BPF_SUB | BPF_X,
      BPF_ALU | BPF_MUL | BPF_K,
      BPF_ALU | BPF_MUL | BPF_X,
      BPF_ALU | BPF_DIV | BPF_K,
      BPF_ALU | BPF_DIV | BPF_X,
      BPF_ALU | BPF_AND | BPF_X,
      BPF_ALU | BPF_OR | BPF_K,
      BPF_ALU | BPF_OR | BPF_X,
      BPF_ALU | BPF_XOR | BPF_K,
      BPF_ALU | BPF_XOR | BPF_X,
      BPF_ALU | BPF_LSH | BPF_K,
      BPF_ALU | BPF_LSH | BPF_X,
      BPF_ALU | BPF_RSH | BPF_K,
      BPF_ALU | BPF_RSH | BPF_X,
      BPF_ALU | BPF_NEG,
      BPF_JMP | BPF_JEQ | BPF_X,
      BPF_JMP | BPF_JGE | BPF_X,
      BPF_JMP | BPF_JGT | BPF_X,
      BPF_JMP | BPF_JSET | BPF_X,
      BPF_ALU | BPF_MOD | BPF_K,
      BPF_LD | BPF_H | BPF_ABS,
      BPF_LD | BPF_W | BPF_IND,
  };
  static constexpr std::uint32_t kReturns[] = {
      SECCOMP_RET_ALLOW,       SECCOMP_RET_ALLOW,        SECCOMP_RET_LOG,
      SECCOMP_RET_ERRNO | 1,   SECCOMP_RET_ERRNO | 38,   SECCOMP_RET_TRAP | 7,
      SECCOMP_RET_KILL_THREAD, SECCOMP_RET_KILL_PROCESS,
  };
  const std::size_t size = 1 + next() % 24;
  Program program;
  for (std::size_t at = 0; at < size; ++at) {
    // Half of the time one of the first few: what filters are really made of.
    const std::size_t codes = next() % 2 == 0 ? 15 : std::size(kCodes);
    std::uint16_t code = kCodes[next() % codes];
    if (at + 1 == size) code = BPF_RET | BPF_K;
    const auto left = static_cast<unsigned>(size - at - 1);
    const auto target = [&] { return static_cast<std::uint8_t>(left == 0 ? 0 : next() % left); };
    std::uint32_t k = next() % 8;
    if (next() % 8 == 0) k = next() * 0x01010101U ^ next();
    const std::uint8_t jt = BPF_CLASS(code) == BPF_JMP ? target() : 0;
    const std::uint8_t jf = BPF_CLASS(code) == BPF_JMP ? target() : 0;
    if (code == (BPF_JMP | BPF_JA)) k = jt;
    if (code == (BPF_LD | BPF_W | BPF_ABS)) {
      const std::uint8_t where = next();
      k = where % 32 == 0 ? where : 16U + where % 6U * 4U;
    }
    if (code == (BPF_RET | BPF_K)) k = kReturns[next() % std::size(kReturns)];
    program.push_back({code, jt, jf, k});
  }
  return program;
}

}  // namespace whittle::filter
