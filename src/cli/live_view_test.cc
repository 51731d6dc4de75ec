#include "cli/live_view.h"

#include <gtest/gtest.h>

namespace whittle::cli {
namespace {

evidence::Run run_at(double seconds, std::initializer_list<std::uint32_t> numbers) {
  evidence::Run run;
  run.duration = seconds;
  for (const std::uint32_t nr : numbers) {
    evidence::Observation call;
    call.arch = syscalls::host_arch();
    call.name = "call" + std::to_string(nr);
    call.nr = nr;
    call.count = 2;
    run.syscalls.push_back(call);
  }
  return run;
}

TEST(RunSummary, CountsCallsAndLosses) {
  evidence::Run run = run_at(1, {1, 2});
  run.lost = {{"values", 2}, {"calls", 1}};
  EXPECT_EQ(run_summary(run), "4 calls, 2 distinct, 3 lost");
}

// Standard error is no terminal here.
TEST(LiveView, PrintsALineEveryTenSeconds) {
  LiveView view;
  const auto shown = [&](const evidence::Run& run) {
    testing::internal::CaptureStderr();
    view.show(run, "ready");
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_EQ(shown(run_at(1, {1})), "");
  EXPECT_EQ(shown(run_at(7, {1, 2})), "");
  EXPECT_EQ(shown(run_at(10.1, {1, 2})),
            "whittle: recording: 10 s, ready: 4 calls, 2 distinct, 0 lost; new 3 s ago: call2\n");
  EXPECT_EQ(shown(run_at(11, {1, 2, 3, 4, 5, 6})), "");
  EXPECT_EQ(shown(run_at(20, {1, 2, 3, 4, 5, 6, 7})),
            "whittle: recording: 20 s, ready: 14 calls, 7 distinct, 0 lost; new: call7\n");
}

}  // namespace
}  // namespace whittle::cli
