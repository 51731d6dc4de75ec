#include "deploy/yaml_edit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace whittle::deploy {
namespace {

using testing::HasSubstr;

// The text with the choice set in the spec of its pod, or the message of the error.
std::string set_in(const std::string& text, const std::string& choice,
                   const std::string& pointer = "/spec") {
  const auto manifest = read_manifest(text, "m.yaml");
  if (!manifest) return manifest.error().text();
  const auto edited = set_seccomp(*manifest, {{1, pointer}}, *read_choice(choice));
  return edited ? *edited : edited.error().text();
}

TEST(YamlEdit, BlockMaps) {
  EXPECT_EQ(
      set_in("spec:\n    # c\n    a: 1\n", "RuntimeDefault"),
      "spec:\n    securityContext:\n      seccompProfile:\n        type: RuntimeDefault\n    # "
      "c\n    a: 1\n");
  EXPECT_EQ(set_in("spec:\n  securityContext: # why\n    a: 1\n", "localhost/a/b.json"),
            "spec:\n  securityContext: # why\n    seccompProfile:\n      type: Localhost\n      "
            "localhostProfile: a/b.json\n    a: 1\n");
  EXPECT_EQ(set_in("spec:\n  securityContext:\n  a: 1\n", "RuntimeDefault"),
            "spec:\n  securityContext:\n    seccompProfile:\n      type: RuntimeDefault\n  a: 1\n");
  EXPECT_EQ(set_in("spec:\n  securityContext: ~\n  a: 1", "RuntimeDefault"),
            "spec:\n  securityContext: {seccompProfile: {type: RuntimeDefault}}\n  a: 1");
}

TEST(YamlEdit, FlowMaps) {
  EXPECT_EQ(set_in("spec: {a: 1}", "RuntimeDefault"),
            "spec: {securityContext: {seccompProfile: {type: RuntimeDefault}}, a: 1}");
  EXPECT_EQ(set_in("{\"spec\": {}}", "localhost/x"),
            "{\"spec\": {\"securityContext\": {\"seccompProfile\": {\"type\": \"Localhost\", "
            "\"localhostProfile\": \"x\"}}}}");
}

TEST(YamlEdit, AProfileThatIsThere) {
  const std::string local =
      "spec:\n  securityContext:\n    seccompProfile:\n      localhostProfile: a # b\n      type: "
      "'Localhost'\n";
  EXPECT_EQ(set_in(local, "RuntimeDefault"),
            "spec:\n  securityContext:\n    seccompProfile:\n      type: 'RuntimeDefault'\n");
  EXPECT_EQ(
      set_in(local, "localhost/c"),
      "spec:\n  securityContext:\n    seccompProfile:\n      localhostProfile: \"c\" # b\n      "
      "type: 'Localhost'\n");
  EXPECT_EQ(
      set_in("spec: {securityContext: {seccompProfile: {type: Unconfined}}}", "localhost/deep/e"),
      "spec: {securityContext: {seccompProfile: {type: Localhost, localhostProfile: deep/e}}}");
}

TEST(YamlEdit, AnEmptyProfile) {
  EXPECT_EQ(set_in("spec:\n  securityContext:\n    seccompProfile: {}\n", "localhost/profiles/a"),
            "spec:\n  securityContext:\n    seccompProfile: {type: Localhost, localhostProfile: "
            "profiles/a}\n");
}

TEST(YamlEdit, AnElementOfAList) {
  EXPECT_EQ(set_in("spec:\n  containers:\n  - name: a # first\n    image: b\n", "RuntimeDefault",
                   "/spec/containers/0"),
            "spec:\n  containers:\n  - name: a # first\n    securityContext:\n      "
            "seccompProfile:\n        type: RuntimeDefault\n    image: b\n");
}

TEST(YamlEdit, WhatOthersShareIsRefused) {
  EXPECT_THAT(set_in("spec:\n  securityContext: &a {b: 1}\n  x: *a\n", "RuntimeDefault"),
              HasSubstr("can't be edited"));
  EXPECT_THAT(set_in("x: &a\n  b: 1\nspec:\n  securityContext: *a\n", "RuntimeDefault"),
              HasSubstr("more would change"));
  EXPECT_THAT(set_in("spec:\n  securityContext: a\n", "RuntimeDefault"), HasSubstr("m.yaml:2"));
}

TEST(YamlEdit, AMergedContextIsRefused) {
  EXPECT_THAT(
      set_in("x: &a\n  securityContext: {b: 1}\nspec:\n  <<: *a\n  c: 1\n", "RuntimeDefault"),
      HasSubstr("more would change"));
}

TEST(YamlEdit, ChoicesAreRead) {
  EXPECT_EQ(read_choice("runtime/default")->localhost, "");
  EXPECT_EQ(read_choice("localhost/a/b")->localhost, "a/b");
  for (const char* bad : {"", "Localhost", "localhost/", "localhost//a", "localhost/..",
                          "localhost/a/../b", "localhost/a\nb", "unconfined"}) {
    EXPECT_FALSE(read_choice(bad)) << bad;
  }
}

}  // namespace
}  // namespace whittle::deploy
