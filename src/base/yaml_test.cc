#include "base/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace whittle::yaml {
namespace {

using json::dump_compact;
using testing::HasSubstr;

std::string read(std::string_view text) {
  const auto value = parse(text, "here");
  return value ? dump_compact(*value) : value.error().text();
}

TEST(Yaml, ReadsTheCoreSchema) {
  EXPECT_EQ(read("a: 1\nb: -2\nc: 0x1f\nd: 0o17\ne: 0644\nf: +7"),
            R"({"a":1,"b":-2,"c":31,"d":15,"e":420,"f":7})");
  EXPECT_EQ(read("[true, False, null, ~, yes, on, '1', \"true\", 1.5, -2e3, .5, 09, 1.2.3]"),
            R"([true,false,null,null,"yes","on","1","true",1.5,-2000.0,0.5,9,"1.2.3"])");
  EXPECT_EQ(read("- 18446744073709551615\n- -9223372036854775808"),
            "[18446744073709551615,-9223372036854775808]");
  EXPECT_EQ(read("text: |\n  two\n  lines\nfolded: >\n  one\n  line\n"),
            R"({"text":"two\nlines\n","folded":"one line\n"})");
  EXPECT_EQ(read(""), "null");
  EXPECT_EQ(read("!!str 12"), R"("12")");
  EXPECT_EQ(read(R"({"json": [1, {"is": "yaml"}]})"), R"({"json":[1,{"is":"yaml"}]})");
}

TEST(Yaml, ResolvesAnchorsAndMergeKeys) {
  EXPECT_EQ(read("a: &x [1, 2]\nb: *x"), R"({"a":[1,2],"b":[1,2]})");
  EXPECT_EQ(read("base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3"),
            R"({"base":{"x":1,"y":2},"use":{"y":3,"x":1}})");
  EXPECT_EQ(read("a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b]}"),
            R"({"a":{"x":1},"b":{"x":2,"y":2},"c":{"x":1,"y":2}})");
}

TEST(Yaml, KnowsLines) {
  const auto value = parse("a: 1\nb:\n  - x\n  - y: 2\n", "here");
  ASSERT_TRUE(value);
  EXPECT_EQ(value->find("a")->line(), 1U);
  EXPECT_EQ(value->find("b")->line(), 3U);
  EXPECT_EQ(value->find("b")->array()->at(1).find("y")->line(), 4U);
}

TEST(Yaml, ReadsSeveralDocuments) {
  const auto all = parse_all("a: 1\n---\nb: 2\n---\n", "here");
  ASSERT_TRUE(all);
  EXPECT_EQ(all->size(), 3U);
  EXPECT_THAT(read("a: 1\n---\nb: 2\n"), HasSubstr("here:3: a second document"));
}

TEST(Yaml, ErrorsHaveTheirLine) {
  EXPECT_EQ(read("a: 1\nb: 2\na: 3\n"), "here:3: the key \"a\" stands twice");
  EXPECT_THAT(read("a: [1, 2\nb: 3\n"), HasSubstr("not valid YAML"));
  EXPECT_THAT(read("a: b: c\n"), HasSubstr("here:1"));
  EXPECT_THAT(read("\n? [x]\n: 1\n"), HasSubstr("here:2: a key that is no scalar"));
  EXPECT_THAT(read("a: 18446744073709551616\n"), HasSubstr("does not fit 64 bits"));
  EXPECT_THAT(read("a: !!binary aGk=\n"), HasSubstr("!!binary"));
  EXPECT_THAT(read("a: !mine x\n"), HasSubstr("!mine"));
  EXPECT_THAT(read("a: &x [*x]\n"), HasSubstr("not complete"));
  EXPECT_THAT(read("a: *nothing\n"), HasSubstr("not valid YAML"));
  EXPECT_THAT(read("<<: 1\n"), HasSubstr("merge key"));
}

TEST(Yaml, IsUtf8) {
  EXPECT_EQ(read("a: \xc3\xa4\xf4\x8f\xbf\xbf\n"), "{\"a\":\"\xc3\xa4\xf4\x8f\xbf\xbf\"}");
  for (const char* bad : {"\x88", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80",
                          "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xe2\x82", "\xff"}) {
    EXPECT_EQ(read("a: b\nc: " + std::string(bad) + "\n"), "here:2: not UTF-8");
  }
}

TEST(Yaml, IsBounded) {
  // Nine lines that stand for a billion values.
  std::string bomb = "a: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    bomb += "k" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k) bomb += "*a" + std::to_string(i - 1) + (k < 9 ? ", " : "]\n");
  }
  json::Limits few;
  few.values = 100'000;
  EXPECT_THAT(yaml::parse(bomb, "here", few).error().text(),
              HasSubstr("more values than the limit"));
  EXPECT_FALSE(parse(std::string(100'000, '['), "here"));
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "- ";
  EXPECT_THAT(read(deep), HasSubstr("nested deeper than 64 levels"));
  deep.clear();
  for (int i = 0; i < 200; ++i) deep += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  EXPECT_THAT(read(deep), HasSubstr("nested deeper than 64 levels"));
  json::Limits limits;
  limits.bytes = 10;
  EXPECT_FALSE(yaml::parse("a: 123456789", "here", limits));
}

TEST(Yaml, WritesWhatItReads) {
  const auto value = json::parse(
      R"({"name": "nginx", "empty": {}, "none": [], "nothing": null, "yes": "no", "number": "12",
          "text": "a: b # c", "line": "a\nb", "n": 18446744073709551615, "negative": -1, "half": 0.5,
          "list": ["a", "b", ["c", ["d"]], {"e": 1, "f": [2], "g": {"h": true}}, {}], "": "",
          "x.y/z": "SCMP_ACT_ALLOW", "utf": "\u00e4", "~": "~", "-": "- a", "date": "2026-01-01",
          "octal": "0o7", "null": "Null", "deep": {"a": {"b": {"c": []}}}})",
      "here");
  ASSERT_TRUE(value) << value.error().text();
  const std::string text = yaml::dump(*value);
  EXPECT_EQ(read(text), dump_compact(*value)) << text;
  EXPECT_THAT(text, HasSubstr("name: nginx\n"));
  EXPECT_THAT(text, HasSubstr("\"yes\": \"no\"\n"));
  EXPECT_THAT(
      text,
      HasSubstr("list:\n- a\n- b\n- - c\n  - - d\n- e: 1\n  f:\n  - 2\n  g:\n    h: true\n- {}\n"));
  EXPECT_THAT(text, HasSubstr("line: |-\n  a\n  b\n"));
  EXPECT_EQ(yaml::dump("a"), "a\n");
  EXPECT_EQ(yaml::dump(json::Array()), "[]\n");
}

TEST(Yaml, WritesTextOfSeveralLinesAsABlock) {
  for (const char* text :
       {"a\n", "a\nb", "a\n\n b \n", "# a\n--- b\n...\n", "a\n ", "{\n\"a\": 1}\n"}) {
    json::Value value;
    value.set("k", text).set("list", json::Array{text, "end"});
    const std::string written = yaml::dump(value);
    EXPECT_THAT(written, HasSubstr("k: |")) << written;
    EXPECT_EQ(read(written), dump_compact(value)) << written;
  }
  // What a block would not keep, or would need more words for, stands in quotes.
  for (const char* text : {"a\n\n", " a\nb", "\na", "a\tb\n", "\xc3\xa4\n", "a\r\nb"}) {
    json::Value value;
    value.set("k", text);
    const std::string written = yaml::dump(value);
    EXPECT_THAT(written, HasSubstr("k: \"")) << written;
    EXPECT_EQ(read(written), dump_compact(value)) << written;
  }
}

}  // namespace
}  // namespace whittle::yaml
