#include "deploy/loads.h"

#include <gtest/gtest.h>

#include "filter/random_rules.h"

namespace whittle::deploy {
namespace {

TEST(Loads, WhatRuncLoadsCrunLoads) {
  filter::RandomRules random(1);
  for (int i = 0; i < 150; ++i) {
    profile::Profile::Parts parts;
    parts.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"};
    parts.rules = random.rules("socket");
    const profile::Profile profile(parts);
    if (!filter::compile(profile, filter::Flavour::kRunc)) continue;
    EXPECT_TRUE(filter::compile(profile, filter::Flavour::kCrun)) << profile::write_oci(profile);
  }
}

TEST(Loads, NamesTheRuntimeThatRefuses) {
  const auto profile = profile::read_oci(R"({"defaultAction": "SCMP_ACT_NOTIFY"})", "x.json");
  ASSERT_TRUE(profile);
  const std::vector<NamedProfile> profiles = {{"x.json", &*profile}};
  const std::vector<filter::Flavour> both = {filter::Flavour::kRunc, filter::Flavour::kCrun};
  const auto report = check_loads(profiles, both);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().place, "x.json /defaultAction");
  EXPECT_TRUE(report.error().message.starts_with("runc can't load it")) << report.error().message;
}

// The pair on which libseccomp 2.5.4 never ends stands among others.
TEST(Loads, OneThatNeverCompilesDoesNotHideTheOthers) {
  const auto good = profile::read_oci(R"({"defaultAction": "SCMP_ACT_ERRNO"})", "good.json");
  const auto endless = profile::read_oci(R"({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
      {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [
        {"index": 0, "value": 8, "op": "SCMP_CMP_LT"}, {"index": 1, "value": 8, "op": "SCMP_CMP_LT"}]},
      {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [
        {"index": 0, "value": 8, "op": "SCMP_CMP_LT"}, {"index": 1, "value": 9, "op": "SCMP_CMP_EQ"}]}]})",
                                         "endless.json");
  ASSERT_TRUE(good && endless);
  const std::vector<const profile::Profile*> profiles = {&*good, &*endless, &*good, &*endless};
  const auto outcomes = filter::check_compiles(profiles, filter::Flavour::kCrun);
  ASSERT_EQ(outcomes.size(), 4U);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    EXPECT_EQ(outcomes[i].has_value(), i % 2 == 0) << i;
  }
  EXPECT_TRUE(filter::compiler_looped(outcomes[1].error()));
}

}  // namespace
}  // namespace whittle::deploy
