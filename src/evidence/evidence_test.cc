#include "evidence/evidence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "base/text.h"
#include "syscalls/table.h"

namespace whittle::evidence {
namespace {

using syscalls::Arch;
using syscalls::ArgumentKind;
using testing::ElementsAre;

Observation call(const std::string& name, std::uint64_t count, Arch arch = Arch::kX86_64) {
  Observation seen;
  seen.arch = arch;
  seen.name = name;
  seen.nr = syscalls::number(arch, name).value();
  seen.count = count;
  return seen;
}

Run run(const std::string& id, std::vector<Observation> calls = {}) {
  Run r;
  r.id = id;
  r.source = "ebpf";
  r.complete = true;
  r.syscalls = std::move(calls);
  return r;
}

Evidence evidence(std::vector<Run> runs) { return {"w", std::move(runs)}; }

const std::string kA = "aaaaaaaaaaaaaaaa";
const std::string kB = "bbbbbbbbbbbbbbbb";

TEST(Observation, NeededLeavesOutRefusedAndUnimplementedCalls) {
  Observation seen = call("clone3", 5);
  EXPECT_EQ(seen.needed(), 5U);
  seen.errnos = {{"EAGAIN", 4}};
  EXPECT_EQ(seen.needed(), 5U);  // the kernel did look at them
  seen.errnos = {{"ENOSYS", 5}};
  EXPECT_EQ(seen.needed(), 0U);
  seen.errnos = {{"ENOSYS", 2}};
  EXPECT_EQ(seen.needed(), 3U);
  seen.errnos = {{"ENOSYS", 9}};
  EXPECT_EQ(seen.needed(), 0U);
  seen.errnos = {{"EPERM", 2}};
  seen.refused = 2;
  EXPECT_EQ(seen.needed(), 3U);
  seen.refused = 5;
  EXPECT_EQ(seen.needed(), 0U);
}

TEST(Observation, ARefusalByENOSYSIsOneCallNotTwo) {
  // Two of four were refused with ENOSYS; the other two worked, and must not be lost.
  Observation seen = call("clone", 4);
  seen.refused = 2;
  seen.errnos = {{"ENOSYS", 2}};
  EXPECT_EQ(seen.needed(), 2U);
}

TEST(Evidence, IsCompleteWhenEveryRunIs) {
  EXPECT_FALSE(evidence({}).complete());
  Evidence e = evidence({run(kA), run(kB)});
  EXPECT_TRUE(e.complete());
  e.runs[1].complete = false;
  EXPECT_FALSE(e.complete());
}

TEST(Evidence, SummaryAddsUp) {
  Observation one = call("openat", 3);
  one.first = 0.5;
  one.last = 2;
  one.phases = {"startup", "stop"};
  one.errnos = {{"ENOENT", 1}};
  Observation two = call("openat", 4);
  two.refused = 1;
  two.first = 0.25;
  two.last = 1;
  two.phases = {"ready", "get"};
  two.errnos = {{"ENOENT", 2}, {"EACCES", 1}};
  const auto sums =
      evidence({run(kA, {one}), run(kB, {call("read", 1), two, call("read", 1, Arch::kX86)})})
          .syscalls();
  ASSERT_EQ(sums.size(), 3U);
  EXPECT_EQ(sums[0].name, "read");
  EXPECT_EQ(sums[1].count, 7U);
  EXPECT_EQ(sums[1].refused, 1U);
  EXPECT_EQ(sums[1].first, 0.25);
  EXPECT_EQ(sums[1].last, 2);
  EXPECT_THAT(sums[1].phases, ElementsAre("startup", "ready", "get", "stop"));
  EXPECT_EQ(sums[1].errnos, (std::map<std::string, std::uint64_t>{{"EACCES", 1}, {"ENOENT", 3}}));
  EXPECT_EQ(sums[2].arch, Arch::kX86);
}

TEST(Evidence, SummaryDoesNotOverflow) {
  const auto sums =
      evidence({run(kA, {call("read", UINT64_MAX)}), run(kB, {call("read", 2)})}).syscalls();
  EXPECT_EQ(sums[0].count, UINT64_MAX);
}

TEST(Evidence, SummaryUnitesValues) {
  Observation one = call("clone", 1);
  one.args = {{0, ArgumentKind::kFlags, true, {0x11}}};
  Observation two = call("clone", 1);
  two.args = {{0, ArgumentKind::kFlags, true, {0x11, 0x1200011}}};
  auto sums = evidence({run(kA, {one}), run(kB, {two})}).syscalls();
  EXPECT_THAT(sums[0].args[0].values, ElementsAre(0x11, 0x1200011));
  EXPECT_TRUE(sums[0].args[0].closed);
  two.args[0].closed = false;
  sums = evidence({run(kA, {one}), run(kB, {two})}).syscalls();
  EXPECT_FALSE(sums[0].args[0].closed);
}

TEST(Evidence, ARunThatKeptNoValuesOpensTheSet) {
  Observation with = call("socket", 1);
  with.tuples = {{{0, 1, 2}, true, {{2, 1, 6}}}};
  Observation without = call("socket", 1);
  EXPECT_FALSE(evidence({run(kA, {with}), run(kB, {without})}).syscalls()[0].tuples[0].closed);
  EXPECT_FALSE(evidence({run(kA, {without}), run(kB, {with})}).syscalls()[0].tuples[0].closed);
  without.refused = 1;  // what was refused is not needed, and says nothing of the values
  EXPECT_TRUE(evidence({run(kA, {with}), run(kB, {without})}).syscalls()[0].tuples[0].closed);
}

TEST(Merge, TakesTheBetterOfTwoRunsWithOneId) {
  auto checkpoint = run(kA, {call("read", 1)});
  checkpoint.complete = false;
  checkpoint.duration = 9;
  auto done = run(kA, {call("read", 2)});
  done.duration = 5;
  const auto winner = [](const auto& a, const auto& b) {
    const std::vector<Evidence> parts = {evidence({a}), evidence({b})};
    const Evidence merged = merge(parts);
    EXPECT_EQ(merged.runs.size(), 1U);
    return merged.runs[0];
  };
  EXPECT_EQ(winner(checkpoint, done), done);
  EXPECT_EQ(winner(done, checkpoint), done);
  checkpoint.complete = true;
  EXPECT_EQ(winner(checkpoint, done), checkpoint);  // the longer one
  done.duration = 9;
  EXPECT_EQ(winner(checkpoint, done), winner(done, checkpoint));
}

TEST(Merge, WorkloadIsTheSameInAnyOrder) {
  const std::vector<Evidence> parts = {{"", {}}, {"redis", {}}, {"nginx", {}}};
  EXPECT_EQ(merge(parts).workload, "nginx");
  const std::vector<Evidence> turned = {parts[2], parts[1], parts[0]};
  EXPECT_EQ(merge(turned).workload, "nginx");
  EXPECT_EQ(merge({}).workload, "");
}

// Random evidence with few ids, calls and values, so that they collide often.
class Maker {
 public:
  explicit Maker(unsigned seed) : random_(seed) {}

