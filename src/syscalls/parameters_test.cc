#include "syscalls/parameters.h"

#include <gtest/gtest.h>

#include "syscalls/arguments.h"
#include "syscalls/table.h"

namespace whittle::syscalls {
namespace {

TEST(Parameters, AreTheOnesOfTheManPages) {
  EXPECT_EQ(parameter_count("getppid"), 0U);
  EXPECT_EQ(parameter_count("close"), 1U);
  EXPECT_EQ(parameter_count("mkdir"), 2U);
  EXPECT_EQ(parameter_count("socket"), 3U);
  EXPECT_EQ(parameter_count("openat"), 4U);
  EXPECT_EQ(parameter_count("clone"), 5U);
  EXPECT_EQ(parameter_count("mmap"), 6U);
  EXPECT_EQ(parameter_count("stat"), 2U) << "under the name of the call, not of the function";
  EXPECT_FALSE(parameter_count("no_such_call"));
}

TEST(Parameters, EachCallThatTheKernelHasIsThere) {
  std::size_t missing = 0;
  for (const Entry& entry : entries(Arch::kX86_64)) missing += parameter_count(entry.name) ? 0 : 1;
  EXPECT_LE(missing, 12U) << "those that Linux never had or has dropped";
}

TEST(Parameters, RecordedArgumentsAreAmongThem) {
  for (const ArgumentSpec& spec : argument_table()) {
    EXPECT_LT(spec.indexes.back(), parameter_count(spec.syscall).value_or(6)) << spec.syscall;
  }
}

}  // namespace
}  // namespace whittle::syscalls
