#include "filter/faithful.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "filter/document.h"
#include "filter/random_rules.h"
#include "syscalls/table.h"

namespace whittle::filter {
namespace {

using profile::Action;
using profile::Condition;
using profile::Operator;
using profile::Profile;
using profile::Rule;
using profile::Verdict;

constexpr Verdict kAllow{Action::kAllow, 0};
constexpr Verdict kEperm{Action::kErrno, 1};

Condition condition(std::uint32_t index, Operator op, std::uint64_t value, std::uint64_t two = 0) {
  return {index, value, two, op};
}

std::vector<Difference> compare(std::vector<Rule> rules, Flavour flavour = Flavour::kNative,
                                std::vector<std::string> architectures = {"SCMP_ARCH_X86_64"}) {
  Profile::Parts parts;
  parts.default_verdict = kEperm;
  parts.architectures = std::move(architectures);
  parts.rules = std::move(rules);
  const Profile profile(std::move(parts));
  const auto compiled = compile(profile, flavour);
  EXPECT_TRUE(compiled) << compiled.error().text();
  if (!compiled) return {};
  auto found = differences(profile, compiled->program, flavour);
  EXPECT_TRUE(found) << found.error().text();
  return found.value_or(std::vector<Difference>{});
}

TEST(Faithful, OrdinaryRulesCompileAsDocumented) {
  const std::vector<Rule> rules = {
      {{"read", "write", "openat"}, kAllow, {}},
      {{"clone"}, kAllow, {condition(0, Operator::kMaskedEq, 0x7e020000, 0)}},
      {{"personality"}, kAllow, {condition(0, Operator::kEq, 0)}},
      {{"personality"}, kAllow, {condition(0, Operator::kEq, 0xffffffff)}},
      {{"clone3"}, {Action::kErrno, 38}, {}}};
  const std::vector<std::string> architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86",
                                                  "SCMP_ARCH_X32"};
  for (const Flavour flavour : {Flavour::kNative, Flavour::kRunc, Flavour::kCrun}) {
    EXPECT_TRUE(compare(rules, flavour, architectures).empty());
  }
}

// Two rules over two arguments: libseccomp merges them wrongly and allows (2, 0).
TEST(Faithful, FindsWhatLibseccompMergesWrongly) {
  const auto found = compare(
      {{{"dup2"}, kAllow, {condition(0, Operator::kLt, 2), condition(1, Operator::kLt, 1)}},
       {{"dup2"}, kAllow, {condition(0, Operator::kLe, 2), condition(1, Operator::kEq, 3)}}});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].syscall, "dup2");
  EXPECT_EQ(found[0].documented, kEperm);
  EXPECT_EQ(found[0].compiled, kAllow);
  EXPECT_EQ(found[0].args, (Arguments{2, 0}));
}

TEST(Faithful, FindsTheOrOfRepeatedIndexes) {
  const auto found = compare(
      {{{"socket"}, kAllow, {condition(0, Operator::kNe, 38), condition(0, Operator::kNe, 40)}}},
      Flavour::kRunc);
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0].documented, kEperm);
  EXPECT_EQ(found[0].compiled, kAllow);
}

TEST(Faithful, FindsNamesThatLibseccompDoesNotKnow) {
  // Newer than Linux 6.7, the newest that libseccomp 2.5.4 knows.
  const Profile profile([] {
    Profile::Parts parts;
    parts.architectures = {"SCMP_ARCH_X86_64"};
    parts.rules = {{{"mseal"}, kAllow, {}}};
    return parts;
  }());
  const Program refuse_all = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | 1}};
  const auto found = differences(profile, refuse_all, Flavour::kCrun);
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ((*found)[0].syscall, "mseal");
  EXPECT_EQ((*found)[0].nr, *syscalls::number(syscalls::Arch::kX86_64, "mseal"));
}

// The family of a socket rule is lost in socketcall, whose arguments are behind a pointer.
TEST(Faithful, FindsSocketcallOnX86) {
  const auto found = compare({{{"socket"}, kAllow, {condition(0, Operator::kEq, 1)}}},
                             Flavour::kNative, {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].arch, syscalls::Arch::kX86);
  EXPECT_EQ(found[0].syscall, "socketcall");
  EXPECT_EQ(found[0].compiled, kAllow);
}

