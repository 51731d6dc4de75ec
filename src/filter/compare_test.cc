#include "filter/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <random>

#include "filter/change_text.h"
#include "filter/random_program.h"

namespace whittle::filter {
namespace {

using profile::Action;
using profile::Verdict;
using syscalls::Arch;

constexpr std::array kX86_64Only = {Arch::kX86_64};
constexpr std::uint32_t kLow0 = offsetof(seccomp_data, args);
constexpr std::uint32_t kAllow = SECCOMP_RET_ALLOW;
constexpr std::uint32_t kEperm = SECCOMP_RET_ERRNO | 1;

constexpr sock_filter stmt(std::uint16_t code, std::uint32_t k) { return {code, 0, 0, k}; }
constexpr sock_filter load(std::uint32_t offset) { return stmt(BPF_LD | BPF_W | BPF_ABS, offset); }
constexpr sock_filter ret(std::uint32_t value) { return stmt(BPF_RET | BPF_K, value); }
constexpr sock_filter branch(unsigned op, std::uint32_t k, std::uint8_t jt, std::uint8_t jf) {
  return {static_cast<std::uint16_t>(BPF_JMP | op | BPF_K), jt, jf, k};
}

// Answers `special` to the number that `op` picks, else `other`.
Program picking(unsigned op, std::uint32_t nr, std::uint32_t special, std::uint32_t other) {
  return {load(0), branch(op, nr, 0, 1), ret(special), ret(other)};
}

// `special` for socket with one low half of argument 0, EPERM for all other values. Others: allow.
Program socket_with(std::uint32_t family, std::uint32_t special) {
  return {load(0),      branch(BPF_JEQ, 41, 0, 4),
          load(kLow0),  branch(BPF_JEQ, family, 0, 1),
          ret(special), ret(kEperm),
          ret(kAllow)};
}

std::vector<Change> changes(const Program& before, const Program& after) {
  const auto comparison = compare(before, after, kX86_64Only);
  EXPECT_TRUE(comparison) << comparison.error().text();
  EXPECT_TRUE(comparison->undecided.empty());
  return comparison->changes;
}

TEST(Compare, OneNumberIsOneChange) {
  // 0 is read.
  const auto found = changes(picking(BPF_JEQ, 0, kAllow, kEperm), {ret(kEperm)});
  ASSERT_EQ(found.size(), 1U);  // the ABI closes: nothing else was let through
  EXPECT_EQ(found[0].scope, Change::Scope::kArchitecture);
  EXPECT_EQ(found[0].direction, Direction::kTighter);
  EXPECT_EQ(found[0].nr, 0U);
  const auto opened = changes(picking(BPF_JEQ, 1, kAllow, kEperm),
                              {load(0), branch(BPF_JGT, 1, 1, 0), ret(kAllow), ret(kEperm)});
  ASSERT_EQ(opened.size(), 1U);
  EXPECT_EQ(opened[0].name, "read");
  EXPECT_EQ(opened[0].direction, Direction::kLooser);
  EXPECT_EQ(headline(opened[0]), "now allowed");
  EXPECT_EQ(before_text(opened[0]), "errno EPERM");
  EXPECT_EQ(opened[0].verdict_after, (Verdict{Action::kAllow, 0}));
}

TEST(Compare, SameAnswersFromOtherInstructions) {
  const Program a = {load(0), branch(BPF_JGE, 100, 0, 1), ret(kAllow), ret(kEperm)};
  const Program b = {load(0), branch(BPF_JGT, 99, 0, 1), ret(kAllow), ret(kEperm)};
  EXPECT_TRUE(compare(a, b, syscalls::kAllArches)->equivalent());
}

// The numbers above 1000 have no name on x86_64; x32's are not among them.
TEST(Compare, NumbersWithoutANameAreOneChange) {
  const auto found = changes(picking(BPF_JGT, 1000, kEperm, kAllow),
                             picking(BPF_JGT, 1000, SECCOMP_RET_ERRNO | 38, kAllow));
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].scope, Change::Scope::kUnnamed);
  EXPECT_EQ(found[0].numbers, (Numbers{1001, 0x3fffffff}));
  EXPECT_EQ(found[0].direction, Direction::kOther);
  EXPECT_EQ(subject_text(found[0]), "numbers 1001 to 1073741823");
  EXPECT_EQ(headline(found[0]), "errno EPERM is now errno ENOSYS");
  EXPECT_EQ(found[1].numbers, (Numbers{UINT32_MAX, UINT32_MAX}));
}

TEST(Compare, RunsOfNumbersReachFromNameToName) {
  // 334 is rseq and 424 pidfd_send_signal; 335 and 336 have names, 337 to 423 none.
  const auto found = changes(
      {load(0), branch(BPF_JGE, 334, 0, 2), branch(BPF_JGT, 424, 1, 0), ret(kEperm), ret(kAllow)},
      {ret(kAllow)});
  ASSERT_EQ(found.size(), 5U);
  EXPECT_EQ(found[3].numbers, (Numbers{337, 423}));
  EXPECT_EQ(found[4].name, "pidfd_send_signal");
}

