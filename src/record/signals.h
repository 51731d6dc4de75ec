// The signals that ask us to end.
#pragma once

namespace whittle::record {

// While one lives, SIGINT, SIGTERM and SIGHUP are kept from killing us and counted instead; SIGHUP
// only where it was not ignored (nohup(1)). One inside the life of another goes on counting.
class SignalCatcher {
 public:
  SignalCatcher();
  ~SignalCatcher();
  SignalCatcher(const SignalCatcher&) = delete;
  SignalCatcher& operator=(const SignalCatcher&) = delete;

  static int caught();  // how many came
  // Those of SIGINT and SIGTERM alone: a second one means that the first was not enough. SIGHUP may
  // come twice by itself, from the terminal and from the shell, or beside SIGTERM.
  static int insisted();
};

}  // namespace whittle::record
