#include "record/ticker.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <cerrno>

namespace whittle::record {
namespace {

TEST(Ticker, InterruptsAgainAndAgainAndLeavesNothingBehind) {
  struct sigaction before = {};
  ::sigaction(SIGALRM, nullptr, &before);
  {
    Ticker ticker;
    ASSERT_TRUE(ticker.start(0.01));
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(::poll(nullptr, 0, 10000), -1);
      EXPECT_EQ(errno, EINTR);
    }
  }
  struct sigaction after = {};
  ::sigaction(SIGALRM, nullptr, &after);
  EXPECT_EQ(after.sa_handler, before.sa_handler);
  EXPECT_EQ(::poll(nullptr, 0, 30), 0);
}

}  // namespace
}  // namespace whittle::record