TEST(Compare, BitsOfANumberAreBlocks) {
  const auto found = changes({load(0), stmt(BPF_ALU | BPF_AND | BPF_K, 0x3ffffc00),
                              branch(BPF_JEQ, 0x400, 0, 1), ret(kAllow), ret(kEperm)},
                             {load(0), branch(BPF_JEQ, 5, 0, 1), ret(kAllow), ret(kEperm)});
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].numbers, (Numbers{5, 5}));
  EXPECT_EQ(found[1].numbers, (Numbers{1024, 2047}));
}

TEST(Compare, OneCallBothWays) {
  const auto found = changes(socket_with(38, kAllow), socket_with(40, kAllow));
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].direction, Direction::kLooser);
  EXPECT_EQ(headline(found[0]), "AF_VSOCK now allowed");
  EXPECT_EQ(found[0].args[0], 40U);
  EXPECT_EQ(found[1].direction, Direction::kTighter);
  EXPECT_EQ(headline(found[1]), "AF_ALG now refused");
  EXPECT_EQ(after_text(found[1]), "allow when low arg0 == AF_VSOCK, else errno EPERM");
}

TEST(Compare, OtherErrnoOfSomeArguments) {
  const auto found =
      changes(socket_with(38, SECCOMP_RET_ERRNO | 38), socket_with(38, SECCOMP_RET_ERRNO | 22));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].direction, Direction::kOther);
  EXPECT_EQ(headline(found[0]), "errno ENOSYS is now errno EINVAL when low arg0 == AF_ALG");
}

TEST(Compare, FlagsByName) {
  const auto clone = [](std::uint32_t mask) {
    return Program{load(0),
                   branch(BPF_JEQ, 56, 0, 4),
                   load(kLow0),
                   stmt(BPF_ALU | BPF_AND | BPF_K, mask),
                   branch(BPF_JEQ, 0, 1, 0),
                   ret(kEperm),
                   ret(kAllow)};
  };
  const auto found = changes(clone(0x7e020000), clone(0x6e020000));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(headline(found[0]), "CLONE_NEWUSER no longer refused");
  EXPECT_EQ(headline(changes(clone(0x6e020000), clone(0x7e020000))[0]),
            "CLONE_NEWUSER now refused");
}

// Undecided numbers are told, and the others compared all the same.
TEST(Compare, SaysWhereItCannotTell) {
  const Program sum = {load(0),
                       branch(BPF_JEQ, 0, 0, 4),
                       load(kLow0),
                       stmt(BPF_ALU | BPF_ADD | BPF_K, 1),
                       branch(BPF_JEQ, 5, 1, 0),
                       ret(kAllow),
                       ret(kEperm)};
  const auto comparison = compare(sum, {ret(kAllow)}, kX86_64Only);
  ASSERT_TRUE(comparison);
  ASSERT_EQ(comparison->undecided.size(), 1U);
  EXPECT_EQ(comparison->undecided[0].numbers, (Numbers{0, 0}));
  EXPECT_FALSE(comparison->equivalent());
  EXPECT_FALSE(comparison->changes.empty());
  // The same instructions: equivalent, whatever they do.
  EXPECT_TRUE(compare(sum, sum, kX86_64Only)->equivalent());
}

TEST(Compare, AnArchitectureThatComesIsOneChange) {
  const Program closed = {load(4), branch(BPF_JEQ, syscalls::audit_arch(Arch::kX86), 0, 1),
                          ret(SECCOMP_RET_KILL_THREAD), ret(kAllow)};
  const auto comparison = compare(closed, {ret(kAllow)}, syscalls::kAllArches);
  ASSERT_TRUE(comparison);
  ASSERT_EQ(comparison->changes.size(), 1U);
  const Change& change = comparison->changes[0];
  EXPECT_EQ(change.scope, Change::Scope::kArchitecture);
  EXPECT_EQ(change.arch, Arch::kX86);
  EXPECT_EQ(change.direction, Direction::kLooser);
  EXPECT_EQ(before_text(change), "closed (kill_thread)");
  EXPECT_EQ(after_text(change), "open");
}

