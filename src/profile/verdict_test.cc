#include "profile/verdict.h"

#include <gtest/gtest.h>

namespace whittle::profile {
namespace {

TEST(Verdict, Texts) {
  EXPECT_EQ(verdict_text({Action::kAllow, 0}), "allow");
  EXPECT_EQ(verdict_text({Action::kErrno, 1}), "errno EPERM");
  EXPECT_EQ(verdict_text({Action::kErrno, 0}), "errno 0");
  EXPECT_EQ(verdict_text({Action::kErrno, 4000}), "errno 4000");
  EXPECT_EQ(verdict_text({Action::kTrace, 7}), "trace 7");
  EXPECT_EQ(verdict_text({Action::kKillProcess, 0}), "kill_process");
  EXPECT_EQ(action_name(Action::kKillThread), "kill_thread");
  EXPECT_EQ(action_name(Action::kTrap), "trap");
  EXPECT_EQ(action_name(Action::kNotify), "notify");
  EXPECT_EQ(action_name(Action::kLog), "log");
}

TEST(Verdict, LogAllowsTheCall) {
  EXPECT_TRUE((Verdict{Action::kLog, 0}).allows());
  EXPECT_TRUE((Verdict{Action::kAllow, 0}).allows());
  EXPECT_FALSE((Verdict{Action::kNotify, 0}).allows());
  EXPECT_FALSE((Verdict{Action::kTrace, 0}).allows());
}

TEST(Errno, NamesGoBothWays) {
  EXPECT_EQ(errno_text(38), "ENOSYS");
  EXPECT_EQ(errno_from_text("ENOSYS"), 38);
  EXPECT_EQ(errno_from_text("EWOULDBLOCK"), errno_from_text("EAGAIN"));
  EXPECT_EQ(errno_from_text("ENOTSUP"), errno_from_text("EOPNOTSUPP"));
  EXPECT_EQ(errno_from_text("EDEADLOCK"), errno_from_text("EDEADLK"));
  EXPECT_EQ(errno_from_text("ENOSUCH"), std::nullopt);
  EXPECT_EQ(errno_from_text(""), std::nullopt);
  for (std::uint16_t number = 1; number <= 133; ++number) {
    if (number == 41 || number == 58) continue;  // EWOULDBLOCK's and EDEADLOCK's numbers elsewhere
    EXPECT_EQ(errno_from_text(errno_text(number)), number);
  }
}

}  // namespace
}  // namespace whittle::profile
