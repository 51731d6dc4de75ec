#include "profile/kubernetes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace whittle::profile {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kV1 = R"(# a comment
apiVersion: security-profiles-operator.x-k8s.io/v1
kind: SeccompProfile
metadata:
  name: nginx
  labels: {app: web}
spec:
  defaultAction: SCMP_ACT_ERRNO
  architectures: [SCMP_ARCH_X86_64, SCMP_ARCH_NATIVE]
  flags: [SECCOMP_FILTER_FLAG_LOG]
  syscalls:
  - action: SCMP_ACT_ALLOW
    names: [read, write]
  - action: SCMP_ACT_ERRNO
    errnoRet: 38
    names: [clone3]
  - action: SCMP_ACT_ALLOW
    names: [personality]
    args: [{index: 0, value: 8, op: SCMP_CMP_EQ}]
)";

Result<Document> read(std::string_view text, std::string name = {}) {
  ReadOptions options;
  options.name = std::move(name);
  return read_any(text, "in.yaml", options);
}

std::string with(std::string_view from, std::string_view to) {
  std::string text(kV1);
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Kubernetes, SeccompProfile) {
  const auto document = read(kV1);
  ASSERT_TRUE(document) << document.error().text();
  EXPECT_EQ(document->form, Form::kSpo);
  EXPECT_EQ(document->name, "nginx");
  EXPECT_EQ(document->pointer, "/spec");
  EXPECT_THAT(document->rule_pointers,
              ElementsAre("/spec/syscalls/0", "/spec/syscalls/1", "/spec/syscalls/2"));
  EXPECT_THAT(document->warnings, IsEmpty());
  EXPECT_THAT(document->beyond, IsEmpty());
  const Profile::Parts& parts = document->profile.parts();
  EXPECT_EQ(parts.default_verdict, (Verdict{Action::kErrno, 1}));
  EXPECT_THAT(parts.architectures, ElementsAre("SCMP_ARCH_X86_64"));
  EXPECT_THAT(parts.flags, ElementsAre("SECCOMP_FILTER_FLAG_LOG"));
  ASSERT_EQ(parts.rules.size(), 3U);
  EXPECT_EQ(parts.rules[1].verdict, (Verdict{Action::kErrno, 38}));
  EXPECT_EQ(parts.rules[2].args[0].value, 8U);
}

TEST(Kubernetes, OlderVersions) {
  const auto beta = read(with("x-k8s.io/v1", "x-k8s.io/v1beta1"));
  ASSERT_TRUE(beta);
  EXPECT_THAT(beta->warnings, IsEmpty());
  const auto alpha = read(with("x-k8s.io/v1", "x-k8s.io/v1alpha1"));
  ASSERT_TRUE(alpha);
  EXPECT_THAT(alpha->warnings, ElementsAre(HasSubstr("v1alpha1")));
  EXPECT_EQ(alpha->profile, beta->profile);
  const auto newer = read(with("x-k8s.io/v1", "x-k8s.io/v2"));
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().place, "in.yaml:2 /apiVersion");
}

TEST(Kubernetes, WhatIsBeyondTheProfile) {
  const auto document = read(with(
      "  defaultAction", "  state: Disabled\n  baseProfileName: runc-v1.4.2\n  defaultAction"));
  ASSERT_TRUE(document) << document.error().text();
  ASSERT_EQ(document->beyond.size(), 2U);
  EXPECT_EQ(document->beyond[0].pointer, "/spec/baseProfileName");
  EXPECT_THAT(document->beyond[0].what, HasSubstr("runc-v1.4.2"));
  EXPECT_EQ(document->beyond[1].pointer, "/spec/state");
  EXPECT_FALSE(read(with("  defaultAction", "  state: On\n  defaultAction")));
}

