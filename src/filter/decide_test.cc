#include "filter/decide.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <random>

#include "filter/random_program.h"

namespace whittle::filter {
namespace {

using profile::Action;
using profile::Verdict;
using syscalls::Arch;

constexpr std::uint32_t kNumber = 56;
constexpr std::uint32_t kLow0 = offsetof(seccomp_data, args);
constexpr std::uint32_t kHigh0 = kLow0 + 4;

constexpr sock_filter stmt(std::uint16_t code, std::uint32_t k) { return {code, 0, 0, k}; }
constexpr sock_filter load(std::uint32_t offset) { return stmt(BPF_LD | BPF_W | BPF_ABS, offset); }
constexpr sock_filter branch(unsigned op, std::uint32_t k, std::uint8_t jt, std::uint8_t jf) {
  return {static_cast<std::uint16_t>(BPF_JMP | op | BPF_K), jt, jf, k};
}
constexpr sock_filter kAllow = stmt(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
constexpr sock_filter kRefuse = stmt(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1);

Decision decision(const Program& program) { return decide(program, Arch::kX86_64, kNumber); }

bool matches(const Path& path, const Arguments& args) {
  for (std::size_t i = 0; i < path.words.size(); ++i) {
    const auto word = static_cast<std::uint32_t>(args[i / 2] >> (i % 2 == 0 ? 0U : 32U));
    if (!path.words[i].holds(word)) return false;
  }
  return true;
}

// Exactly one path takes these arguments, and it ends as the evaluator does.
void expect_agreement(const Program& program, const Decision& decided, const Arguments& args) {
  int matching = 0;
  for (const Path& path : decided.paths) {
    if (!matches(path, args)) continue;
    ++matching;
    const auto verdict = evaluate(program, call(Arch::kX86_64, kNumber, args));
    ASSERT_TRUE(verdict);
    ASSERT_EQ(path.verdict, *verdict);
  }
  ASSERT_EQ(matching, 1);
}

TEST(Decide, NumbersAreKnown) {
  const Program program = {load(0), branch(BPF_JEQ, kNumber, 0, 1), kAllow, kRefuse};
  const Decision decided = decision(program);
  EXPECT_TRUE(decided.always_allows());
  EXPECT_EQ(decided.constant(), (Verdict{Action::kAllow, 0}));
  EXPECT_EQ(decided.arguments, 0);
  EXPECT_EQ(decide(program, Arch::kX86_64, 57).constant(), (Verdict{Action::kErrno, 1}));
}

// clone with (flags & CLONE_NEW*) == 0, as libseccomp compiles it.
TEST(Decide, MaskedEqual) {
  const Program program = {load(kLow0), stmt(BPF_ALU | BPF_AND | BPF_K, 0x7e020000),
                           branch(BPF_JEQ, 0, 0, 1), kAllow, kRefuse};
  const Decision decided = decision(program);
  EXPECT_TRUE(decided.decided);
  EXPECT_EQ(decided.arguments, 1);
  EXPECT_EQ(decided.paths.size(), 2U);
  EXPECT_EQ(decided.constant(), std::nullopt);
  const Requirement user_namespace{0, 0x10000000, 0, true};
  EXPECT_FALSE(allowed_with(decided, {{user_namespace}}).args);
  const Requirement threads{0, 0x10000, 0x10000, false};
  EXPECT_EQ(allowed_with(decided, {{threads}}).args, (Arguments{0x10000}));
}

TEST(Decide, WholeArgumentsAreTwoWords) {
  // args[0] == 5, and only then.
  const Program program = {load(kHigh0), branch(BPF_JEQ, 0, 0, 3),
                           load(kLow0),  branch(BPF_JEQ, 5, 0, 1),
                           kAllow,       kRefuse};
  const Decision decided = decision(program);
  EXPECT_EQ(decided.paths.size(), 3U);
  EXPECT_TRUE(allowed_with(decided, {{Requirement{0, UINT64_MAX, 5, false}}}).args);
  EXPECT_FALSE(allowed_with(decided, {{Requirement{0, UINT64_MAX, 0x100000005, false}}}).args);
  EXPECT_TRUE(allowed_with(decided, {{Requirement{0, UINT32_MAX, 5, false}}}).args);
  // A bit in either half: only the low one is left.
  EXPECT_TRUE(allowed_with(decided, {{Requirement{0, 0xffffffff00000001U, 0, true}}}).args);
  EXPECT_FALSE(allowed_with(decided, {{Requirement{0, 0xffffffff00000002U, 0, true}}}).args);
  EXPECT_FALSE(allowed_with(decided, {{Requirement{0, 0, 0, true}}}).args);
}

TEST(Decide, RangesAreIntervals) {
  const Program program = {load(kLow0), branch(BPF_JGT, 10, 2, 0), branch(BPF_JGE, 5, 0, 1), kAllow,
                           kRefuse};
  const Decision decided = decision(program);
  EXPECT_EQ(decided.paths.size(), 3U);
  for (const std::uint64_t value : {0, 4, 5, 10, 11}) expect_agreement(program, decided, {value});
  EXPECT_FALSE(allowed_with(decided, {{Requirement{0, UINT32_MAX, 4, false}}}).args);
  EXPECT_TRUE(allowed_with(decided, {{Requirement{0, UINT32_MAX, 10, false}}}).args);
}

// A branch that can't be taken after another leaves no path.
TEST(Decide, ImpossiblePathsAreLeftOut) {
  const Program program = {load(kLow0), branch(BPF_JEQ, 5, 0, 2), branch(BPF_JGT, 5, 0, 1), kAllow,
                           kRefuse};
  const Decision decided = decision(program);
  EXPECT_EQ(decided.paths.size(), 2U);
  EXPECT_EQ(decided.constant(), (Verdict{Action::kErrno, 1}));
}

TEST(Decide, SaysWhenItCannotTell) {
  EXPECT_FALSE(decision({load(8), branch(BPF_JEQ, 5, 0, 1), kAllow, kRefuse}).decided);
  EXPECT_FALSE(decision({load(kLow0), stmt(BPF_ALU | BPF_ADD | BPF_K, 1), branch(BPF_JEQ, 5, 0, 1),
                         kAllow, kRefuse})
                   .decided);
  EXPECT_FALSE(decision({load(kLow0), stmt(BPF_RET | BPF_A, 0)}).decided);
  EXPECT_FALSE(decision({}).decided);
  // Unknown values that nothing depends on do no harm.
  EXPECT_TRUE(decision({load(8), kAllow}).decided);
  EXPECT_FALSE(allowed_with(decision({}), {}).decided);
}

TEST(Decide, PathBound) {
  Program program = {load(kLow0)};
  for (std::uint32_t i = 0; i < 20; ++i) program.push_back(branch(BPF_JEQ, i, 0, 0));
  program.push_back(kAllow);
  EXPECT_TRUE(decide(program, Arch::kX86_64, kNumber, 21).decided);
  const Decision bounded = decide(program, Arch::kX86_64, kNumber, 20);
  EXPECT_FALSE(bounded.decided);
  EXPECT_EQ(bounded.constant(), std::nullopt);
}

// Random programs: the paths are a partition, and each ends as the evaluator does.
TEST(Decide, PathsAreAPartitionThatAgreesWithTheEvaluator) {
  std::mt19937 random(5);
  const auto next = [&random] { return static_cast<std::uint8_t>(random()); };
  int decided_programs = 0;
  int forked = 0;
  for (int round = 0; round < 6000; ++round) {
    const Program program = random_program(next);
    const Decision decided = decision(program);
    if (!check(program) || !decided.decided) continue;
    ++decided_programs;
    forked += decided.paths.size() > 1 ? 1 : 0;
    for (const Path& path : decided.paths) {
      Arguments args{};
      for (std::size_t i = 0; i < path.words.size(); ++i) {
        const auto word = witness(path.words[i]);
        ASSERT_TRUE(word) << "an impossible path in round " << round;
        args[i / 2] |= std::uint64_t{*word} << (i % 2 == 0 ? 0U : 32U);
      }
      expect_agreement(program, decided, args);
    }
    for (int i = 0; i < 20; ++i) {
      Arguments args{};
      for (std::uint64_t& arg : args) {
        arg = std::uint64_t{next() % 2 == 0 ? next() % 8U : random()} << 32U;
        arg |= next() % 2 == 0 ? next() % 8U : random();
      }
      expect_agreement(program, decided, args);
    }
    ASSERT_FALSE(HasFatalFailure()) << "round " << round;
  }
  EXPECT_GT(decided_programs, 1500);
  EXPECT_GT(forked, 300);
}

}  // namespace
}  // namespace whittle::filter
