#include "host/budget.h"

#include <gtest/gtest.h>

#include "host/workload.h"

namespace whittle::host {
namespace {

TEST(Budget, EveryKeyIsReadWithItsLine) {
  const auto budget = parse_budget(
      "against: git:main\nstale: 5\nkeep: [getrandom]\nscore: 50\ncalls: 120\n"
      "outside: [mkdir]\nevidence: [a.json, /b/c.json]\n",
      "/x/budget.yaml");
  ASSERT_TRUE(budget) << budget.error().text();
  EXPECT_EQ(budget->file, "/x/budget.yaml");
  EXPECT_EQ(budget->against, "git:main");
  ASSERT_TRUE(budget->stale && budget->score && budget->calls);
  EXPECT_EQ(budget->stale->value, 5U);
  EXPECT_EQ(budget->stale->line, 2U);
  EXPECT_EQ(budget->score->line, 4U);
  EXPECT_EQ(budget->calls->value, 120U);
  EXPECT_EQ(budget->keep, std::vector<std::string>{"getrandom"});
  EXPECT_EQ(budget->outside, std::vector<std::string>{"mkdir"});
  EXPECT_EQ(budget->evidence, (std::vector<std::string>{"/x/a.json", "/b/c.json"}));
}

TEST(Budget, WhatIsWrongIsSaidWithItsPlace) {
  const std::pair<const char*, const char*> wrong[] = {
      {"calls: 1\nstal: 2\n", "stal"},     {"stale: 0\n", "from 1 to 1000"},
      {"stale: many\n", "/stale"},         {"keep: [getrandum]\n", "no system call"},
      {"score: -1\n", "/score"},           {"against: ''\n", "empty"},
      {"evidence: e.json\n", "/evidence"}, {"- a\n", "object"},
      {"calls: 1\ncalls: 2\n", "twice"},   {"outside: [1]\n", "/outside/0"},
  };
  for (const auto& [text, said] : wrong) {
    const auto budget = parse_budget(text, "b.yaml");
    ASSERT_FALSE(budget) << text;
    EXPECT_EQ(budget.error().kind, ErrorKind::kInput);
    EXPECT_TRUE(budget.error().place.starts_with("b.yaml")) << budget.error().text();
    EXPECT_NE(budget.error().text().find(said), std::string::npos) << budget.error().text();
  }
}

TEST(Budget, AWorkloadHasOneAndKnowsItsLines) {
  const auto workload = parse_workload(
      "apiVersion: whittle/v1\nkind: Workload\nname: w\nrun:\n  command: [sleep, '9']\n"
      "ready: {tcp: '80'}\nexercises:\n  - name: a\n    wait: 1s\npolicy:\n  allow:\n    - mount\n"
      "budget:\n  calls: 9\n",
      "/d/workload.yaml");
  ASSERT_TRUE(workload) << workload.error().text();
  ASSERT_TRUE(workload->budget && workload->budget->calls);
  EXPECT_EQ(workload->budget->calls->line, 14U);
  EXPECT_EQ(workload->budget->directory, "/d");
  EXPECT_EQ(workload->policy.allow_lines, std::vector<std::uint32_t>{12});
  EXPECT_EQ(line_of_phase(*workload, "a"), 8U);
  EXPECT_EQ(line_of_phase(*workload, "ready"), 6U);
  EXPECT_EQ(line_of_phase(*workload, "startup"), 5U);
  EXPECT_EQ(line_of_phase(*workload, "stop"), 5U);
  EXPECT_EQ(line_of_phase(*workload, "unheard of"), 3U);
}

}  // namespace
}  // namespace whittle::host
