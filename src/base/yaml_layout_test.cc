#include "base/yaml_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace whittle::yaml {
namespace {

using Kind = LayoutNode::Kind;

std::vector<LayoutNode> layout_of(const std::string& text) {
  auto nodes = layout(text, "t.yaml");
  EXPECT_TRUE(nodes) << nodes.error().text();
  return nodes.value_or(std::vector<LayoutNode>());
}

std::string_view at(const std::string& text, const LayoutNode& node, std::size_t length) {
  return std::string_view(text).substr(node.offset, length);
}

TEST(YamlLayout, PlacesOfBlockNodes) {
  const std::string text =
      "# a comment\nkind: Pod\nspec:\n  # another\n  containers:\n  - name: \"app\"\n    image: "
      "'x'\n";
  const auto roots = layout_of(text);
  ASSERT_EQ(roots.size(), 1U);
  const LayoutNode& root = roots[0];
  EXPECT_EQ(root.kind, Kind::kBlockMap);
  EXPECT_EQ(at(text, root, 4), "kind");
  EXPECT_EQ(root.line, 2U);
  const LayoutNode& spec = root.values[1];
  EXPECT_EQ(spec.kind, Kind::kBlockMap);
  EXPECT_EQ(at(text, spec, 10), "containers");
  EXPECT_EQ(spec.column, 2U);
  EXPECT_EQ(spec.line, 5U);
  const LayoutNode& container = spec.values[0].values[0];
  EXPECT_EQ(spec.values[0].kind, Kind::kBlockList);
  EXPECT_EQ(container.column, 4U);
  EXPECT_EQ(at(text, container.values[0], 5), "\"app\"");
  EXPECT_FALSE(container.values[0].decorated);
  EXPECT_EQ(at(text, container.values[1], 3), "'x'");
}

TEST(YamlLayout, PlacesOfFlowNodesAndDecoratedOnes) {
  const std::string text = "a: {b: [1, 2], c: ~}\nd: &x {e: 1}\nf: *x\ng:\nh: !!map {}\n";
  const auto roots = layout_of(text);
  const LayoutNode& root = roots[0];
  const LayoutNode& a = root.values[0];
  EXPECT_EQ(a.kind, Kind::kFlowMap);
  EXPECT_EQ(at(text, a, 2), "{b");
  EXPECT_EQ(a.values[0].kind, Kind::kFlowList);
  EXPECT_EQ(a.values[1].kind, Kind::kNull);
  EXPECT_EQ(at(text, a.values[1], 1), "~");
  EXPECT_TRUE(root.values[1].decorated);
  EXPECT_EQ(at(text, root.values[1], 2), "&x");
  EXPECT_EQ(root.values[2].kind, Kind::kAlias);
  EXPECT_EQ(root.values[3].kind, Kind::kNull);
  EXPECT_TRUE(root.values[4].decorated);
}

TEST(YamlLayout, BytesCountAlsoBehindCarriageReturnsAndOtherAlphabets) {
  for (const std::string& text : {std::string("a: \"\xC3\xA4\xC3\xB6\"\r\nb: x\r\n"),
                                  std::string("\xEF\xBB\xBF# \xE2\x82\xAC\na: 1\nb: x\n")}) {
    const auto roots = layout_of(text);
    ASSERT_EQ(roots.size(), 1U);
    EXPECT_EQ(at(text, roots[0].keys[1], 4), "b: x");
    EXPECT_EQ(at(text, roots[0].values[1], 1), "x");
    EXPECT_EQ(roots[0].keys[1].column, 0U);
  }
}

TEST(YamlLayout, EachDocumentHasItsRoot) {
  const auto roots = layout_of("---\na: 1\n---\n# nothing\n---\n- b\n...\n");
  ASSERT_EQ(roots.size(), 3U);
  EXPECT_EQ(roots[1].kind, Kind::kNull);
  EXPECT_EQ(roots[2].kind, Kind::kBlockList);
}

TEST(YamlLayout, JsonIsAFlowMap) {
  const std::string text = "{\n  \"a\": {\n    \"b\": \"c\"\n  }\n}\n";
  const auto roots = layout_of(text);
  ASSERT_EQ(roots.size(), 1U);
  EXPECT_EQ(roots[0].kind, Kind::kFlowMap);
  EXPECT_EQ(at(text, roots[0].values[0], 1), "{");
  EXPECT_EQ(at(text, roots[0].values[0].keys[0], 3), "\"b\"");
}

TEST(YamlLayout, LimitsHold) {
  json::Limits limits;
  limits.depth = 3;
  EXPECT_FALSE(layout("[[[[1]]]]", "t", limits));
  limits.values = 3;
  EXPECT_FALSE(layout("[1, 2, 3]", "t", limits));
  EXPECT_FALSE(layout("a: [", "t"));
}

}  // namespace
}  // namespace whittle::yaml
