#include "deploy/export.h"

#include <gmock/gmock.h>

#include "profile/kubernetes.h"

namespace whittle::deploy {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

std::string text_at(const json::Value& value, std::initializer_list<const char*> path) {
  const json::Value* at = &value;
  for (const char* key : path) at = at == nullptr ? nullptr : at->find(key);
  return at == nullptr || at->string() == nullptr ? "" : *at->string();
}

TEST(Export, NamesAreValidBoundedAndTheSameEveryTime) {
  EXPECT_EQ(stable_name("nginx", 63), "nginx");
  EXPECT_EQ(stable_name("My_App", 63), "my-app");
  const std::string a(70, 'a');
  const std::string cut = stable_name(a, 63);
  EXPECT_EQ(cut.size(), 63U);
  EXPECT_EQ(cut, stable_name(a, 63));
  EXPECT_NE(cut, stable_name(a + "a", 63));
  // Different where object_name() itself would cut, and valid when the cut is at a dot.
  EXPECT_NE(stable_name(std::string(300, 'a'), 253), stable_name(std::string(301, 'a'), 253));
  for (const std::size_t most : {10U, 63U, 195U, 253U}) {
    for (const std::string& text : {std::string(400, '.'), std::string(54, 'a') + ".-" + a,
                                    a + a + a, std::string("\xff\n"), std::string()}) {
      const std::string name = stable_name(text, most);
      EXPECT_TRUE(profile::is_object_name(name)) << name;
      EXPECT_LE(name.size(), most);
    }
  }
}

TEST(Export, ConfigMapsAreSplitBeforeTheyAreTooLarge) {
  const ExportTarget target{"many", "web"};
  std::vector<ExportProfile> profiles;
  for (const char* name : {"a", "b", "c"}) profiles.push_back({name, std::string(100'000, 'x')});
  const auto maps = config_maps(profiles, target);
  ASSERT_TRUE(maps);
  ASSERT_EQ(maps->size(), 2U);
  EXPECT_EQ(text_at((*maps)[0], {"metadata", "name"}), "many");
  EXPECT_EQ(text_at((*maps)[1], {"metadata", "name"}), "many-2");
  EXPECT_EQ(text_at((*maps)[1], {"metadata", "namespace"}), "web");
  EXPECT_EQ(text_at((*maps)[1], {"data", "c.json"}).size(), 100'000U);

  profiles[1].text = std::string(kMostConfigMap, 'x');
  ASSERT_TRUE(config_maps(profiles, target));
  EXPECT_EQ(config_maps(profiles, target)->size(), 3U);
  profiles[1].text += 'x';
  const auto error = config_maps(profiles, target);
  ASSERT_FALSE(error);
  EXPECT_EQ(error.error().place, "b");
  EXPECT_THAT(error.error().message, HasSubstr("1048577"));
}

TEST(Export, ThePodTemplateChangesWithTheProfilesOnly) {
  const ExportTarget target{"seccomp", ""};
  const InstallerSettings settings{"whittle:1", "pause:1", false, "profiles"};
  const auto hash = [&](const char* content) {
    const std::vector<ExportProfile> profiles = {{"a", content}};
    const auto maps = config_maps(profiles, target);
    return text_at(installer(*maps, settings, target),
                   {"spec", "template", "metadata", "annotations", "whittle/profiles-sha256"});
  };
  EXPECT_EQ(hash("{}").size(), 64U);
  EXPECT_EQ(hash("{}"), hash("{}"));
  EXPECT_NE(hash("{}"), hash("{ }"));
}

TEST(Export, PatchesReachThePodOfEachKind) {
  const std::vector<std::string> none;
  for (const std::string& kind : patch_kinds()) {
    const json::Value patch = profile_patch(kind, "profiles/a.json", none, {"web", "shop"});
    EXPECT_EQ(text_at(patch, {"kind"}), kind);
    EXPECT_THAT(json::dump_compact(patch),
                HasSubstr("\"securityContext\":{\"seccompProfile\":{\"type\":\"Localhost\","
                          "\"localhostProfile\":\"profiles/a.json\"}}"));
  }
  const json::Value pod = profile_patch("Pod", "a.json", none, {"web", ""});
  EXPECT_EQ(text_at(pod, {"spec", "securityContext", "seccompProfile", "localhostProfile"}),
            "a.json");
}

TEST(Export, APolicyQuotesWhatItLists) {
  const std::vector<std::string> paths = {"a/b.json", "c+d.json"};
  const auto objects = admission_policy(paths, "v1", {"must", ""});
  ASSERT_EQ(objects.size(), 2U);
  const std::string text = json::dump_compact(objects[0]);
  EXPECT_THAT(text, HasSubstr(R"("expression":"[\"a/b.json\", \"c+d.json\"]")"));
  EXPECT_THAT(json::dump_compact(objects[1]), HasSubstr(R"("values":["kube-system"])"));
  EXPECT_THAT(text_at(objects[0], {"apiVersion"}), EndsWith("/v1"));
  EXPECT_THAT(text_at(objects[1], {"kind"}), StartsWith(text_at(objects[0], {"kind"})));
}

}  // namespace
}  // namespace whittle::deploy
