// Seccomp notification: a filter that asks a supervisor (seccomp_unotify(2)), and how the listener,
// the descriptor by which it asks, gets from the process that loads the filter to the supervisor.
//
// Once the filter is in force every call of that process may be one that waits for the supervisor,
// who cannot answer before it has the listener. So the filter lets one call pass whatever the
// profile says: the sendmsg(2) that hands the listener over, known by two random words behind its
// own three arguments. The kernel does not look at them, a filter does.
#pragma once

#include <array>
#include <cstdint>

#include "base/fd.h"
#include "base/result.h"
#include "filter/program.h"

namespace whittle::host {

struct Listener {
  UniqueFd fd;
  // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (Linux 5.19) is in force: a call that the supervisor has
  // received waits for its answer. Without it a signal takes it back, and it may be made again.
  bool wait_killable = false;
};

// The two words: of 128 bits, so that no call has them by chance.
using HandoverWords = std::array<std::uint64_t, 2>;
HandoverWords random_handover_words();

// The program with the exception in front of it. It is 14 instructions longer.
filter::Program with_handover(const filter::Program& program, const HandoverWords& words);

// What a child does right after it has loaded such a filter: async-signal-safe, one system call.
// False: it could not be sent; then no further system call may be made, as nobody would answer.
bool hand_over(int channel, int listener, bool wait_killable, const HandoverWords& words);

// The other end. When something else came the listener is not valid; its bytes are then in `other`
// (up to `size`, at least 1), their number in `got`: 0 at the end of the channel.
struct Received {
  Listener listener;
  long got = 0;
};
Received receive_listener(int channel, void* other, std::size_t size);

}  // namespace whittle::host
