#include "trial/denial.h"

#include <algorithm>
#include <string_view>

#include "base/text.h"
#include "syscalls/arguments.h"
#include "syscalls/parameters.h"

namespace whittle::trial {

namespace {

using syscalls::Arch;

// glibc's, its loader's, and musl's, which is both.
bool is_c_library(const std::string& object) {
  const std::string_view name = std::string_view(object).substr(object.rfind('/') + 1);
  constexpr std::string_view kNames[] = {"libc.so", "libc-", "libc.musl", "ld-", "libpthread"};
  return std::any_of(std::begin(kNames), std::end(kNames),
                     [&](std::string_view begin) { return name.starts_with(begin); });
}

}  // namespace

unsigned meaningful_arguments(Arch arch, const std::string& syscall) {
  // 32-bit ABIs have other parameters: 64-bit ones take two registers.
  if (arch == Arch::kX86 || arch == Arch::kArm) return 6;
  return syscalls::parameter_count(syscall).value_or(6);
}

std::string call_text(const Denial& denial) {
  const Occurrence& first = denial.first;
  std::vector<std::string> words = syscalls::arguments_text(denial.syscall, first.args);
  unsigned shown = 0;
  const unsigned most = meaningful_arguments(denial.arch, denial.syscall);
  const bool counted = most < 6 || syscalls::parameter_count(denial.syscall);
  for (unsigned i = 0; i < most; ++i) {
    const bool known = ((first.known >> i) & 1U) != 0;
    if (!known) words[i] = "_";
    if (words[i] == "0x0") words[i] = "0";
    if (counted || (known && first.args[i] != 0)) shown = i + 1;
  }
  words.resize(shown);
  return format("{}({})", denial.syscall, join(words, ", "));
}

const evidence::Frame* origin(const Denial& denial) {
  const std::vector<evidence::Frame>& stack = denial.first.stack;
  if (stack.empty()) return nullptr;
  const auto own = std::find_if(stack.begin(), stack.end(), [](const evidence::Frame& frame) {
    return !frame.object.empty() && !is_c_library(frame.object);
  });
  return own == stack.end() ? &stack.front() : &*own;
}

std::string frame_text(const evidence::Frame& frame) {
  if (frame.object.empty()) return format("{:#x}", frame.offset);
  const std::string place = format("{}+{:#x}", frame.object, frame.offset);
  return frame.symbol.empty() ? place : format("{} in {}", frame.symbol, place);
}

}  // namespace whittle::trial
