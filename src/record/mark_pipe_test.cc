#include "record/mark_pipe.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_system.h"

namespace whittle::record {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(IsPhaseName, TakesShortPlainNames) {
  EXPECT_TRUE(is_phase_name("reload"));
  EXPECT_TRUE(is_phase_name("load_test-2"));
  EXPECT_TRUE(is_phase_name(std::string(64, 'a')));
  for (const char* name : {"", "Reload", "a b", "a/b", "a\n", "\x1b[31m", "runtime", "\xc3\xa4"}) {
    EXPECT_FALSE(is_phase_name(name)) << name;
  }
  EXPECT_FALSE(is_phase_name(std::string(65, 'a')));
}

TEST(MarkReader, CutsLines) {
  MarkReader reader;
  EXPECT_THAT(reader.add("one\n\n  two \r\nthr"), ElementsAre("one", "two"));
  EXPECT_THAT(reader.add("ee\n"), ElementsAre("three"));
  // No longer than what shows that it is too long.
  EXPECT_THAT(reader.add(std::string(100000, 'x')), IsEmpty());
  EXPECT_THAT(reader.add("\n"), ElementsAre(std::string(80, 'x')));
  reader.add("half");
  reader.forget();
  EXPECT_THAT(reader.add("whole\n"), ElementsAre("whole"));
}

class MarkPipeTest : public testing::Test {
 protected:
  void write(std::string_view text) const {
    const int fd = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK);
    ASSERT_GE(fd, 0);
    EXPECT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    ::close(fd);
  }
  TemporaryDirectory directory_ = *TemporaryDirectory::create("whittle-test");
  std::string path_ = directory_.path() + "/marks";
};

TEST_F(MarkPipeTest, IsMadeForUsAloneAndGoes) {
  {
    auto pipe = MarkPipe::open(path_);
    ASSERT_TRUE(pipe) << pipe.error().text();
    struct stat info = {};
    ASSERT_EQ(::stat(path_.c_str(), &info), 0);
    EXPECT_TRUE(S_ISFIFO(info.st_mode));
    EXPECT_EQ(info.st_mode & 0077U, 0U);
    EXPECT_THAT(pipe->read(), IsEmpty());
    write("one\n");
    write("two\n");  // another writer
    EXPECT_THAT(pipe->read(), ElementsAre("one", "two"));
    write("three\nhal");
    pipe->drain();
    write("four\n");
    EXPECT_THAT(pipe->read(), ElementsAre("four"));
  }
  EXPECT_NE(::access(path_.c_str(), F_OK), 0);
}

TEST_F(MarkPipeTest, TakesAFifoThatIsThereAndLeavesIt) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  { EXPECT_TRUE(MarkPipe::open(path_)); }
  EXPECT_EQ(::access(path_.c_str(), F_OK), 0);
}

TEST_F(MarkPipeTest, RefusesAnythingElse) {
  ASSERT_TRUE(write_file(path_, "precious"));
  const auto file = MarkPipe::open(path_);
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().text(), HasSubstr("no FIFO"));
  EXPECT_EQ(*read_file(path_), "precious");
  const auto nowhere = MarkPipe::open(directory_.path() + "/no/marks");
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().kind, ErrorKind::kInput);
}

}  // namespace
}  // namespace whittle::record
