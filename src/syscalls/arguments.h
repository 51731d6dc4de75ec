// Which arguments of which calls are recorded, and how: the argument table (data/arguments.tsv).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "syscalls/arch.h"

namespace whittle::syscalls {

enum class ArgumentKind : std::uint8_t { kFlags, kEnum, kMode };
// The first level of `generate --arguments` at which observed values become rules. kBase: at none,
// they are recorded and the arguments are left to the base profile.
enum class Level : std::uint8_t { kBase, kSafe, kAll };

// One recorded unit of a call: a single argument (one index) or a tuple (two or three), whose
// values are kept together. A call has up to four; of those whose level is reached the first
// becomes its rule.
struct ArgumentSpec {
  std::string syscall;
  std::vector<std::uint8_t> indexes;  // 1..3 of them, ascending
  ArgumentKind kind;
  // Bits that the kernel looks at, for each index: values are cut to them. 32 or 64.
  std::vector<std::uint8_t> widths;
  Level level;
  // True when the values differ by architecture, or which of them a C library uses there (prctl and
  // ioctl numbers, PROT_BTI).
  bool per_architecture;
  // True for clone3: the value is `flags | exit_signal` of the struct clone_args that argument 0
  // points to, as clone(2) would take it. It stands at index 0 in the evidence.
  bool in_struct;
  // ABIs on which the name is a call with other arguments: mmap of x86 takes a pointer to a struct.
  std::vector<Arch> not_on;
  std::string source;  // where the meaning is defined: a kernel file or a man page
};

std::span<const ArgumentSpec> argument_table();
// All specs of a call; empty when its arguments are not recorded.
std::span<const ArgumentSpec> argument_specs(std::string_view syscall);
// Those of the call as that ABI has it.
std::span<const ArgumentSpec> argument_specs(Arch arch, std::string_view syscall);

std::string_view kind_name(ArgumentKind kind);  // "flags", "enum", "mode"
std::optional<ArgumentKind> kind_from_name(std::string_view name);

// The value of a kernel constant of data/constants.tsv: "CLONE_NEWUSER", "AF_ALG", "SOL_TCP".
std::optional<std::uint64_t> constant(std::string_view symbol);

// A symbol of data/constants.tsv for the values of one argument: those with (v & mask) == value.
// The mask is UINT64_MAX for a symbol that stands for the whole value.
struct Symbol {
  std::uint64_t mask = 0;
  std::string_view name;
  std::uint64_t value = 0;
};
// Those of one argument of a call, whatever its other arguments are; empty when it has none.
std::span<const Symbol> symbols(std::string_view syscall, unsigned index);

// A value in words: symbols of the call's argument joined with '|', or hex. "CLONE_VM|SIGCHLD".
std::string value_text(std::string_view syscall, unsigned index, std::uint64_t value);
// The same for each value of a tuple of the table, read in the light of the values before it, since
// what a protocol or an option means depends on the family or the level:
// {"AF_NETLINK", "SOCK_RAW|SOCK_CLOEXEC", "NETLINK_ROUTE"}. REQUIRES: as many values as indexes.
std::vector<std::string> tuple_text(std::string_view syscall, std::span<const unsigned> indexes,
                                    std::span<const std::uint64_t> values);

// All arguments of a call in words, those of a tuple read together and the others in hex:
// {"0x3", "SOL_TCP", "TCP_NODELAY"}. Bits that no symbol stands for stay as they are.
std::vector<std::string> arguments_text(std::string_view syscall,
                                        std::span<const std::uint64_t> arguments);

// The other architecture's way to make the same call: calls that x86_64 keeps and aarch64 never had
// (open, fork, poll, ...) and the modern call that C libraries use there. data/legacy.tsv.
struct LegacyCall {
  std::string legacy;               // "open"
  std::vector<std::string> modern;  // {"openat"}
};
std::span<const LegacyCall> legacy_calls();

}  // namespace whittle::syscalls
