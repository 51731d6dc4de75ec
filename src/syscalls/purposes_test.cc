#include "syscalls/purposes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "base/embedded.h"
#include "syscalls/table.h"
#include "syscalls/tsv.h"

WHITTLE_EMBEDDED(syscall_purposes_tsv)

namespace whittle::syscalls {
namespace {

using testing::Contains;
using testing::ElementsAre;

TEST(Purposes, EveryCallHasOneAndNothingElse) {
  std::set<std::string_view> named;
  for (const auto& row : tsv_rows(embedded_syscall_purposes_tsv())) {
    EXPECT_TRUE(named.insert(row[0]).second) << row[0] << " stands twice";
    EXPECT_TRUE(is_known(row[0])) << row[0];
  }
  EXPECT_EQ(named.size(), known_names().size());
  for (const std::string& name : known_names()) {
    const Purpose* one = purpose(name);
    ASSERT_NE(one, nullptr) << name;
    EXPECT_EQ(one->name, name);
    EXPECT_NE(group(one->group), nullptr) << name << ": " << one->group;
    EXPECT_GE(one->text.size(), 6U) << name;
    EXPECT_FALSE(one->text.ends_with('.')) << name;
  }
  EXPECT_EQ(purpose("syscall_999"), nullptr);
  EXPECT_EQ(purpose(""), nullptr);
}

TEST(Purposes, EveryGroupIsUsedAndEveryFamilyHasSeveral) {
  std::set<std::string_view> used;
  std::map<std::string_view, int> families;
  for (const std::string& name : known_names()) {
    const Purpose* one = purpose(name);
    ASSERT_NE(one, nullptr);
    used.insert(one->group);
    if (!one->family.empty()) ++families[one->family];
  }
  EXPECT_EQ(used.size(), groups().size());
  for (const auto& [name, members] : families) EXPECT_GE(members, 2) << name;
}

// A call that no architecture of whittle has belongs to another one, and the other way round.
TEST(Purposes, ForeignCallsAreThoseOfOtherArchitectures) {
  for (const std::string& name : known_names()) {
    bool ours = false;
    for (const Arch arch : kAllArches) ours = ours || number(arch, name).has_value();
    EXPECT_EQ(purpose(name)->group == "foreign", !ours) << name;
  }
}

TEST(Purposes, FamiliesAreFormsOfOneCall) {
  EXPECT_THAT(family("openat"), ElementsAre("creat", "open", "openat", "openat2"));
  EXPECT_THAT(family("dup3"), ElementsAre("dup", "dup2", "dup3"));
  EXPECT_THAT(family("close"), ElementsAre("close"));
  EXPECT_THAT(family("no_such_call"), ElementsAre("no_such_call"));
  EXPECT_THAT(family("stat"), Contains("newfstatat"));
}

}  // namespace
}  // namespace whittle::syscalls
