#include "cli/load_profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file_system.h"

namespace whittle::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Arguments with(const std::string& option, const std::string& value) {
  Arguments arguments;
  arguments.options_[option] = {value};
  return arguments;
}

TEST(LoadProfile, FromABaseline) {
  const auto loaded = load_profile("baseline:docker@29.4.3", default_setting());
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(*loaded, *profile::baseline("docker@29.4.3", default_setting()));
  EXPECT_FALSE(load_profile("baseline:", default_setting()).has_value());
}

TEST(LoadProfile, FromAFile) {
  const auto directory = TemporaryDirectory::create("load-profile");
  ASSERT_TRUE(directory.has_value());
  const std::string path = directory->path() + "/p.json";
  ASSERT_TRUE(write_file(path, "{\"defaultAction\": \"SCMP_ACT_LOG\"}").has_value());
  const auto loaded = load_profile(path, {});
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded->default_verdict().action, profile::Action::kLog);
  ASSERT_TRUE(write_file(path, "{\n}").has_value());
  const auto bad = load_profile(path, {});
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().place, path + ":1");
  EXPECT_FALSE(load_profile(directory->path() + "/missing.json", {}).has_value());
}

TEST(Setting, DefaultsToThisMachine) {
  const profile::Setting setting = default_setting();
  EXPECT_EQ(setting.arch, syscalls::native_of(syscalls::host_arch()));
  EXPECT_GE(setting.kernel, (profile::KernelVersion{4, 0}));
  EXPECT_EQ(setting.caps, std::nullopt);
}

TEST(Setting, Architectures) {
  for (const char* word : {"aarch64", "arm64", "arm"}) {
    EXPECT_EQ(setting_of(with("--arch", word))->arch, syscalls::Arch::kAarch64) << word;
  }
  for (const char* word : {"x86_64", "amd64", "x86", "x32"}) {
    EXPECT_EQ(setting_of(with("--arch", word))->arch, syscalls::Arch::kX86_64) << word;
  }
  EXPECT_FALSE(setting_of(with("--arch", "vax")).has_value());
}

TEST(Setting, Capabilities) {
  EXPECT_THAT(*setting_of(with("--caps", "sys_admin,CAP_CHOWN"))->caps,
              ElementsAre("CAP_CHOWN", "CAP_SYS_ADMIN"));
  EXPECT_TRUE(setting_of(with("--caps", "none"))->caps->empty());
  EXPECT_EQ(setting_of(with("--caps", "docker,bpf"))->caps->size(), 15U);
  const auto bad = setting_of(with("--caps", "SYS_ADMN"));
  ASSERT_FALSE(bad.has_value());
  EXPECT_THAT(bad.error().hint, HasSubstr("CAP_SYS_ADMIN"));
  EXPECT_FALSE(setting_of(with("--caps", "chown,,kill")).has_value());
}

TEST(Setting, Kernel) {
  EXPECT_EQ(setting_of(with("--kernel", "4.7"))->kernel, (profile::KernelVersion{4, 7}));
  EXPECT_FALSE(setting_of(with("--kernel", "new")).has_value());
}

}  // namespace
}  // namespace whittle::cli
