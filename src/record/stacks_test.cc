#include "record/stacks.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstring>
#include <random>

#include "base/file_system.h"
#include "base/text.h"
#include "record/demangle.h"

namespace whittle::record {

// Their names are looked for, so they have external linkage and stay what they are.
CapturedStack stack_test_inner();
CapturedStack stack_test_outer();

#if defined(__x86_64__)

// What a recorder would catch, were a call made here.
__attribute__((noinline)) CapturedStack stack_test_inner() {
  ucontext_t context;
  getcontext(&context);
  const auto& values = context.uc_mcontext.gregs;
  CapturedStack captured;
  captured.pid = ::getpid();
  captured.address = static_cast<std::uint64_t>(values[REG_RIP]);
  const int numbers[] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP,
                         REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  for (std::size_t i = 0; i < std::size(numbers); ++i) {
    captured.registers[i] = static_cast<std::uint64_t>(values[numbers[i]]);
  }
  captured.stack.resize(4096);
  // By the kernel: a sanitizer has its own views of who may read a stack.
  const iovec local = {captured.stack.data(), captured.stack.size()};
  const iovec remote = {reinterpret_cast<void*>(values[REG_RSP]), captured.stack.size()};  // NOLINT
  ::process_vm_readv(captured.pid, &local, 1, &remote, 1, 0);
  return captured;
}

__attribute__((noinline)) CapturedStack stack_test_outer() {
  CapturedStack captured = stack_test_inner();
  captured.code32 = false;  // no tail call
  return captured;
}

namespace {

using testing::HasSubstr;

std::string path_of_this() {
  std::string path(1024, '\0');
  path.resize(static_cast<std::size_t>(::readlink("/proc/self/exe", path.data(), path.size())));
  return path;
}

std::uint64_t image_of(pid_t pid) {
  const auto text = read_file(format("/proc/{}/stat", pid), 4096);
  const auto fields = split(text->substr(text->rfind(')') + 2), ' ');
  return parse_u64(fields.at(25)).value();
}

TEST(Stacks, FollowsOurOwn) {
  StackResolver resolver;
  const auto frames = resolver.resolve(stack_test_outer());
  ASSERT_GE(frames.size(), 5U);
  EXPECT_LE(frames.size(), kMostFrames);
  EXPECT_EQ(frames[0].symbol, "whittle::record::stack_test_inner()");
  EXPECT_EQ(frames[1].symbol, "whittle::record::stack_test_outer()");
  EXPECT_THAT(frames[2].symbol, HasSubstr("FollowsOurOwn"));
  for (const std::size_t i : {0, 1, 2}) {
    EXPECT_EQ(frames[i].object, path_of_this());
    EXPECT_GT(frames[i].offset, 0U);
  }
}

// The offsets are those of the file, wherever it is loaded.
TEST(Stacks, NamesThePlaceInTheFile) {
  const CapturedStack captured = stack_test_outer();
  StackResolver resolver;
  const evidence::Frame frame = resolver.resolve(captured).at(0);
  const auto file = ElfFile::open(UniqueFd(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)));
  ASSERT_TRUE(file);
  EXPECT_EQ(file->function_at(frame.offset), frame.symbol);
  EXPECT_EQ(file->build_id(), frame.build_id);
}

TEST(Stacks, AnUnknownProcessLeavesTheAddress) {
  CapturedStack captured = stack_test_outer();
  captured.pid = 1 << 30;
  StackResolver resolver;
  const auto frames = resolver.resolve(captured);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].offset, captured.address - 2);
  EXPECT_TRUE(frames[0].object.empty() && frames[0].symbol.empty());
}

TEST(Stacks, WithoutAStackThereIsOneFrame) {
  CapturedStack captured = stack_test_outer();
  captured.stack.clear();
  StackResolver resolver;
  const auto frames = resolver.resolve(captured);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].symbol, "whittle::record::stack_test_inner()");
}

// A child that has gone before its mappings were read runs what its parent runs; a process that
// runs something else by now gives nothing that would be wrong.
TEST(Stacks, AProcessThatHasGoneIsThatOfItsImage) {
  CapturedStack captured = stack_test_outer();
  captured.image = image_of(captured.pid);
  StackResolver resolver;
  resolver.learn(captured.pid, captured.image);
  captured.pid = 1 << 30;
  EXPECT_EQ(resolver.resolve(captured).at(1).symbol, "whittle::record::stack_test_outer()");
  captured.pid = ::getpid();
  captured.image += 4096;
  EXPECT_EQ(resolver.resolve(captured).size(), 1U);
}

