#include "generate/floor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "syscalls/table.h"

namespace whittle::generate {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Key;
using testing::Not;

TEST(Floor, KnowsItsRuntimes) { EXPECT_THAT(floor_runtimes(), ElementsAre("crun", "runc")); }

TEST(Floor, WithoutARuntimeHoldsWhatEveryProcessNeeds) {
  const auto floor = rule_floor({});
  EXPECT_THAT(floor, Contains(Key("restart_syscall")));
  EXPECT_THAT(floor, Contains(Key("exit_group")));
  EXPECT_THAT(floor, Not(Contains(Key("capset"))));
}

TEST(Floor, IsTheUnionOfTheRuntimesChosen) {
  const auto both = rule_floor({"runc", "crun"});
  EXPECT_THAT(both.at("capset"), ElementsAre("crun", "runc"));
  EXPECT_THAT(both.at("setresuid"), ElementsAre("crun"));
  EXPECT_THAT(rule_floor({"runc"}), Not(Contains(Key("setresuid"))));
}

TEST(Floor, NamesAreRealAndNoneSetsUpContainers) {
  for (const auto& [name, who] : rule_floor({"runc", "crun"})) {
    EXPECT_TRUE(syscalls::is_known(name)) << name;
  }
  for (const char* name : {"mount", "umount2", "pivot_root", "unshare", "setns", "clone"}) {
    EXPECT_THAT(rule_floor({"runc", "crun"}), Not(Contains(Key(name))));
  }
}

}  // namespace
}  // namespace whittle::generate
