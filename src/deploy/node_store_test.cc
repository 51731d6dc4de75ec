#include "deploy/node_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file_system.h"
#include "base/sha256.h"

namespace whittle::deploy {
namespace {

TEST(Sha256, IsThatOfTheStandard) {
  // FIPS 180-4's example, "abc".
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(ProfileNames, AreThoseThatAManifestCanName) {
  for (const char* good : {"a.json", "team/a.json", "docker@29.4.3.json", "a+b=c", "A_b-c/d/e.f"}) {
    EXPECT_TRUE(check_profile_name(good)) << good;
  }
  for (const std::string& bad :
       {std::string(""), std::string("."), std::string(".."), std::string("../a"),
        std::string("a/../b"), std::string("/a"), std::string("a//b"), std::string("a/"),
        std::string(".hidden"), std::string("a b"), std::string("a\nb"), std::string("a\0b", 3),
        std::string("\xff"), std::string(201, 'a')}) {
    EXPECT_FALSE(check_profile_name(bad)) << bad;
  }
}

class NodeStoreTest : public testing::Test {
 protected:
  TemporaryDirectory directory_ = *TemporaryDirectory::create("whittle-store");
  NodeStore store_ = *NodeStore::open(directory_.path(), Create::kNo);

  StoreChange install(const std::string& name, const std::string& content) {
    const std::vector<StoreItem> items = {{name, content}};
    return store_.install(items, false)->front().change;
  }
  std::string content(const std::string& name) {
    return *read_file(directory_.path() + "/" + name);
  }
};

TEST_F(NodeStoreTest, ChangesOnlyWhatIsDifferent) {
  EXPECT_EQ(install("a/x.json", "1"), StoreChange::kNew);
  EXPECT_EQ(install("a/x.json", "1"), StoreChange::kUnchanged);
  EXPECT_EQ(install("a/x.json", "2"), StoreChange::kReplaced);
  EXPECT_EQ(content("a/x.json"), "2");
  EXPECT_EQ(content(".whittle/previous/a/x.json"), "1");
  ASSERT_TRUE(store_.roll_back({}, false));
  EXPECT_EQ(content("a/x.json"), "1");
}

TEST_F(NodeStoreTest, MendsWhatAnInterruptedRunLeft) {
  ASSERT_EQ(install("x.json", "1"), StoreChange::kNew);
  const std::string rubbish = directory_.path() + "/" + std::string(kTemporaryPrefix) + "0";
  ASSERT_TRUE(write_file(rubbish, "half a prof"));
  ASSERT_EQ(install("x.json", "2"), StoreChange::kReplaced);
  EXPECT_FALSE(read_file(rubbish));
}

TEST_F(NodeStoreTest, ADamagedListIsAnErrorNotAGuess) {
  ASSERT_EQ(install("x.json", "1"), StoreChange::kNew);
  ASSERT_TRUE(
      write_file(directory_.path() + "/.whittle/installed.json", "{\"schema\": \"other\"}"));
  const std::vector<StoreItem> items = {{"x.json", "2"}};
  EXPECT_FALSE(store_.install(items, false));
  EXPECT_EQ(content("x.json"), "1");
}

}  // namespace
}  // namespace whittle::deploy
