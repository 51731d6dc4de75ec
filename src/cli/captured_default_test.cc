#include "cli/captured_default.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace whittle::cli {
namespace {

using testing::HasSubstr;

CapturedDefault captured(const std::string& compiled_from, const std::string& version) {
  CapturedDefault result;
  result.runtime = "docker";
  result.version = version;
  result.oci_runtime = "runc";
  result.captured = "2026-11-25T04:59:23.000Z";
  result.kernel = "6.18.44";
  const auto& caps = profile::docker_default_caps();
  result.caps = {caps.begin(), caps.end()};
  profile::Setting setting;
  setting.kernel = {6, 18};
  const auto compiled =
      filter::compile(*profile::baseline(compiled_from, setting), filter::Flavour::kRunc);
  if (compiled) result.filters = {compiled->program};
  return result;
}

TEST(CapturedDefault, IsThatOfItsOwnVersion) {
  const auto recognised = recognise(captured("docker@20.10.23", "20.10.24+dfsg1"));
  ASSERT_TRUE(recognised) << recognised.error().text();
  EXPECT_EQ(recognised->equals, "docker@20.10.24");
  EXPECT_EQ(recognised->since, "docker@20.10.23");
  EXPECT_TRUE(recognised->own);
  EXPECT_TRUE(recognised->difference.equivalent());
}

TEST(CapturedDefault, IsThatOfAnother) {
  const auto recognised = recognise(captured("docker@24.0.9", "25.0.0"));
  ASSERT_TRUE(recognised) << recognised.error().text();
  EXPECT_FALSE(recognised->own);
  EXPECT_EQ(recognised->equals, "docker@24.0.9");
  EXPECT_EQ(recognised->nearest, "docker@25.0.0");
  EXPECT_FALSE(recognised->difference.equivalent());
  for (const filter::Change& change : recognised->difference.changes) {
    EXPECT_THAT(std::string(change.name), HasSubstr("io_uring_"));
    EXPECT_EQ(change.direction, filter::Direction::kLooser);
  }
}

TEST(CapturedDefault, IsNoneThatIsKnown) {
  CapturedDefault changed = captured("docker@29.7.2", "31.0.0");
  changed.filters = {{{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}}};
  const auto recognised = recognise(changed);
  ASSERT_TRUE(recognised) << recognised.error().text();
  EXPECT_EQ(recognised->equals, "");
  EXPECT_THAT(recognised->nearest, HasSubstr("docker@"));
  EXPECT_FALSE(recognised->difference.equivalent());

  changed.filters.clear();
  EXPECT_THAT(recognise(changed).error().message, HasSubstr("without a seccomp filter"));
  changed.filters.resize(2);
  EXPECT_THAT(recognise(changed).error().message, HasSubstr("2 filters"));
}

TEST(CapturedDefault, FileAndBack) {
  const CapturedDefault written = captured("docker@29.7.2", "");
  const std::string text = json::dump(to_json(written));
  EXPECT_TRUE(is_captured_default(text));
  const auto read = read_captured_default(text, "x.json");
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(json::dump(to_json(*read)), text);
  ASSERT_EQ(read->filters.size(), 1U);
  EXPECT_TRUE(filter::same_program(read->filters[0], written.filters[0]));

  for (const auto& [from, to] :
       {std::pair("\"x86_64\"", "\"x32\""), std::pair("[32,0,0,4]", "[32,0,0]"),
        std::pair("[32,0,0,4]", "[32,0,256,4]"), std::pair("[32,0,0,4]", "[32,0,0,3]"),
        std::pair("default/v1", "default/v2"), std::pair("\"runc\"", "1")}) {
    std::string bad = text;
    const std::size_t at = bad.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    bad.replace(at, std::string_view(from).size(), to);
    const auto result = read_captured_default(bad, "x.json");
    ASSERT_FALSE(result) << to;
    EXPECT_EQ(result.error().kind, ErrorKind::kInput);
    EXPECT_THAT(result.error().place, HasSubstr("x.json")) << to;
  }
}

}  // namespace
}  // namespace whittle::cli
