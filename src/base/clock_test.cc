#include "base/clock.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace whittle {
namespace {

TEST(Clock, ReadsTheTimesThatItWrites) {
  EXPECT_EQ(utc_timestamp(1795989927.0), "2026-11-29T22:05:27.000Z");
  EXPECT_DOUBLE_EQ(seconds_since_1970("2026-11-29T22:05:27.000Z").value_or(-1), 1795989927.0);
  EXPECT_DOUBLE_EQ(seconds_since_1970("1970-01-01T00:00:00Z").value_or(-1), 0);
  EXPECT_NEAR(seconds_since_1970("1970-01-01T00:00:01.25Z").value_or(-1), 1.25, 1e-9);
  const auto now = seconds_since_1970(utc_timestamp());
  ASSERT_TRUE(now);
  EXPECT_NEAR(seconds_since_1970(utc_timestamp(*now)).value_or(-1), *now, 0.002);
}

TEST(Clock, TakesNothingElse) {
  for (const char* text :
       {"", "Z", "2026-11-29T22:05:27", "2026-11-29 22:05:27Z", "2026-02-31T00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-01-01T24:30:00Z", "1969-12-31T23:59:59Z",
        "2026-11-29T22:05:27.Z", "2026-11-29T22:05:27.1xZ", "2026-11-29T22:05:27+01:00"}) {
    EXPECT_FALSE(seconds_since_1970(text)) << text;
  }
}

TEST(Duration, TakesDays) {
  EXPECT_EQ(parse_duration("7d"), 604800.0);
  EXPECT_EQ(parse_duration("2h"), 7200.0);
  EXPECT_FALSE(parse_duration("d"));
  EXPECT_FALSE(parse_duration("7w"));
}

}  // namespace
}  // namespace whittle
