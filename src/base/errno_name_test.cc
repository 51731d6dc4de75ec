#include "base/errno_name.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/text.h"

namespace whittle {
namespace {

TEST(ErrnoName, IsTheCLibrarys) {
  for (int number = 1; number <= 133; ++number) {
    const char* name = strerrorname_np(number);
    EXPECT_EQ(errno_name(number), name == nullptr ? format("E{}", number) : name);
  }
}

TEST(ErrnoName, KernelInternalOnesAndNumbersWithoutAName) {
  EXPECT_EQ(errno_name(512), "ERESTARTSYS");
  EXPECT_EQ(errno_name(516), "ERESTART_RESTARTBLOCK");
  EXPECT_EQ(errno_name(524), "ENOTSUPP");
  EXPECT_EQ(errno_name(531), "ENOGRACE");
  EXPECT_EQ(errno_name(520), "E520");
  EXPECT_EQ(errno_name(41), "E41");
  EXPECT_EQ(errno_name(0), "E0");
  EXPECT_EQ(errno_name(4095), "E4095");
}

TEST(ErrnoName, BackFromTheName) {
  for (int number = 1; number <= 133; ++number) {
    if (strerrorname_np(number) == nullptr) continue;
    EXPECT_EQ(errno_from_name(errno_name(number)), number);
  }
  EXPECT_EQ(errno_from_name("EWOULDBLOCK"), errno_from_name("EAGAIN"));
  EXPECT_EQ(errno_from_name("ENOTSUP"), errno_from_name("EOPNOTSUPP"));
  EXPECT_EQ(errno_from_name("EDEADLOCK"), errno_from_name("EDEADLK"));
  EXPECT_EQ(errno_from_name("ENOSUCH"), std::nullopt);
  EXPECT_EQ(errno_from_name(""), std::nullopt);
}

}  // namespace
}  // namespace whittle