// Filters of 4096 instructions that are made to take for ever: in ways, in numbers, in the search
// for a value. They end, and what was not told is undecided.
std::vector<Program> exploding_filters() {
  std::vector<Program> filters;
  const auto add = [&filters](Program start, const std::vector<sock_filter>& block,
                              const auto& change) {
    Program program = std::move(start);
    for (std::uint32_t i = 0; program.size() + block.size() + 2 <= 4096; ++i) {
      for (sock_filter instruction : block) program.push_back(change(instruction, i));
    }
    program.push_back(ret(kAllow));
    program.push_back(ret(kEperm));
    filters.push_back(std::move(program));
  };
  std::mt19937 random(1);
  const auto same = [](sock_filter instruction, std::uint32_t i) {
    if (BPF_CLASS(instruction.code) == BPF_JMP) instruction.k += i;
    return instruction;
  };
  const auto rotated = [](sock_filter instruction, std::uint32_t i) {
    if (BPF_CLASS(instruction.code) == BPF_LD) instruction.k = kLow0 + i % 12 * 4;
    if (BPF_CLASS(instruction.code) == BPF_JMP) instruction.k = 1U << (i / 12 % 32);
    return instruction;
  };
  const auto chaotic = [&random](sock_filter instruction, std::uint32_t) {
    if (BPF_CLASS(instruction.code) == BPF_LD) return instruction;
    instruction.k = static_cast<std::uint32_t>(random() & random());
    return instruction;
  };
  const auto three_bits = [&random](sock_filter instruction, std::uint32_t) {
    if (BPF_CLASS(instruction.code) != BPF_ALU) return instruction;
    instruction.k = 1U << (random() % 32) | 1U << (random() % 32) | 1U << (random() % 32);
    return instruction;
  };
  const sock_filter both_ways = branch(BPF_JSET, 1, 0, 0);
  add({}, {load(kLow0), both_ways}, rotated);            // 2^1000 ways
  add({load(kLow0)}, {branch(BPF_JEQ, 7, 0, 0)}, same);  // one way more each
  add({load(kLow0)}, {branch(BPF_JGT, 7, 0, 0)}, same);  // ranges
  add({}, {load(0), stmt(BPF_ALU | BPF_AND | BPF_K, 0), branch(BPF_JGE, 0, 0, 0)}, chaotic);
  add({}, {load(0), stmt(BPF_ALU | BPF_ADD | BPF_K, 0), branch(BPF_JGE, 0, 0, 0)}, chaotic);
  add({}, {load(kLow0), stmt(BPF_ALU | BPF_AND | BPF_K, 0), branch(BPF_JGE, 0, 0, 0)}, chaotic);
  // Of every three bits one must be set: hard to find a value for, and then to pair the ways.
  add({}, {load(kLow0), stmt(BPF_ALU | BPF_AND | BPF_K, 0), branch(BPF_JEQ, 0, 0, 0)}, three_bits);
  return filters;
}

TEST(Compare, ExplodingFiltersEnd) {
  const std::vector<Program> filters = exploding_filters();
  int undecided = 0;
  for (std::size_t i = 0; i < filters.size(); ++i) {
    ASSERT_TRUE(check(filters[i])) << i;
    EXPECT_GT(filters[i].size(), 4090U) << i;
    const auto comparison = compare(filters[i], filters[(i + 1) % filters.size()], kX86_64Only);
    ASSERT_TRUE(comparison) << comparison.error().text();
    undecided += comparison->undecided.empty() ? 0 : 1;
    EXPECT_FALSE(comparison->equivalent()) << i;
  }
  EXPECT_EQ(undecided, 7);
}

TEST(Compare, RefusesWhatTheKernelWouldNotLoad) {
  EXPECT_FALSE(compare({}, {ret(kAllow)}, kX86_64Only));
}

// Random pairs against the evaluator: it never finds what compare() does not tell, and confirms all
// that it tells.
TEST(Compare, AgreesWithTheEvaluatorOnRandomPairs) {
  std::mt19937 random(11);
  const auto next = [&random] { return static_cast<std::uint8_t>(random()); };
  int pairs = 0;
  int changed_pairs = 0;
  for (int round = 0; round < 3000; ++round) {
    const Program a = random_program(next);
    Program b = a;
    // Another program, or the same with one instruction changed.
    if (round % 2 == 0) {
      b[next() % b.size()].k ^= 1U << (next() % 8U);
    } else {
      b = random_program(next);
    }
    const auto comparison = compare(a, b, kX86_64Only);
    if (!comparison || !comparison->undecided.empty()) continue;
    ++pairs;
    changed_pairs += comparison->changes.empty() ? 0 : 1;
    for (int i = 0; i < 40; ++i) {
      const std::uint32_t nr = next() % 2 == 0 ? next() % 8U : next() * 5U;
      Arguments args{};
      for (std::uint64_t& arg : args) arg = std::uint64_t{next() % 8U} << 32U | next() % 8U;
      const auto before = *evaluate(a, call(Arch::kX86_64, nr, args));
      const auto after = *evaluate(b, call(Arch::kX86_64, nr, args));
      if (before == after) continue;
      const auto tells = [&](const Change& change) {
        return change.scope == Change::Scope::kArchitecture ||
               (change.numbers.first <= nr && nr <= change.numbers.last);
      };
      ASSERT_TRUE(std::any_of(comparison->changes.begin(), comparison->changes.end(), tells))
          << "round " << round << ", number " << nr;
    }
  }
  EXPECT_GT(pairs, 500);
  EXPECT_GT(changed_pairs, 200);
}

}  // namespace
}  // namespace whittle::filter
