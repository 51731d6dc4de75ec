// Calls that x86 also makes through one entry with a number: socketcall(2) and ipc(2).
//
// libseccomp turns a rule for such a call into two on x86, the second one for the entry with that
// number and without the argument conditions (libseccomp: src/arch-x86.c). What it does unasked,
// generated profiles say.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace whittle::generate {

struct Multiplexed {
  std::string_view entry;  // "socketcall" or "ipc"
  std::uint64_t number;    // its first argument: SYS_* of linux/net.h, the calls of linux/ipc.h
};
std::optional<Multiplexed> multiplexed(std::string_view name);
bool is_multiplexer(std::string_view name);

}  // namespace whittle::generate
