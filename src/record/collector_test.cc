#include "record/collector.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "syscalls/table.h"

namespace whittle::record {
namespace {

using evidence::Observation;
using syscalls::Arch;

Call call_of(std::string_view name, std::array<std::uint64_t, 6> args = {},
             std::optional<std::int64_t> result = 0) {
  Call call;
  call.nr = syscalls::number(Arch::kX86_64, name).value();
  call.args = args;
  call.phase = "startup";
  call.result = result;
  return call;
}

Observation only(const Collector& collector) {
  const auto all = collector.observations();
  EXPECT_EQ(all.size(), 1U);
  return all.at(0);
}

TEST(IsErrno, IsTheKernelsRange) {
  EXPECT_FALSE(is_errno(0));
  EXPECT_FALSE(is_errno(3));
  EXPECT_TRUE(is_errno(-1));
  EXPECT_TRUE(is_errno(-4095));
  EXPECT_FALSE(is_errno(-4096));
}

TEST(Collector, CountsCallsAndResults) {
  Collector collector;
  collector.add(call_of("read", {}, 12));
  collector.add(call_of("read", {}, -EBADF));
  collector.add(call_of("read", {}, -512));
  collector.add(call_of("read", {}, std::nullopt));
  const Observation seen = only(collector);
  EXPECT_EQ(seen.name, "read");
  EXPECT_EQ(seen.count, 4U);
  EXPECT_EQ(seen.errnos, (std::map<std::string, std::uint64_t>{{"EBADF", 1}, {"ERESTARTSYS", 1}}));
  EXPECT_TRUE(seen.args.empty());
}

TEST(Collector, SigreturnHasNoResultOfItsOwn) {
  Collector collector;
  collector.add(call_of("rt_sigreturn", {}, -EINTR));
  EXPECT_EQ(only(collector).count, 1U);
  EXPECT_TRUE(only(collector).errnos.empty());
}

TEST(Collector, SortsByAbiThenNumber) {
  Collector collector;
  Call x32 = call_of("write");
  x32.arch = Arch::kX32;
  x32.nr |= syscalls::kX32Bit;
  Call x86 = call_of("write");
  x86.arch = Arch::kX86;
  x86.nr = 4;
  for (const Call& call : {x32, x86, call_of("write"), call_of("read")}) collector.add(call);
  std::vector<std::string> order;
  for (const Observation& seen : collector.observations()) {
    order.push_back(std::string(syscalls::arch_name(seen.arch)) + " " + seen.name);
  }
  EXPECT_EQ(order,
            (std::vector<std::string>{"x86_64 read", "x86_64 write", "x86 write", "x32 write"}));
}

TEST(Collector, KeepsTimesAndPhases) {
  Collector collector;
  for (const auto& [seconds, phase] : std::vector<std::pair<double, std::string>>{
           {2.0, "ready"}, {1.0, "startup"}, {5.0, "stop"}, {3.0, "ready"}, {4.0, "get"}}) {
    Call call = call_of("read");
    call.seconds = seconds;
    call.phase = phase;
    collector.add(call);
  }
  const Observation seen = only(collector);
  EXPECT_EQ(seen.first, 1.0);
  EXPECT_EQ(seen.last, 5.0);
  EXPECT_EQ(seen.phases, (std::vector<std::string>{"startup", "ready", "get", "stop"}));
}

TEST(Collector, CutsArgumentsToTheWidthThatTheKernelLooksAt) {
  Collector collector;
  collector.add(call_of("personality", {UINT64_MAX}));
  collector.add(call_of("personality", {0xdeadbeef'00000008}));
  const Observation seen = only(collector);
  ASSERT_EQ(seen.args.size(), 1U);
  EXPECT_EQ(seen.args[0].index, 0U);
  EXPECT_TRUE(seen.args[0].closed);
  EXPECT_EQ(seen.args[0].values, (std::set<std::uint64_t>{8, 0xffffffff}));
}

TEST(Collector, KeepsTuplesTogether) {
  Collector collector;
  collector.add(call_of("socket", {2, 1, 6, 99}));
  collector.add(call_of("socket", {0xf'00000001, 2, 0, 98}));
  const Observation seen = only(collector);
  ASSERT_EQ(seen.tuples.size(), 1U);
  EXPECT_TRUE(seen.args.empty());
  EXPECT_EQ(seen.tuples[0].indexes, (std::vector<unsigned>{0, 1, 2}));
  EXPECT_EQ(seen.tuples[0].values, (std::set<std::vector<std::uint64_t>>{{1, 2, 0}, {2, 1, 6}}));
}

TEST(Collector, OpensASetThatGrowsBeyondItsBound) {
  Collector collector;
  for (std::uint64_t i = 0; i < kMostValues; ++i) collector.add(call_of("socket", {i, 1, 0}));
  collector.add(call_of("socket", {0, 1, 0}));
  EXPECT_TRUE(only(collector).tuples.at(0).closed);
  collector.add(call_of("socket", {kMostValues, 1, 0}));
  EXPECT_FALSE(only(collector).tuples.at(0).closed);
  EXPECT_EQ(only(collector).tuples.at(0).values.size(), kMostValues);
  EXPECT_EQ(only(collector).count, kMostValues + 2);
}

TEST(Collector, KeepsSeveralUnitsOfACall) {
  Collector collector;
  collector.add(call_of("mmap", {0, 4096, 3, 0x22}));
  collector.add(call_of("mmap", {0, 4096, 5, 0x22}));
  const Observation seen = only(collector);
  ASSERT_EQ(seen.args.size(), 2U);
  EXPECT_EQ(seen.args[0].index, 2U);
  EXPECT_EQ(seen.args[0].values, (std::set<std::uint64_t>{3, 5}));
  EXPECT_EQ(seen.args[1].index, 3U);
  EXPECT_EQ(seen.args[1].values, (std::set<std::uint64_t>{0x22}));
}

TEST(Collector, KeepsNothingWhereTheNameIsAnotherCall) {
  Collector collector;
  Call call = call_of("mmap", {0x1000, 1, 2, 3});
  call.arch = Arch::kX86;
  call.nr = 90;
  collector.add(call);
  EXPECT_EQ(only(collector).name, "mmap");
  EXPECT_TRUE(only(collector).args.empty());
}

Call refused_call(std::array<std::uint64_t, 6> args, std::optional<std::int64_t> result = -EPERM) {
  Call call = call_of("socket", args, result);
  call.refused = true;
  call.looked_at = 1;
  call.comm = "sh";
  return call;
}

TEST(Collector, KeepsRefusedCallsByKind) {
  Collector collector;
  collector.add(refused_call({40, 1, 0, 7, 8, 9}));
  collector.add(refused_call({38, 5, 0}));
  collector.add(refused_call({38, 5, 0}));
  collector.add(refused_call({38, 5, 0}, std::nullopt));
  const Observation seen = only(collector);
  ASSERT_EQ(seen.refusals.size(), 3U);
  EXPECT_EQ(seen.refusals[0],
            (evidence::Refusal{{38, 5, 0, 0, 0, 0}, "EPERM", "startup", "sh", 2}));
  EXPECT_EQ(seen.refusals[1],
            (evidence::Refusal{{40, 1, 0, 7, 8, 9}, "EPERM", "startup", "sh", 1}));
  EXPECT_EQ(seen.refusals[2].error, "killed");
  EXPECT_TRUE(seen.refusals_closed);
}

TEST(Collector, LaterRefusedCallsKeepWhatTheFilterLooksAt) {
  Collector collector;
  for (std::uint64_t i = 0; i < 10 * evidence::kMostRefusals; ++i) {
    collector.add(refused_call({38, i + 1}));
  }
  const Observation seen = only(collector);
  EXPECT_EQ(seen.refusals.size(), evidence::kMostRefusals);
  EXPECT_FALSE(seen.refusals_closed);
  EXPECT_EQ(seen.refusals[0].args, (std::array<std::uint64_t, 6>{38, 0, 0, 0, 0, 0}));
  EXPECT_EQ(seen.refusals[0].count, 9 * evidence::kMostRefusals);
}

TEST(Collector, KeepsNoArgumentsOfRefusedCalls) {
  Collector collector;
  Call refused = call_of("socket", {38, 5, 0}, -EPERM);
  refused.refused = true;
  collector.add(refused);
  EXPECT_EQ(only(collector).count, 1U);
  EXPECT_EQ(only(collector).refused, 1U);
  EXPECT_EQ(only(collector).needed(), 0U);
  EXPECT_TRUE(only(collector).tuples.empty());
  collector.add(call_of("socket", {2, 1, 0}, 3));
  EXPECT_EQ(only(collector).refused, 1U);
  EXPECT_EQ(only(collector).needed(), 1U);
  EXPECT_EQ(only(collector).tuples.at(0).values, (std::set<std::vector<std::uint64_t>>{{2, 1, 0}}));
}

TEST(Collector, TakesTheFlagsOfClone3FromItsStruct) {
  Collector collector;
  Call call = call_of("clone3", {0x7fff0000, 88}, 100);
  call.in_struct = 0x1'00004111;
  collector.add(call);
  EXPECT_EQ(only(collector).args.at(0).values, (std::set<std::uint64_t>{0x1'00004111}));
  EXPECT_EQ(collector.lost().at("arguments"), 0U);
}

TEST(Collector, AnUnknownStructIsALossUnlessTheKernelDidNotActOnIt) {
  for (const int error : {ENOSYS, EFAULT, EINVAL, E2BIG}) {
    Collector collector;
    collector.add(call_of("clone3", {}, -error));
    EXPECT_EQ(collector.lost().at("arguments"), 0U) << error;
    EXPECT_TRUE(only(collector).args.empty());
  }
  for (const std::optional<std::int64_t> result :
       {std::optional<std::int64_t>(100), std::optional<std::int64_t>(-EPERM),
        std::optional<std::int64_t>()}) {
    Collector collector;
    collector.add(call_of("clone3", {}, result));
    EXPECT_EQ(collector.lost().at("arguments"), 1U);
    EXPECT_FALSE(only(collector).args.at(0).closed);
  }
}

TEST(Collector, BoundsNumbersWithoutAName) {
  Collector collector;
  Call call = call_of("read");
  for (std::uint32_t i = 0; i < kMostUnnamed + 5; ++i) {
    call.nr = 5000 + i;
    collector.add(call);
  }
  EXPECT_EQ(collector.observations().size(), kMostUnnamed);
  EXPECT_EQ(collector.observations().at(0).name, "syscall_5000");
  EXPECT_EQ(collector.lost().at("calls"), 5U);
  collector.add(call_of("read"));  // one with a name still has its place
  EXPECT_EQ(collector.observations().size(), kMostUnnamed + 1);
  EXPECT_EQ(collector.lost().at("calls"), 5U);
}

}  // namespace
}  // namespace whittle::record
