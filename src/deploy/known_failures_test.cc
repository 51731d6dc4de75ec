#include "deploy/known_failures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "deploy/symptoms.h"

namespace whittle::deploy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::map<std::string, std::string> kept(std::string_view pattern, std::string_view line) {
  std::map<std::string, std::string> captures;
  if (!pattern_in(pattern, line, captures)) captures["?"] = "not found";
  return captures;
}
using Kept = std::map<std::string, std::string>;

TEST(Pattern, IsFoundAnywhereInALineInEitherCase) {
  EXPECT_EQ(kept("not permitted", "mkdir: Operation NOT Permitted"), Kept());
  EXPECT_EQ(kept("a*c", "xx a b c"), Kept());
  EXPECT_EQ(kept("a*c", "c a b").count("?"), 1U);
  EXPECT_EQ(kept("abc", "ab").count("?"), 1U);
}

TEST(Pattern, KeepsWhatStandsInBraces) {
  EXPECT_EQ(kept("syscall {call}: file exists", "for syscall dup: file exists"),
            Kept({{"call", "dup"}}));
  EXPECT_EQ(kept("profile \"{path}\"*no such", "profile \"/a b/c\": open: no such file"),
            Kept({{"path", "/a b/c"}}));
  EXPECT_EQ(kept("exec {program}: not", "exec fds: ensure x: not").count("?"), 1U);  // a blank
  EXPECT_EQ(kept("exec {program}: not", "exec a b: not; exec /c: not"), Kept({{"program", "/c"}}));
  EXPECT_EQ(kept("profile: {path}", "localhostProfile: a/b.json x"), Kept({{"path", "a/b.json"}}));
  EXPECT_EQ(kept("profile: {path}", "localhostProfile: ").count("?"), 1U);
}

TEST(Pattern, TakesOneOfAListOfWords) {
  EXPECT_EQ(kept("string {word:amd64|x86} is", "string amd64 is"), Kept({{"word", "amd64"}}));
  EXPECT_EQ(kept("string {word:amd64|x86} is", "string amd6 is").count("?"), 1U);
}

TEST(KnownFailures, EachHasAnIdOfItsOwnAndIsFoundByIt) {
  const auto known = known_failures();
  ASSERT_TRUE(known) << known.error().text();
  for (const KnownFailure& failure : *known) {
    EXPECT_EQ(failure_of(*known, failure.id), &failure);
    EXPECT_FALSE(failure.title.empty() || failure.why.empty() || failure.shows.empty());
  }
  EXPECT_EQ(failure_of(*known, "none"), nullptr);
}

Result<std::vector<KnownFailure>> read(const std::string& failures) {
  return read_known_failures(
      R"({"schema": "whittle.known-failures/v1", "failures": [)" + failures + "]}", "k.json");
}

std::string failure(const std::string& id, const std::string& when, const std::string& more = "") {
  return R"({"id": ")" + id + R"(", "title": "t", "when": [)" + when +
         R"(], "shows": "s", "why": "w", "fix": ["f"], "sources": ["s"])" + more + "}";
}

TEST(KnownFailures, WhatIsWrongWithTheFileIsSaidWithItsPlace) {
  EXPECT_FALSE(read_known_failures("{}", "k.json"));
  EXPECT_FALSE(read(failure("a", R"({"all": []})")));
  EXPECT_FALSE(read(failure("a", R"({"all": ["*x"]})")));
  EXPECT_FALSE(read(failure("a", "", R"(, "oops": 1)")));
  const auto twice = read(failure("a", "") + "," + failure("a", ""));
  ASSERT_FALSE(twice);
  EXPECT_THAT(twice.error().text(), HasSubstr("twice"));
}

TEST(KnownFailures, AllPatternsOfASignMustBeThereInWhateverLine) {
  const auto known = read(failure("both", R"({"all": ["one", "two"], "calls": ["dup"]})"));
  ASSERT_TRUE(known);
  const std::vector<std::string> lines = {"x", "Two", "one"};
  const auto matches = match_failures(*known, lines);
  ASSERT_EQ(matches.size(), 1U);
  EXPECT_EQ(matches[0].shown[0].line, 3U);
  EXPECT_EQ(matches[0].shown[1].line, 2U);
  EXPECT_THAT(matches[0].calls, ElementsAre("dup"));
  EXPECT_TRUE(match_failures(*known, std::span(lines).first(2)).empty());
}

TEST(KnownFailures, GeneralOnesComeLast) {
  const auto known = read(failure("general", R"({"all": ["one"]})", R"(, "general": true)") + "," +
                          failure("special", R"({"all": ["one"]})"));
  ASSERT_TRUE(known);
  const std::vector<std::string> lines = {"one"};
  const auto matches = match_failures(*known, lines);
  ASSERT_EQ(matches.size(), 2U);
  EXPECT_EQ(matches[0].failure->id, "special");
}

TEST(Symptoms, AnObjectBecomesLinesAndNamesItsProfiles) {
  const auto symptoms = read_symptoms(
      R"({"kind": "Pod", "a": [{"message": "say \"x\"\nthen y"}], "localhostProfile": "p/q.json"})",
      "pod");
  ASSERT_TRUE(symptoms);
  EXPECT_TRUE(symptoms->object);
  EXPECT_THAT(symptoms->lines, ElementsAre("kind: Pod", "message: say \"x\"", "then y",
                                           "localhostProfile: p/q.json"));
  EXPECT_THAT(symptoms->profiles, ElementsAre("p/q.json"));
}

TEST(Symptoms, TextIsTidied) {
  const auto symptoms = read_symptoms("  a\t  \\\"b\\\\\\\"  \r\n\n c: kind", "text");
  ASSERT_TRUE(symptoms);
  EXPECT_FALSE(symptoms->object);
  EXPECT_EQ(symptoms->lines.size(), 2U);
  EXPECT_THAT(symptoms->lines[0], HasSubstr("a \"b\""));
  EXPECT_FALSE(read_symptoms(std::string(kMostSymptoms + 1, 'x'), "text"));
}

}  // namespace
}  // namespace whittle::deploy
