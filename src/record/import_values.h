// Argument values as other tools write them: symbols of the kernel, joined with '|', with the
// numbers that had no symbol between them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "record/collector.h"
#include "record/import_sink.h"
#include "syscalls/arguments.h"

namespace whittle::record {

// The value of what stands in the text:
//   "PROT_READ|PROT_WRITE"  "0x3 /* PROT_??? */"  "CLONE_FILES|0xdead|SIGCHLD"  "-1"  "0644"
//   "_IOC(_IOC_READ, 0x54, 0x30, 0x4)"  "21<<MAP_HUGE_SHIFT"  "htons(ETH_P_ALL)"  "SIGRT_2"
//   "SNDCTL_TMR_TIMEBASE or TCGETS"  "AF_INET /* 0x2 */"  "NULL"
// `prefix` goes in front of symbols that are written without it ("INET" with "AF_"); a symbol is
// looked up with it first. nullopt: something in it is no symbol that we know, and no number.
std::optional<std::uint64_t> read_value(std::string_view text, std::string_view prefix = {});

// The parts of an argument list between its commas, trimmed. Quoted strings, (), [], {}, comments
// and file descriptors with their paths (3</tmp/a,b>) keep together.
struct ArgumentList {
  std::vector<std::string_view> parts;  // at most 16
  // Where the list ends: the position behind its ")"; npos when it has no end in the text.
  std::size_t end = std::string_view::npos;
};
// REQUIRES: `text` begins behind the opening parenthesis.
ArgumentList split_arguments(std::string_view text);

// The text of a member of a struct as strace writes it: "SIGCHLD" of "exit_signal" in
// "{flags=CLONE_VM, exit_signal=SIGCHLD, stack=0x7f}". Empty: there is none.
std::string_view member_text(std::string_view braces, std::string_view name);

// "-1 ENOENT (No such file or directory)", "? ERESTARTSYS (...)", "0x7f", "-1 (errno 38)",
// "3</tmp>",
// "?": a result as the kernel returned it; nullopt: there was none ("?"), or it cannot be read.
std::optional<std::int64_t> read_result(std::string_view text);

// fork, vfork, clone, clone3: they return a second time, in the child, which some tools show.
bool starts_task(std::string_view syscall);

struct ValueText {
  std::string_view value;
  std::string_view prefix = {};
};
using ArgumentText = std::function<std::optional<ValueText>(std::uint8_t index)>;

// Sets the recorded arguments of the call, but for those in a struct, from their texts; one that is
// missing or cannot be read becomes unread, and the sink shows it.
void fill_arguments(Call& call, std::string_view name, const ArgumentText& text_of,
                    ImportSink& sink);

}  // namespace whittle::record
