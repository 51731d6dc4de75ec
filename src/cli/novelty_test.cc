#include "cli/novelty.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

namespace whittle::cli {
namespace {

using ::testing::ElementsAre;

evidence::Observation call(const std::string& name, std::uint32_t nr, double first) {
  evidence::Observation observation;
  observation.arch = syscalls::host_arch();
  observation.name = name;
  observation.nr = nr;
  observation.first = first;
  return observation;
}

TEST(Novelty, TellsWhatIsNewTheLatestFirst) {
  Novelty novelty;
  auto socket = call("socket", 41, 2);
  socket.tuples.push_back({{0, 1, 2}, true, {{AF_INET, SOCK_STREAM, 0}}});
  const News first = novelty.add({call("read", 0, 1), socket});
  EXPECT_EQ(first.calls, 2U);
  EXPECT_EQ(first.values, 0U);  // those of a call that is new itself do not count beside it
  EXPECT_THAT(first.words, ElementsAre("socket", "read"));
  EXPECT_EQ(news_text(first), "2 calls new (socket, read)");

  EXPECT_TRUE(novelty.add({call("read", 0, 1), socket}).empty());
  socket.tuples[0].values.insert({AF_INET6, SOCK_STREAM, 0});
  const News second = novelty.add({call("read", 0, 1), socket});
  EXPECT_EQ(news_text(second), "1 argument value new (socket(AF_INET6, SOCK_STREAM, IPPROTO_IP))");
}

TEST(Novelty, TellsTheAbisOfACallApart) {
  Novelty novelty;
  auto getpid = call("getpid", 39, 0);
  novelty.add({getpid});
  getpid.arch = syscalls::Arch::kX86;
  getpid.nr = 20;
  EXPECT_THAT(novelty.add({getpid}).words, ElementsAre("x86 getpid"));
}

TEST(NewsText, SaysSoWhenThereIsNothingAndCutsWhatIsLong) {
  EXPECT_EQ(news_text({}), "nothing new");
  EXPECT_EQ(news_text({6, 1, {"a", "b", "c", "d", "e", "f", "g(1)"}}),
            "6 calls and 1 argument value new (a, b, c, d, e, ...)");
}

}  // namespace
}  // namespace whittle::cli