// What the API server or the operator makes of it, not what OCI would.
TEST(Kubernetes, TheOperatorsLimits) {
  // errnoRet 0 is dropped on the way to the node.
  EXPECT_EQ(read(with("errnoRet: 38", "errnoRet: 0"))->profile.rules()[1].verdict.data, 1);
  const std::vector<std::pair<std::string, std::string>> bad = {
      {with("  defaultAction", "  defaultErrnoRet: 38\n  defaultAction"), "defaultErrnoRet"},
      {with("value: 8", "value: 9223372036854775808"), "/spec/syscalls/2/args/0/value"},
      {with("value: 8", "value: -1"), "/spec/syscalls/2/args/0/value"},
      {with("    names: [read, write]", "    names: [read]\n    includes: {caps: [CAP_BPF]}"),
       "includes"},
      {with("names: [read, write]", "names: []"), "/spec/syscalls/0/names"},
      {with("[{index: 0, value: 8, op: SCMP_CMP_EQ}]",
            "[{index: 0, value: 1, op: SCMP_CMP_GT}, {index: 1, value: 1, op: SCMP_CMP_GT}, "
            "{index: 2, "
            "value: 1, op: SCMP_CMP_GT}, {index: 3, value: 1, op: SCMP_CMP_GT}, {index: 4, value: "
            "1, "
            "op: SCMP_CMP_GT}, {index: 5, value: 1, op: SCMP_CMP_GT}, {index: 0, value: 1, op: "
            "SCMP_CMP_LT}]"),
       "7 conditions"},
      {with("spec:", "sepc:"), "sepc"},
      {with("SCMP_ARCH_X86_64", "SCMP_ARCH_X86-64"), "SCMP_ARCH_X86_64"}};
  for (const auto& [text, said] : bad) {
    const auto document = read(text);
    ASSERT_FALSE(document) << text;
    EXPECT_EQ(document.error().kind, ErrorKind::kInput);
    EXPECT_THAT(document.error().text() + document.error().hint, HasSubstr(said));
    EXPECT_THAT(document.error().place, HasSubstr("in.yaml"));
  }
}

constexpr std::string_view kMap = R"(apiVersion: v1
kind: ConfigMap
metadata: {name: profiles}
data:
  README: no profile
  log.json: |
    {"defaultAction": "SCMP_ACT_LOG"}
)";

TEST(Kubernetes, ConfigMap) {
  const auto document = read(kMap);
  ASSERT_TRUE(document) << document.error().text();
  EXPECT_EQ(document->form, Form::kConfigMap);
  EXPECT_EQ(document->name, "log.json");
  EXPECT_EQ(document->pointer, "/data/log.json");
  EXPECT_EQ(document->profile.default_verdict().action, Action::kLog);

  const std::string two = std::string(kMap) +
                          "  deny.json: '{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": "
                          "[{\"names\": [\"read\"], "
                          "\"action\": \"SCMP_ACT_ALLOW\"}]}'\n";
  const auto which = read(two);
  ASSERT_FALSE(which);
  EXPECT_THAT(which.error().hint, HasSubstr("log.json, deny.json"));
  const auto deny = read(two, "deny.json");
  ASSERT_TRUE(deny) << deny.error().text();
  EXPECT_THAT(deny->rule_pointers, ElementsAre("/data/deny.json/syscalls/0"));
  EXPECT_THAT(read(two, "other").error().message, HasSubstr("\"other\""));
}

TEST(Kubernetes, SeveralDocumentsAndLists) {
  const std::string service = "apiVersion: v1\nkind: Service\nmetadata: {name: x}\n---\n";
  EXPECT_EQ(read(service + std::string(kV1))->name, "nginx");
  const std::string both = service + std::string(kV1) + "---\n" + std::string(kMap);
  EXPECT_FALSE(read(both));
  EXPECT_EQ(read(both, "nginx")->form, Form::kSpo);
  EXPECT_EQ(read(both, "log.json")->form, Form::kConfigMap);
  EXPECT_FALSE(read(service + "---\n"));
  const auto list = read(
      R"({"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Pod"}, {"apiVersion":
      "security-profiles-operator.x-k8s.io/v1beta1", "kind": "SeccompProfile", "metadata": {"name": "a"},
      "spec": {"defaultAction": "SCMP_ACT_LOG"}}]})");
  ASSERT_TRUE(list) << list.error().text();
  EXPECT_EQ(list->name, "a");
  EXPECT_EQ(list->pointer, "/items/1/spec");
}

TEST(Kubernetes, ObjectNames) {
  EXPECT_EQ(object_name("nginx"), "nginx");
  EXPECT_EQ(object_name("docker@29.4.3"), "docker-29.4.3");
  EXPECT_EQ(object_name("My Profile_1"), "my-profile-1");
  EXPECT_EQ(object_name("..a.-b-..c.."), "a.b.c");
  EXPECT_EQ(object_name("\xff../"), "profile");
  EXPECT_EQ(object_name(std::string(300, 'a')).size(), 253U);
  EXPECT_TRUE(is_object_name("a-b.c"));
  for (const char* bad : {"", "A", "-a", "a-", "a..b", "a b"})
    EXPECT_FALSE(is_object_name(bad)) << bad;
}

}  // namespace
}  // namespace whittle::profile
