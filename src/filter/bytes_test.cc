#include "filter/bytes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace whittle::filter {
namespace {

using ::testing::HasSubstr;

const Program kProgram = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 0},
                          {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 59},
                          {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | 38},
                          {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};

TEST(Bytes, AreTheArrayInMemory) {
  const std::string bytes = write_bytes(kProgram);
  ASSERT_EQ(bytes.size(), 32U);
  EXPECT_EQ(bytes.substr(0, 16), std::string("\x20\0\0\0\0\0\0\0\x15\0\0\x01\x3b\0\0\0", 16));
  EXPECT_EQ(bytes.substr(16, 8), std::string("\x06\0\0\0\x26\0\x05\0", 8));
  EXPECT_TRUE(looks_like_program(bytes));
  const auto again = read_bytes(bytes, "f.bpf");
  ASSERT_TRUE(again);
  EXPECT_TRUE(same_program(*again, kProgram));
}

TEST(Bytes, TextIsNoProgram) {
  EXPECT_FALSE(looks_like_program("{\"defaultAction\": \"SCMP_ACT_LOG\"}"));
  EXPECT_FALSE(looks_like_program(""));
  EXPECT_FALSE(looks_like_program(std::string("\0\1\2", 3)));  // no whole instruction
}

TEST(Bytes, WrongOnes) {
  const std::string bytes = write_bytes(kProgram);
  const auto cut = read_bytes(bytes.substr(0, 30), "f.bpf");
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().place, "f.bpf");
  EXPECT_THAT(cut.error().message, HasSubstr("30 bytes"));
  // The end is missing, and the jump goes past it.
  const auto endless = read_bytes(bytes.substr(0, 16), "f.bpf");
  ASSERT_FALSE(endless);
  EXPECT_EQ(endless.error().kind, ErrorKind::kInput);
  EXPECT_THAT(endless.error().text(), HasSubstr("f.bpf"));
  EXPECT_FALSE(read_bytes("", "f.bpf"));
  const auto huge = read_bytes(std::string(8 * 4097, '\0'), "f.bpf");
  ASSERT_FALSE(huge);
  EXPECT_THAT(huge.error().message, HasSubstr("4097"));
}

}  // namespace
}  // namespace whittle::filter
