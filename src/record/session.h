// What both backends ask while the command runs: which phase is it, and should it stop?
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <thread>

#include "record/record.h"

namespace whittle::record {

class Session {
 public:
  explicit Session(const RecordSpec& spec);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Starts the clock and the readiness check. REQUIRES: called once, after the fork.
  void start();
  // "startup", "ready", "stop"
  std::string phase() const;
  // True when there was no readiness to wait for, too.
  bool became_ready() const { return !spec_.ready || ready_; }
  // True once the command is to be stopped: a signal, the time limit, or quiet for long enough.
  bool stop_requested();
  // Takes note of a checkpoint and hands it on to the caller of record().
  void checkpoint(const evidence::Run& run);
  double seconds() const;  // since start()

 private:
  void watch_readiness();

  const RecordSpec& spec_;
  SignalCatcher signals_;
  double started_ = 0;
  std::size_t distinct_ = 0;  // calls and values of the last checkpoint
  double last_new_ = 0;       // when that grew
  bool stopping_ = false;
  std::atomic<bool> ready_{false};
  std::atomic<bool> done_{false};
  std::thread watcher_;
};

}  // namespace whittle::record
