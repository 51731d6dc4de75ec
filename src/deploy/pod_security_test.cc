#include "deploy/pod_security.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "deploy/kube_check.h"
#include "deploy/pod_security_data.h"

namespace whittle::deploy {
namespace {

using testing::HasSubstr;

std::string read(const std::string& path) {
  std::ifstream file(std::string(WHITTLE_SOURCE_DIR) + "/" + path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> controls_of(const std::string& spec, const Standard& standard) {
  const auto manifest = read_manifest("kind: Pod\nspec: " + spec, "m");
  EXPECT_TRUE(manifest) << manifest.error().text();
  std::vector<std::string> ids;
  for (const Violation& one : violations(pods_of(manifest->objects[0])[0], standard)) {
    ids.push_back(one.control);
  }
  return ids;
}

TEST(PodSecurity, TheDataIsWhole) {
  const auto data = read_pod_security(read("data/pod-security.json"), "pod-security.json");
  ASSERT_TRUE(data) << data.error().text();
  for (const Control& control : data->controls) {
    EXPECT_FALSE(control.fix.empty()) << control.id;
    EXPECT_NE(control.level, Level::kPrivileged) << control.id;
    EXPECT_LE(control.from, data->newest) << control.id;
    const int looks =
        static_cast<int>(!control.fields.empty()) + static_cast<int>(!control.annotations.empty()) +
        static_cast<int>(!control.members.empty()) + static_cast<int>(!control.contains.empty()) +
        static_cast<int>(!control.inherit.empty());
    EXPECT_EQ(looks, 1) << control.id;
    EXPECT_TRUE(control.replaces.empty() ||
                std::count(control_ids().begin(), control_ids().end(), control.replaces) == 1)
        << control.id;
  }
}

TEST(PodSecurity, EachRuleHasASectionInTheDocs) {
  const std::string page = read("docs/kube-check.md");
  for (const review::LintRuleInfo& rule : kube_rules()) {
    EXPECT_THAT(page, HasSubstr("\n### " + std::string(rule.id) + "\n"));
  }
}

TEST(PodSecurity, StandardsAreRead) {
  EXPECT_EQ(*read_standard("restricted"), (Standard{Level::kRestricted, kLatest}));
  EXPECT_EQ(*read_standard("baseline:v1.29"), (Standard{Level::kBaseline, 29}));
  EXPECT_EQ(*read_standard("baseline:1.9"), (Standard{Level::kBaseline, 9}));
  EXPECT_EQ(*read_standard("baseline:latest"), (Standard{Level::kBaseline, kLatest}));
  for (const char* bad : {"", "strict", "baseline:", "baseline:v2.1", "baseline:v1.01",
                          "baseline:v1", "baseline:v1.x", "baseline:29", "baseline:v1.-1"}) {
    EXPECT_FALSE(read_standard(bad)) << bad;
  }
  EXPECT_FALSE(version_from_label("1.29"));
}

TEST(PodSecurity, AVersionDecidesWhichRevisionCounts) {
  const std::string probe = "{containers: [{name: c, livenessProbe: {httpGet: {host: x}}}]}";
  EXPECT_TRUE(controls_of(probe, {Level::kBaseline, 33}).empty());
  EXPECT_THAT(controls_of(probe, {Level::kBaseline, 34}), testing::ElementsAre("host-probes"));
  const std::string sysctl =
      "{securityContext: {sysctls: [{name: net.ipv4.tcp_rmem}]}, containers: [{name: c}]}";
  EXPECT_THAT(controls_of(sysctl, {Level::kBaseline, 31}), testing::ElementsAre("sysctls"));
  EXPECT_TRUE(controls_of(sysctl, {Level::kBaseline, kLatest}).empty());
}

TEST(PodSecurity, ARestrictedControlSaysItOnce) {
  const std::string host =
      "{volumes: [{name: v, hostPath: {}}], securityContext: {runAsNonRoot: true}, containers: []}";
  EXPECT_THAT(controls_of(host, {Level::kRestricted, 18}), testing::ElementsAre("volume-types"));
  EXPECT_THAT(controls_of(host, {Level::kBaseline, 18}), testing::ElementsAre("host-path-volumes"));
}

TEST(PodSecurity, AValueOfAnotherTypeIsNotAllowed) {
  EXPECT_THAT(
      controls_of("{hostNetwork: 'false', containers: [{name: c}]}", {Level::kBaseline, 29}),
      testing::ElementsAre("host-namespaces"));
}

}  // namespace
}  // namespace whittle::deploy
