#include "deploy/suspects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file_system.h"
#include "deploy/machine.h"

namespace whittle::deploy {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(SuspectProfile, NamesTheKnownFailureThatAFileLeadsTo) {
  const auto ids = [](std::string_view text) {
    std::vector<std::string> all;
    for (const Suspicion& one : suspect_profile(text, "p.json", filter::Flavour::kRunc)) {
      all.push_back(one.failure);
    }
    return all;
  };
  EXPECT_THAT(ids("{"), ElementsAre("profile-not-json"));
  EXPECT_THAT(ids(R"({"defaultAction": "SCMP_ACT_ALLOW"})"), IsEmpty());
  EXPECT_THAT(ids(R"({"defaultAction": "SCMP_ACT_FOO"})"), ElementsAre("profile-word-unknown"));
  EXPECT_THAT(ids(R"({"defaultAction": "SCMP_ACT_ALLOW", "archMap": [
                      {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": []}]})"),
              Contains("docker-dialect-file"));
  EXPECT_THAT(ids(R"({"defaultAction": "SCMP_ACT_ERRNO"})"), Contains("runtime-calls-refused"));
}

TEST(ProfilesCalled, AreFoundBelowADirectoryWithoutFollowingLinks) {
  const auto directory = TemporaryDirectory::create("whittle-suspects");
  ASSERT_TRUE(directory);
  namespace fs = std::filesystem;
  fs::create_directories(directory->path() + "/a/b");
  ASSERT_TRUE(write_file(directory->path() + "/a/b/web.json", "{}"));
  fs::create_directory_symlink(directory->path() + "/a", directory->path() + "/link");
  const std::vector<std::string> roots = {directory->path(), "/no/such/directory"};
  EXPECT_THAT(profiles_called("/x/web.json", roots),
              ElementsAre(directory->path() + "/a/b/web.json"));
  EXPECT_THAT(profiles_called("web", roots), ElementsAre(directory->path() + "/a/b/web.json"));
  EXPECT_THAT(profiles_called("other.json", roots), IsEmpty());
}

TEST(CommandStates, FollowFromWhatIsThere) {
  const std::vector<MachineItem> items = {{"a", "", Have::kNo, "", {"one", "two"}, false, "", ""},
                                          {"b", "", Have::kNo, "", {"two"}, true, "", ""},
                                          {"c", "", Have::kUnknown, "", {"three"}, true, "", ""}};
  const auto states = command_states(items);
  ASSERT_EQ(states.size(), 3U);
  EXPECT_EQ(states[0].state, CommandState::State::kLimited);
  EXPECT_EQ(states[1].state, CommandState::State::kMissing);
  EXPECT_THAT(states[1].lacks, ElementsAre("a", "b"));
  EXPECT_EQ(states[2].state, CommandState::State::kWorks);
}

}  // namespace
}  // namespace whittle::deploy
