// What explanations say in words alike, in the list and in the detail.
#include <algorithm>

#include "base/text.h"
#include "cli/explain_report.h"
#include "syscalls/arguments.h"

namespace whittle::cli {

namespace {

// The C library and the loader: everybody goes through them.
bool is_c_library(const std::string& object) {
  const std::string name = object.substr(object.rfind('/') + 1);
  constexpr std::string_view kPrefixes[] = {"libc.so", "libc-", "ld-linux", "ld-musl",
                                            "libpthread"};
  return std::any_of(std::begin(kPrefixes), std::end(kPrefixes),
                     [&name](std::string_view prefix) { return name.starts_with(prefix); });
}

}  // namespace

std::string object_text(const evidence::Frame& frame) {
  if (!frame.object.empty()) return printable(frame.object, 4096);
  if (frame.build_id.empty()) return "code without a file";
  return "the file with build id " + printable(frame.build_id);
}

namespace {

std::string frame_text(const evidence::Frame& frame) {
  const std::string object = object_text(frame);
  if (frame.symbol.empty()) return format("{}+{:#x}", object, frame.offset);
  return format("{} in {}", printable(frame.symbol, 300), object);
}

}  // namespace

std::vector<std::string> seen_values(const std::string& syscall,
                                     const evidence::ArgumentValues& values) {
  std::vector<std::string> texts;
  for (const std::uint64_t value : values.values) {
    texts.push_back(syscalls::value_text(syscall, values.index, value));
  }
  return texts;
}

std::vector<std::string> seen_values(const std::string& syscall,
                                     const evidence::TupleValues& values) {
  std::vector<std::string> texts;
  for (const auto& tuple : values.values) {
    texts.push_back(join(syscalls::tuple_text(syscall, values.indexes, tuple), ", "));
  }
  return texts;
}

std::string origin_text(const evidence::Stack& stack) {
  if (stack.frames.empty()) return {};
  const auto named =
      std::find_if(stack.frames.begin(), stack.frames.end(), [](const evidence::Frame& frame) {
        return !frame.symbol.empty() && !frame.object.empty() && !is_c_library(frame.object);
      });
  const auto outside =
      std::find_if(stack.frames.begin(), stack.frames.end(), [](const evidence::Frame& frame) {
        return !frame.object.empty() && !is_c_library(frame.object);
      });
  if (named != stack.frames.end()) return frame_text(*named);
  return frame_text(outside != stack.frames.end() ? *outside : stack.frames.front());
}

}  // namespace whittle::cli
