#include "filter/compact.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "filter/compare.h"
#include "filter/compile.h"
#include "filter/random_program.h"
#include "filter/random_rules.h"
#include "profile/baseline.h"
#include "syscalls/table.h"

namespace whittle::filter {
namespace {

using profile::Action;
using profile::Profile;
using syscalls::Arch;
using ::testing::HasSubstr;

constexpr sock_filter load(std::uint32_t offset) {
  return {BPF_LD | BPF_W | BPF_ABS, 0, 0, offset};
}
constexpr sock_filter jump(std::uint16_t op, std::uint32_t k, std::uint8_t jt, std::uint8_t jf) {
  return {static_cast<std::uint16_t>(BPF_JMP | op | BPF_K), jt, jf, k};
}
constexpr sock_filter ret(std::uint32_t k) { return {BPF_RET | BPF_K, 0, 0, k}; }

// Instructions run for one call.
std::size_t steps(const Program& program, const seccomp_data& data) {
  std::size_t count = 0;
  std::uint32_t a = 0;
  for (std::size_t at = 0;; ++count) {
    const sock_filter& i = program[at++];
    if (BPF_CLASS(i.code) == BPF_RET) return count + 1;
    if (BPF_CLASS(i.code) == BPF_LD) {
      std::memcpy(&a, reinterpret_cast<const char*>(&data) + i.k, sizeof(a));
    } else if (BPF_CLASS(i.code) == BPF_ALU) {
      a &= i.k;
    } else if (i.code == (BPF_JMP | BPF_JA)) {
      at += i.k;
    } else {
      at += branch_taken(i.code, a, i.k) ? i.jt : i.jf;
    }
  }
}

TEST(Compact, AConstantIsOneReturn) {
  const auto made = compact({load(0), jump(BPF_JEQ, 7, 0, 0), ret(SECCOMP_RET_LOG)});
  ASSERT_TRUE(made) << made.error().text();
  EXPECT_TRUE(same_program(*made, {ret(SECCOMP_RET_LOG)}));
}

TEST(Compact, WritesWhatAHandWould) {
  // Number 41 with a first argument of 38 gets an errno, all else is allowed, whatever the ABI.
  const Program wordy = {load(0),  jump(BPF_JEQ, 41, 1, 0), ret(SECCOMP_RET_ALLOW),
                         load(20), jump(BPF_JEQ, 0, 1, 0),  ret(SECCOMP_RET_ALLOW),
                         load(16), jump(BPF_JEQ, 38, 0, 1), ret(SECCOMP_RET_ERRNO | 1),
                         load(16), ret(SECCOMP_RET_ALLOW)};
  const auto made = compact(wordy);
  // An unknown architecture would be answered by the number.
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().kind, ErrorKind::kInput);
  Program with_arch = {load(4), jump(BPF_JEQ, syscalls::audit_arch(Arch::kX86_64), 1, 0),
                       ret(SECCOMP_RET_KILL_PROCESS)};
  with_arch.insert(with_arch.end(), wordy.begin(), wordy.end());
  const auto small = compact(with_arch);
  ASSERT_TRUE(small) << small.error().text();
  EXPECT_EQ(small->size(), 11U);  // four loads, four tests, three returns
}

TEST(Compact, DockersDefault) {
  for (const Arch native : {Arch::kX86_64, Arch::kAarch64}) {
    profile::Setting setting;
    setting.arch = native;
    const auto base = profile::baseline("docker@29.4.3", setting);
    ASSERT_TRUE(base);
    for (const Flavour flavour : {Flavour::kRunc, Flavour::kCrun}) {
      const auto compiled = compile(*base, flavour);
      ASSERT_TRUE(compiled);
      const auto made = compact(compiled->program);
      ASSERT_TRUE(made) << made.error().text();
      EXPECT_LT(made->size() * 2, compiled->program.size());
      std::size_t before = 0;
      std::size_t after = 0;
      std::size_t worst = 0;
      for (const syscalls::Entry& entry : syscalls::entries(native)) {
        const seccomp_data data = call(native, entry.nr, {});
        ASSERT_EQ(evaluate_checked(compiled->program, data), evaluate_checked(*made, data));
        before += steps(compiled->program, data);
        after += steps(*made, data);
        worst = std::max(worst, steps(*made, data));
      }
      EXPECT_LT(after, before);
      EXPECT_LE(worst, 30U);
      const std::size_t calls = syscalls::entries(native).size();
      std::printf("%s: %zu instructions, %zu compact; a call runs %.1f of them, %.1f compact\n",
                  std::string(syscalls::arch_name(native)).c_str(), compiled->program.size(),
                  made->size(), double(before) / double(calls), double(after) / double(calls));
    }
  }
}

// Every argument value of every call: compact() has proven that with compare(). Here the evaluator
// is asked beside it.
TEST(Compact, RandomPrograms) {
  std::mt19937 random(5);
  const auto next = [&random] { return static_cast<std::uint8_t>(random()); };
  int made_programs = 0;
  for (int round = 0; round < 4000; ++round) {
    Program program = random_program(next);
    // Other ABIs are refused, as in filters of this world.
    const auto size = static_cast<std::uint8_t>(program.size());
    program.insert(program.begin(),
                   {load(4), jump(BPF_JEQ, syscalls::audit_arch(Arch::kX86_64), 0, size)});
    program.push_back(ret(SECCOMP_RET_KILL_PROCESS));
    const auto made = compact(program);
    if (!made) {
      ASSERT_EQ(made.error().kind, ErrorKind::kInput) << round << made.error().text();
      continue;
    }
    ++made_programs;
    for (int i = 0; i < 40; ++i) {
      const std::uint32_t nr = next() % 2 == 0 ? next() % 8U : next() * 5U;
      Arguments args{};
      for (std::uint64_t& arg : args) arg = std::uint64_t{next() % 8U} << 32U | next() % 8U;
      const Arch arch = next() % 8 == 0 ? Arch::kArm : Arch::kX86_64;
      const seccomp_data data = call(arch, nr, args);
      ASSERT_EQ(*evaluate(program, data), *evaluate(*made, data)) << "round " << round;
    }
  }
  EXPECT_GT(made_programs, 500);
}

TEST(Compact, RandomProfiles) {
  RandomRules random(23);
  int profiles = 0;
  for (int round = 0; round < 60; ++round) {
    Profile::Parts parts;
    parts.default_verdict = {Action::kErrno, 1};
    parts.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
    for (const char* name : {"dup", "mmap", "ioctl", "socket", "clone", "fcntl", "futex"}) {
      if (random.below(3) == 0) continue;
      for (profile::Rule& rule : random.rules(name)) parts.rules.push_back(std::move(rule));
    }
    const auto compiled = compile(Profile(std::move(parts)), Flavour::kNative);
    if (!compiled) continue;  // rules that libseccomp does not take
    const auto made = compact(compiled->program);
    ASSERT_TRUE(made) << made.error().text();
    EXPECT_LE(made->size(), BPF_MAXINSNS);
    ++profiles;
  }
  EXPECT_GT(profiles, 30);
}

TEST(Compact, JumpsThatAreFar) {
  // 1,500 numbers with answers of their own: no search tree of them fits into 255 instructions.
  Program program = {load(4), jump(BPF_JEQ, syscalls::audit_arch(Arch::kX86_64), 1, 0),
                     ret(SECCOMP_RET_KILL_PROCESS), load(0)};
  for (std::uint32_t nr = 0; nr < 1300; ++nr) {
    program.push_back(jump(BPF_JEQ, nr * 3, 0, 1));
    program.push_back(ret(SECCOMP_RET_ERRNO | nr));
  }
  program.push_back(ret(SECCOMP_RET_ALLOW));
  const auto made = compact(program);
  ASSERT_TRUE(made) << made.error().text();
  for (std::uint32_t nr = 0; nr < 3900; ++nr) {
    const seccomp_data data = call(Arch::kX86_64, nr, {});
    ASSERT_EQ(evaluate_checked(program, data), evaluate_checked(*made, data)) << nr;
  }
}

TEST(Compact, RefusesWhatCantBeTold) {
  const Program bad = {load(0), jump(BPF_JEQ, 1, 9, 9), ret(SECCOMP_RET_ALLOW)};
  EXPECT_FALSE(compact(bad));
  // The sum of two halves.
  const Program sum = {load(16),
                       {BPF_MISC | BPF_TAX, 0, 0, 0},
                       load(24),
                       {BPF_ALU | BPF_ADD | BPF_X, 0, 0, 0},
                       jump(BPF_JEQ, 5, 0, 1),
                       ret(SECCOMP_RET_ALLOW),
                       ret(SECCOMP_RET_ERRNO | 1)};
  const auto made = compact(sum);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().kind, ErrorKind::kInput);
  EXPECT_THAT(made.error().message, HasSubstr("exactly"));
}

}  // namespace
}  // namespace whittle::filter
