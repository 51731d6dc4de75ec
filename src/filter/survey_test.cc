#include "filter/survey.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "filter/random_program.h"
#include "syscalls/table.h"

namespace whittle::filter {
namespace {

using profile::Action;
using profile::Verdict;
using syscalls::Arch;

Program returning(std::uint32_t value) { return {{BPF_RET | BPF_K, 0, 0, value}}; }

bool matches(const Path& path, const Arguments& args) {
  for (std::size_t i = 0; i < path.words.size(); ++i) {
    const auto word = static_cast<std::uint32_t>(args[i / 2] >> (i % 2 == 0 ? 0U : 32U));
    if (!path.words[i].holds(word)) return false;
  }
  return true;
}

TEST(DecideAll, NoFilterAllowsEverything) {
  EXPECT_TRUE(decide_all({}, Arch::kX86_64, 0).always_allows());
}

TEST(DecideAll, OfEqualActionsTheNewestCounts) {
  const Program filters[] = {returning(SECCOMP_RET_ERRNO | 1), returning(SECCOMP_RET_ERRNO | 38),
                             returning(SECCOMP_RET_ALLOW)};
  EXPECT_EQ(decide_all(filters, Arch::kX86_64, 0).constant(), (Verdict{Action::kErrno, 1}));
}

TEST(DecideAll, UndecidedWhenOneFilterIs) {
  const Program looks_at_ip = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 8},
                               {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 5},
                               {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
                               {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS}};
  const Program filters[] = {returning(SECCOMP_RET_ALLOW), looks_at_ip};
  const Decision decision = decide_all(filters, Arch::kX86_64, 0);
  EXPECT_FALSE(decision.decided);
  EXPECT_TRUE(can_allow(decision));
}

// Pairs and triples of random filters: the paths of the stack are a partition, and each ends as the
// evaluator of the stack does.
TEST(DecideAll, AgreesWithTheEvaluator) {
  std::mt19937 random(7);
  const auto next = [&random] { return static_cast<std::uint8_t>(random()); };
  int stacks = 0;
  int forked = 0;
  for (int round = 0; round < 4000; ++round) {
    std::vector<Program> filters;
    for (unsigned i = 0; i < 2 + round % 2U; ++i) filters.push_back(random_program(next));
    const bool loads = std::all_of(filters.begin(), filters.end(),
                                   [](const Program& program) { return check(program); });
    const Decision decision = decide_all(filters, Arch::kX86_64, 9);
    if (!loads || !decision.decided) continue;
    ++stacks;
    forked += decision.paths.size() > 1 ? 1 : 0;
    for (int i = 0; i < 8; ++i) {
      Arguments args{};
      for (std::uint64_t& arg : args) arg = std::uint64_t{next() % 8U} << 32U | next() % 8U;
      const auto verdict = evaluate_all(filters, call(Arch::kX86_64, 9, args));
      ASSERT_TRUE(verdict);
      int matching = 0;
      for (const Path& path : decision.paths) {
        if (!matches(path, args)) continue;
        ++matching;
        ASSERT_EQ(path.verdict, *verdict) << "round " << round;
      }
      ASSERT_EQ(matching, 1) << "round " << round;
    }
  }
  EXPECT_GT(stacks, 200);
  EXPECT_GT(forked, 50);
}

TEST(Survey, EveryNamedCallByNumber) {
  const Program filters[] = {returning(SECCOMP_RET_LOG)};
  const auto calls = survey(filters, Arch::kX32);
  ASSERT_EQ(calls.size(), syscalls::entries(Arch::kX32).size());
  EXPECT_TRUE(std::is_sorted(calls.begin(), calls.end(),
                             [](const auto& a, const auto& b) { return a.nr < b.nr; }));
  for (const SurveyedCall& call : calls) {
    EXPECT_TRUE(can_allow(call.decision)) << call.name;
    EXPECT_NE(call.nr & syscalls::kX32Bit, 0U);
  }
}

}  // namespace
}  // namespace whittle::filter
