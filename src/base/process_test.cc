#include "base/process.h"

#include <gtest/gtest.h>

#include <csignal>

namespace whittle {
namespace {

TEST(SignalFromName, TakesNamesAndNumbers) {
  EXPECT_EQ(signal_from_name("QUIT"), SIGQUIT);
  EXPECT_EQ(signal_from_name("SIGTERM"), SIGTERM);
  EXPECT_EQ(signal_from_name("15"), SIGTERM);
  EXPECT_EQ(signal_from_name("RTMIN"), SIGRTMIN);
  EXPECT_EQ(signal_from_name("SIGRTMIN+3"), SIGRTMIN + 3);
  EXPECT_EQ(signal_from_name("RTMAX-1"), SIGRTMAX - 1);
  EXPECT_EQ(signal_from_name("RTMAX"), SIGRTMAX);
}

TEST(SignalFromName, RefusesTheRest) {
  for (const char* name : {"", "0", "65", "SIG", "quit", "NOPE", "-9", "RTMIN3", "RTMIN-1",
                           "RTMAX+1", "RTMIN+99", "RTMIN+", "18446744073709551616"}) {
    EXPECT_FALSE(signal_from_name(name)) << name;
  }
}

TEST(SignalName, IsReadBack) {
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    if (signal == 32 || signal == 33) continue;  // the C library keeps them to itself
    EXPECT_EQ(signal_from_name(signal_name(signal)), signal) << signal_name(signal);
  }
  EXPECT_EQ((ExitStatus{0, SIGSEGV}.text()), "killed by SIGSEGV");
}

}  // namespace
}  // namespace whittle
