#include "record/output_tap.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <thread>

#include "base/clock.h"
#include "base/fd.h"

namespace whittle::record {
namespace {

bool never() { return false; }

// While one lives, our standard output is a pipe of the test's.
class Caught {
 public:
  Caught() : before_(::dup(STDOUT_FILENO)) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    reader_ = UniqueFd(ends[0]);
    ::dup2(ends[1], STDOUT_FILENO);
    ::close(ends[1]);
  }
  ~Caught() { ::dup2(before_.get(), STDOUT_FILENO); }
  Caught(const Caught&) = delete;
  Caught& operator=(const Caught&) = delete;

  void close_reader() { reader_.reset(); }
  void close_writer() const { ::dup2(before_.get(), STDOUT_FILENO); }
  std::string read(std::size_t size) const {
    std::string text;
    std::array<char, 65536> buffer;
    while (text.size() < size) {
      const ssize_t n =
          ::read(reader_.get(), buffer.data(), std::min(buffer.size(), size - text.size()));
      if (n <= 0) break;
      text.append(buffer.data(), static_cast<std::size_t>(n));
    }
    return text;
  }

 private:
  UniqueFd before_;
  UniqueFd reader_;
};

class Tapped {
 public:
  explicit Tapped(const std::string& pattern) : tap(*OutputTap::open({.pattern = pattern})) {
    command_ = UniqueFd(::dup(tap.output()));
    tap.start([this] { ++matches; });
  }
  // The whole text, as a command does that waits when a pipe is full.
  void write(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t n = ::write(command_.get(), text.data(), text.size());
      ASSERT_GT(n, 0);
      text.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  void end() { command_.reset(); }
  bool matched_soon() const {
    const double start = monotonic_seconds();
    while (matches == 0 && monotonic_seconds() - start < 60) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return matches == 1;
  }

  std::atomic<int> matches{0};
  OutputTap tap;

 private:
  UniqueFd command_;
};

TEST(OutputTap, PassesEveryByteOn) {
  const Caught caught;
  Tapped tapped("nothing like it");
  std::string text;
  for (int i = 0; i < 300000; ++i) text += static_cast<char>(i * 7);
  std::thread writer([&] {
    tapped.write(text);
    tapped.end();
  });
  EXPECT_EQ(caught.read(text.size()), text);
  writer.join();
  tapped.tap.finish(never);
  EXPECT_EQ(tapped.matches, 0);
}

TEST(OutputTap, MatchesWholeLinesOnce) {
  const Caught caught;
  Tapped tapped("^ready$");
  tapped.write("not ready\nrea");
  tapped.write("dy to go\nready");
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(tapped.matches, 0);  // the line may go on
  tapped.write("\r\nready\n");
  EXPECT_TRUE(tapped.matched_soon());
  tapped.end();
  tapped.tap.finish(never);
  EXPECT_EQ(tapped.matches, 1);
}

TEST(OutputTap, LooksAtTheStartOfALongLine) {
  const Caught caught;
  Tapped tapped("^ready");
  tapped.write("ready" + std::string(60000, '.') + "\n");
  EXPECT_TRUE(tapped.matched_soon());
}

TEST(OutputTap, DoesNotHoldTheCommandUpForASlowReader) {
  const Caught caught;
  Tapped tapped("^last$");
  const std::string much(8U << 20U, 'x');
  tapped.write(much + "\nlast\n");  // nobody reads
  EXPECT_TRUE(tapped.matched_soon());
  tapped.end();
  EXPECT_EQ(caught.read(much.size()), much);
  tapped.tap.finish(never);
  EXPECT_EQ(caught.read(6), "\nlast\n");
}

// More than is held: the rest waits in the pipe when the command has gone.
TEST(OutputTap, LosesNothingOfWhatASlowReaderIsBehind) {
  const Caught caught;
  Tapped tapped("x");
  // Whatever is read at a time, more than is held and in the reader's pipe, and not more than those
  // and the command's pipe take (64 KiB each, pipe(7)).
  const std::string much((64U << 20U) + (128U << 10U), '.');
  tapped.write(much);
  tapped.end();
  std::thread reader;
  int asked = 0;
  tapped.tap.finish([&] {  // asked again and again, once the command counts as gone
    if (++asked == 100) {
      reader = std::thread([&] { EXPECT_EQ(caught.read(much.size()).size(), much.size()); });
    }
    return false;
  });
  ASSERT_TRUE(reader.joinable());
  caught.close_writer();  // nothing more comes
  reader.join();
}

TEST(OutputTap, GoesOnWhenTheReaderHasGone) {
  ::signal(SIGPIPE, SIG_IGN);
  Caught caught;
  caught.close_reader();
  Tapped tapped("^last$");
  tapped.write(std::string(1U << 20U, 'x') + "\nlast\n");
  EXPECT_TRUE(tapped.matched_soon());
  tapped.end();
  tapped.tap.finish(never);
}

TEST(OutputTap, EndsThoughSomebodyHoldsThePipe) {
  const Caught caught;
  Tapped tapped("x");
  tapped.write("last words\n");
  tapped.tap.finish(never);  // as after a daemon that goes on
  EXPECT_EQ(caught.read(11), "last words\n");
}

TEST(OutputTap, GivesUpOnAReaderThatDoesNotRead) {
  const Caught caught;
  Tapped tapped("x");
  tapped.write(std::string(1U << 20U, '.'));
  tapped.end();
  int asked = 0;
  tapped.tap.finish([&] { return ++asked > 10; });
  EXPECT_GT(asked, 10);
}

}  // namespace
}  // namespace whittle::record
