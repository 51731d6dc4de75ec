#include "trial/notify_filter.h"

#include <gtest/gtest.h>

namespace whittle::trial {
namespace {

std::uint32_t asked(std::uint32_t answer) {
  return asking_program({BPF_STMT(BPF_RET | BPF_K, answer)})[0].k;
}

TEST(NotifyFilter, AsksWhereTheProgramRefuses) {
  for (const std::uint32_t refusal :
       {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP | 3U,
        SECCOMP_RET_ERRNO | 1U, SECCOMP_RET_TRACE | 2U, SECCOMP_RET_USER_NOTIF, 0x12345678U}) {
    EXPECT_EQ(asked(refusal), SECCOMP_RET_USER_NOTIF) << refusal;
  }
  for (const std::uint32_t pass : {SECCOMP_RET_ALLOW, SECCOMP_RET_LOG}) {
    EXPECT_EQ(asked(pass), pass);
  }
}

TEST(NotifyFilter, LeavesEverythingElseAsItIs) {
  const filter::Program program = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SECCOMP_RET_ERRNO, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
      BPF_STMT(BPF_RET | BPF_A, 0),
  };
  const filter::Program asking = asking_program(program);
  ASSERT_EQ(asking.size(), program.size());
  EXPECT_EQ(asking[1].k, program[1].k);
  EXPECT_EQ(asking[2].k, SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(asking[3].code, BPF_RET | BPF_K) << "what the accumulator holds is asked about";
  EXPECT_EQ(asking[3].k, SECCOMP_RET_USER_NOTIF);
}

TEST(NotifyFilter, KnowsAProgramThatTraps) {
  EXPECT_TRUE(answers_trap({BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP)}));
  EXPECT_FALSE(answers_trap({BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO),
                             BPF_STMT(BPF_LD | BPF_IMM, SECCOMP_RET_TRAP)}));
}

}  // namespace
}  // namespace whittle::trial