// Without any mappings, or with those of a program that runs there by now, what the kernel said of
// the innermost frame stands, with the name that the object gives when it was met before.
TEST(Stacks, TheKernelsBuildIdNamesTheFrameOfAProcessThatHasGone) {
  CapturedStack captured = stack_test_outer();
  StackResolver resolver;
  const evidence::Frame frame = resolver.resolve(captured).at(0);
  const auto file = ElfFile::open(UniqueFd(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)));
  ASSERT_TRUE(file);
  captured.build_id = file->build_id() + "00000000";  // as of a short one
  captured.file_offset = 0;
  while (file->address_of(captured.file_offset) != frame.offset) ++captured.file_offset;
  captured.file_offset += 2;
  captured.pid = 1 << 30;
  EXPECT_EQ(resolver.resolve(captured), std::vector<evidence::Frame>{frame});
  captured.build_id = "0123456789abcdef0123456789abcdef01234567";
  for (const pid_t pid : {1 << 30, ::getpid()}) {
    captured.pid = pid;
    const auto unknown = resolver.resolve(captured);
    ASSERT_EQ(unknown.size(), 1U);
    EXPECT_EQ(unknown[0].build_id, captured.build_id);
    EXPECT_EQ(unknown[0].offset, captured.file_offset - 2);
    EXPECT_TRUE(unknown[0].object.empty() && unknown[0].symbol.empty());
  }
}

// Code without a file: by its frame pointers, and on by what the callers' files say.
TEST(Stacks, FollowsFramePointersThroughGeneratedCode) {
  void* code = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(code, MAP_FAILED);
  const auto place = reinterpret_cast<std::uint64_t>(code) + 100;
  const CapturedStack caller = stack_test_outer();
  // Two frames of that code below the caller, each beginning with its caller's frame pointer.
  CapturedStack captured = caller;
  const std::uint64_t top = *caller.registers[7];
  const std::uint64_t words[] = {top - 16, place + 50, *caller.registers[6], caller.address};
  captured.stack.insert(0, reinterpret_cast<const char*>(words), sizeof words);
  captured.address = place;
  captured.registers = {};
  captured.registers[6] = captured.registers[7] = top - sizeof words;
  StackResolver resolver;
  const auto frames = resolver.resolve(captured);
  ::munmap(code, 4096);
  ASSERT_GE(frames.size(), 4U);
  EXPECT_TRUE(frames[0].object.empty() && frames[1].object.empty());
  EXPECT_EQ(frames[0].offset, place - 2);
  EXPECT_EQ(frames[1].offset, place + 49);
  EXPECT_EQ(frames[2].symbol, "whittle::record::stack_test_inner()");
}

// A loop of frame pointers ends.
TEST(Stacks, AStackThatGoesInCirclesEnds) {
  void* code = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(code, MAP_FAILED);
  CapturedStack captured;
  captured.pid = ::getpid();
  captured.address = reinterpret_cast<std::uint64_t>(code) + 100;
  captured.registers[6] = captured.registers[7] = 0x1000;
  const std::uint64_t words[] = {0x1000, captured.address};
  captured.stack.assign(reinterpret_cast<const char*>(words), sizeof words);
  StackResolver resolver;
  EXPECT_EQ(resolver.resolve(captured).size(), 2U);
  ::munmap(code, 4096);
}

// Whatever the bytes of a file are, it is read within its bounds.
TEST(Stacks, AFileOfAnyContentIsHarmless) {
  const auto good = read_file(format("{}/forks", WHITTLE_PROGRAMS), 1U << 20U);
  ASSERT_TRUE(good) << good.error().text();
  ASSERT_TRUE(ElfFile::of_image(*good));
  std::mt19937 random(7);
  Registers registers = {};
  registers[6] = registers[7] = 0x7000;
  const ReadWord read = [](std::uint64_t address) { return std::optional(address ^ 0x55); };
  int understood = 0;
  for (int round = 0; round < 400; ++round) {
    std::string bytes = *good;
    for (int change = 0; change < 1 + round % 8; ++change) {
      // The headers, or anything.
      const std::size_t within = round % 2 == 0 ? 1024 : bytes.size();
      bytes[random() % within] = static_cast<char>(random());
    }
    if (round % 16 == 0) bytes.resize(random() % bytes.size());
    const auto file = ElfFile::of_image(bytes);
    if (file == nullptr) continue;
    ++understood;
    const auto frames = CallFrames::open(*file);
    for (std::uint64_t address = 0x1000; address < 0x1800; address += 16) {
      file->function_at(address);
      if (frames) frames->caller(address, 0, registers, read);
    }
  }
  EXPECT_GT(understood, 100);
}

TEST(Stacks, WhatIsNoElfFileIsNone) {
  EXPECT_FALSE(ElfFile::of_image(""));
  EXPECT_FALSE(ElfFile::of_image(std::string(4096, 'x')));
  EXPECT_FALSE(ElfFile::open(UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC))));
}

TEST(Stacks, DemanglesWithinBounds) {
  EXPECT_EQ(demangle("read"), "read");
  EXPECT_EQ(demangle("_ZN7whittle6record4readEi"), "whittle::record::read(int)");
  EXPECT_EQ(demangle("_Znot_a_name"), "_Znot_a_name");
  // Each pair<S, S> doubles the one before it.
  std::string bomb = "_Z1fSt4pairIiiE";
  for (int i = 0; i < 60; ++i) bomb += format("St4pairIS{}_S{}_E", i, i);
  EXPECT_EQ(demangle(bomb).substr(0, 200), bomb.substr(0, 200));
}

}  // namespace

#endif

}  // namespace whittle::record