// Argument vectors at and beside every constant of the rules.
std::vector<Arguments> points_of(const std::vector<Rule>& rules, RandomRules& random) {
  std::array<std::vector<std::uint64_t>, 6> values;
  for (const Rule& rule : rules) {
    for (const Condition& c : rule.args) {
      for (const std::uint64_t v : {c.value, c.value_two, c.value_two | ~c.value}) {
        values[c.index].insert(values[c.index].end(),
                               {v, v - 1, v + 1, v ^ (std::uint64_t{1} << 32U), v & UINT32_MAX});
      }
    }
  }
  std::vector<Arguments> points;
  for (int i = 0; i < 150; ++i) {
    Arguments args{};
    for (std::size_t k = 0; k < args.size(); ++k) {
      if (!values[k].empty())
        args[k] = values[k][random.below(static_cast<std::uint32_t>(values[k].size()))];
    }
    points.push_back(args);
  }
  return points;
}

struct Counts {
  int sets = 0;
  int different = 0;
  int refused = 0;  // libseccomp says no: the same condition with another action
  int endless = 0;
};

// One random rule set, compiled for a 64-bit and a 32-bit ABI: the decision of the document is a
// partition that agrees with documented_verdict(), and differences() finds every pair of verdicts
// that any of the points shows. Its own witnesses it confirms itself.
void check_rule_set(RandomRules& random, Counts& counts) {
  const std::vector<Rule> rules = random.rules("dup2");
  Profile::Parts parts;
  parts.default_verdict = kEperm;
  parts.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"};
  parts.rules = rules;
  const Profile profile(std::move(parts));
  const auto compiled = compile(profile, Flavour::kNative);
  ++counts.sets;
  if (!compiled) {
    ++(compiled.error().message.find("for ever") != std::string::npos ? counts.endless
                                                                      : counts.refused);
    return;
  }
  const auto found = differences(profile, compiled->program, Flavour::kNative);
  ASSERT_TRUE(found) << found.error().text();
  counts.different += found->empty() ? 0 : 1;
  for (const Difference& difference : *found) ASSERT_EQ(difference.syscall, "dup2");
  for (const syscalls::Arch arch : {syscalls::Arch::kX86_64, syscalls::Arch::kX86}) {
    const std::uint32_t nr = *syscalls::number(arch, "dup2");
    const Decision decision = documented_decision(profile, arch, "dup2");
    ASSERT_TRUE(decision.decided);
    for (Arguments args : points_of(rules, random)) {
      const Verdict documented = profile::documented_verdict(profile, arch, "dup2", args);
      const auto matches = [&args](const Path& path) {
        for (std::size_t i = 0; i < path.words.size(); ++i) {
          if (!path.words[i].holds(static_cast<std::uint32_t>(args[i / 2] >> (i % 2 * 32)))) {
            return false;
          }
        }
        return true;
      };
      ASSERT_EQ(std::count_if(decision.paths.begin(), decision.paths.end(), matches), 1);
      const auto path = std::find_if(decision.paths.begin(), decision.paths.end(), matches);
      ASSERT_EQ(path->verdict, documented);
      const Verdict real = *evaluate(compiled->program, call(arch, nr, args));
      if (real == documented) continue;
      ASSERT_TRUE(std::any_of(found->begin(), found->end(), [&](const Difference& d) {
        return d.arch == arch && d.documented == documented && d.compiled == real;
      })) << "a difference that was not found";
    }
  }
}

// check-all runs 20,000 sets: WHITTLE_RULE_SETS.
TEST(Faithful, FindsEveryDifferenceOfRandomRuleSets) {
  const char* wanted = std::getenv("WHITTLE_RULE_SETS");
  const int sets = wanted == nullptr ? 100 : std::atoi(wanted);
  RandomRules random(3);
  Counts counts;
  for (int i = 0; i < sets; ++i) {
    check_rule_set(random, counts);
    ASSERT_FALSE(HasFatalFailure()) << "rule set " << i;
  }
  RecordProperty("different", counts.different);
  RecordProperty("refused", counts.refused);
  RecordProperty("endless", counts.endless);
  std::printf("%d rule sets: %d compiled otherwise than documented, %d refused, %d endless\n",
              counts.sets, counts.different, counts.refused, counts.endless);
  EXPECT_GT(counts.different, sets / 100);
  EXPECT_LT(counts.refused + counts.endless, sets / 4);
}

}  // namespace
}  // namespace whittle::filter
