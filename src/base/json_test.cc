#include "base/json.h"

#include <gtest/gtest.h>

namespace whittle::json {
namespace {

TEST(Json, EachValueKnowsTheLineWhereItBegins) {
  const auto document = parse("{\n  \"a\": 1\n,\n  \"b\": [\n    \"x\",\n    2\n  ]\n}\n", "here");
  ASSERT_TRUE(document) << document.error().text();
  EXPECT_EQ(document->line(), 1U);
  EXPECT_EQ(document->find("a")->line(), 2U);  // a number that a line break ends
  const Value* list = document->find("b");
  EXPECT_EQ(list->line(), 4U);
  EXPECT_EQ(list->array()->at(0).line(), 5U);
  EXPECT_EQ(list->array()->at(1).line(), 6U);
}

TEST(Json, ErrorsNameTheLineOfTheBadCharacter) {
  const auto document = parse("{\n  \"a\": 1\n  \"b\": 2\n}\n", "here");
  ASSERT_FALSE(document);
  EXPECT_EQ(document.error().place, "here:3");
  EXPECT_EQ(parse("{\n", "here").error().place, "here:2");
  EXPECT_EQ(parse("{\"a\n\": 1}", "here").error().place, "here:1");
  EXPECT_EQ(parse("", "here").error().place, "here:1");
}

}  // namespace
}  // namespace whittle::json