  Evidence evidence() {
    Evidence e;
    e.workload = pick({"", "nginx", "redis"});
    std::vector<std::string> ids = {kA, kB, "cccccccccccccccc", "0123456789abcdef-01"};
    std::shuffle(ids.begin(), ids.end(), random_);
    ids.resize(below(ids.size() + 1));
    for (const std::string& id : ids) e.runs.push_back(one_run(id));
    return e;
  }
  std::mt19937& random() { return random_; }

 private:
  std::size_t below(std::size_t n) { return random_() % n; }
  std::string pick(std::vector<std::string> choices) { return choices[below(choices.size())]; }
  double seconds() { return static_cast<double>(below(4)) * 1.23456; }

  Run one_run(const std::string& id) {
    Run r = run(id);
    r.source = pick({"ebpf", "ptrace"});
    r.started = pick({"", "2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z"});
    r.duration = seconds();
    r.complete = below(2) == 0;
    if (!r.complete) r.lost = {{"events", below(3)}};
    r.under = pick({"none", "fallbacks"});
    r.command = {"sh", "-c", pick({"true\n\"quoted\"", "\xff not UTF-8"})};
    if (below(2) == 0) r.exit = static_cast<int>(below(256));
    const std::uint32_t numbers[] = {56, 41, 0, 2, 471, 9999};
    for (const std::uint32_t nr : numbers) {
      if (below(2) == 0) r.syscalls.push_back(observation(nr));
    }
    std::shuffle(r.syscalls.begin(), r.syscalls.end(), random_);
    return r;
  }

  Observation observation(std::uint32_t nr) {
    Observation seen;
    seen.nr = nr;
    seen.name =
        nr == 471 ? "syscall_471" : syscalls::display_name(Arch::kX86_64, nr);  // an older table
    seen.count = 5 + below(5);
    seen.refused = below(3);
    seen.first = seconds();
    seen.last = seen.first + seconds();
    seen.phases = {pick({"ready", "stop", "get"}), pick({"startup", "post"})};
    if (below(2) == 0) seen.errnos = {{"ENOSYS", below(4)}, {"ENOENT", below(4)}};
    if (nr == 56) seen.args = {{0, ArgumentKind::kFlags, below(2) == 0, {wide(), wide()}}};
    if (nr == 41) seen.tuples = {{{0, 1, 2}, below(2) == 0, {{wide(), 1, 0}, {2, wide(), 6}}}};
    return seen;
  }

  // Some with bits that the argument's width does not have.
  std::uint64_t wide() { return below(3) | (std::uint64_t{below(2)} << 40U); }

  std::mt19937 random_;
};

std::string merged(const std::vector<Evidence>& parts) { return write(merge(parts)); }

TEST(MergeProperty, AnyOrderAndAnyGroupingGiveTheSameBytes) {
  for (unsigned seed = 0; seed < 25; ++seed) {
    Maker make(seed);
    const Evidence a = make.evidence();
    const Evidence b = make.evidence();
    const Evidence c = make.evidence();
    const std::string all = merged({a, b, c});
    EXPECT_EQ(merged({c, b, a}), all) << seed;
    EXPECT_EQ(merged({merge(std::vector{a, b}), c}), all) << seed;
    EXPECT_EQ(merged({a, merge(std::vector{c, b})}), all) << seed;
    EXPECT_EQ(merged({a, a, b, c, b}), all) << seed;
    EXPECT_EQ(merged({merge(std::vector{a, b, c})}), all) << seed;
  }
}

TEST(MergeProperty, WritingWhatWasReadGivesTheSameBytes) {
  for (unsigned seed = 0; seed < 25; ++seed) {
    Maker make(seed);
    Evidence e = make.evidence();
    const std::string text = write(e);
    const Result<Evidence> again = read(text, "test");
    ASSERT_TRUE(again) << again.error().text() << "\n" << text;
    EXPECT_EQ(write(*again), text) << seed;
    std::shuffle(e.runs.begin(), e.runs.end(), make.random());
    EXPECT_EQ(write(e), text) << seed;
  }
}

}  // namespace
}  // namespace whittle::evidence
