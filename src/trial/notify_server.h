// Answers the notifications of a seccomp listener as a profile would, and counts them.
//
//   NotifyServer server(kept.listener(), {.program = program, .enforce = true, ...});
//   server.start();
//   ... the workload runs; server.set_phase("reload"); ...
//   server.finish();                        // the workload has gone
//   server.denials(), server.fallbacks()
//
// Every notification is judged by evaluating the profile's own program on its seccomp_data, the
// very words that the kernel's filter looked at. Under enforce the caller gets the errno of the
// verdict; in log mode the call goes on (SECCOMP_USER_NOTIF_FLAG_CONTINUE), but for a fallback,
// which gets its ENOSYS in both.
//
// NOTE: this observes, and protects nobody. A call that goes on is read by the kernel again from
// the memory of the caller, which other threads can change meanwhile (seccomp_unotify(2)). What the
// judgement rests on, the number and the registers, they cannot change.
//
// A kill is done by a signal: SIGSYS where that ends the process, else SIGKILL. So a verdict that
// kills a thread ends the whole process here. A verdict that traps would need a siginfo that only
// the kernel can make: see answers_trap() in notify_filter.h.
//
// Every occurrence counts once: from Linux 5.19 on a call that was received waits for its answer,
// or dies. Before, a signal takes a call back; then it counts when it was answered, or its task has
// gone.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "filter/program.h"
#include "host/listener.h"
#include "trial/denial.h"

namespace whittle::trial {

struct NotifyOptions {
  filter::Program program;  // of the profile; REQUIRES: check() passed, no TRAP under enforce
  bool enforce = false;
  double start = 0;  // monotonic_seconds() of time 0
  // Whether a refusal is one by an explicit ENOSYS rule.
  std::function<bool(const Denial&)> is_fallback;
};

class NotifyServer {
 public:
  NotifyServer(host::Listener listener, NotifyOptions options);
  ~NotifyServer();  // finish()
  NotifyServer(const NotifyServer&) = delete;
  NotifyServer& operator=(const NotifyServer&) = delete;

  void start();                           // a thread of its own answers from now on
  void set_phase(std::string_view name);  // from any thread; "startup" before
  // Answers no more and closes the listener: calls that wait get ENOSYS.
  void finish();

  // Sorted by arch, nr, args. Of a call that is refused whatever its arguments are, the first 64
  // show them all; else `args` are those that the program looks at. comm is empty when the task was
  // gone before it could be read. REQUIRES: finish() was called.
  std::vector<Denial> denials() const;
  std::vector<Denial> fallbacks() const;
  // What is missing in that. "kinds": calls that were answered and counted, but of more different
  // kinds than are kept. "calls": of an ABI that whittle does not know. REQUIRES: as above.
  std::map<std::string, std::uint64_t> lost() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace whittle::trial
