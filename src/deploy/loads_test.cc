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

}  // namespace
}  // namespace whittle::deploy
