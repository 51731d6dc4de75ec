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

}  // namespace
}  // namespace whittle::profile
