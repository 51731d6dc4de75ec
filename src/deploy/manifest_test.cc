#include "deploy/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace whittle::deploy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Manifest, DocumentsAndItemsOfListsAreObjects) {
  const auto manifest = read_manifest(
      "kind: Pod\nmetadata: {name: a, namespace: n}\n---\n# nothing\n---\nkind: List\nitems:\n- "
      "kind: "
      "Pod\n  metadata: {name: b}\n",
      "m.yaml");
  ASSERT_TRUE(manifest) << manifest.error().text();
  ASSERT_EQ(manifest->objects.size(), 2U);
  EXPECT_EQ(manifest->objects[0].name_space, "n");
  EXPECT_EQ(manifest->objects[1].document, 3U);
  EXPECT_EQ(manifest->objects[1].name, "b");
  EXPECT_EQ(manifest->objects[1].view.pointer(), "/items/0");
}

TEST(Manifest, ContainersInTheOrderInitNormalEphemeral) {
  const auto manifest = read_manifest(
      R"({"kind":"Pod","spec":{"os":{"name":"windows"},"hostUsers":false,"containers":[{"name":"b"}],
          "ephemeralContainers":[{"name":"c"}],"initContainers":[{"name":"a"}]}})",
      "m.json");
  ASSERT_TRUE(manifest) << manifest.error().text();
  const auto pods = pods_of(manifest->objects[0]);
  ASSERT_EQ(pods.size(), 1U);
  std::vector<std::string> names;
  for (const Container& container : pods[0].containers) names.push_back(container.name);
  EXPECT_THAT(names, ElementsAre("a", "b", "c"));
  EXPECT_TRUE(pods[0].windows);
  EXPECT_FALSE(pods[0].host_users);
}

TEST(Manifest, WhatIsNoPodIsMalformed) {
  const auto manifest =
      read_manifest("kind: Job\nspec: {template: {spec: {containers: [1]}}}\n", "m");
  ASSERT_TRUE(manifest) << manifest.error().text();
  std::vector<json::View> malformed;
  EXPECT_EQ(pods_of(manifest->objects[0], &malformed).size(), 1U);
  ASSERT_EQ(malformed.size(), 1U);
  EXPECT_EQ(malformed[0].pointer(), "/spec/template/spec/containers/0");
}

TEST(Manifest, ErrorsHaveALineAndTemplatesAHint) {
  EXPECT_THAT(read_manifest("- a\n", "m").error().text(), HasSubstr("m:1"));
  EXPECT_THAT(read_manifest("a: 1\nb: {{ c\n", "m").error().hint, HasSubstr("helm template"));
  EXPECT_FALSE(read_manifest("{\"a\":", "m"));
}

TEST(Manifest, MembersAlongAPath) {
  const auto manifest = read_manifest("a: {b: {c: x}, d: null}\n", "m");
  ASSERT_TRUE(manifest);
  const json::View& view = manifest->objects[0].view;
  EXPECT_EQ(text_of(view, "a.b.c"), "x");
  EXPECT_EQ(text_of(view, "a.b"), "");
  EXPECT_FALSE(member_at(view, "a.d"));
  EXPECT_FALSE(member_at(view, "a.d.e"));
}

}  // namespace
}  // namespace whittle::deploy
