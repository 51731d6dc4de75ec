// What both backends ask while the command runs: which phase is it, and should it stop?
//
//   Session session(spec);
//   TRY(session.prepare(launch));
//   ... fork ...
//   session.start();
//   session.set_main(child.pid());
//   ... until the tree has gone: wait(), phase(), stop_requested(), kill_requested(), checkpoint()
//   session.ended("exit status 0");
//   ... session.finish();
//
// But for phase(), which any thread may ask, and what Running has, for spec.drive, it belongs to
// the main thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <initializer_list>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/cancel.h"
#include "base/fd.h"
#include "host/exercises.h"
#include "host/launch.h"
#include "record/output_tap.h"
#include "record/record.h"

namespace whittle::record {

class Session : private host::Running {
 public:
  explicit Session(const RecordSpec& spec);
  ~Session() override;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Puts us between the command's output and ours, where readiness is a line of it. Warns of a
  // server that answers already.
  Result<void> prepare(host::LaunchSpec& launch);
  // Starts the clock, the readiness check and the marks. REQUIRES: called once, after the fork.
  void start();

  // The command itself runs as this process now: it can be driven.
  void set_main(pid_t pid);
  // The command has ended, or will be driven no more: a line for people.
  void ended(const std::string& how);
  // It had ended before it was to be stopped: the end of what drives it asks for that as well, so
  // that nothing of it is left.
  bool ended_by_itself() const { return ended_by_itself_; }
  // Calls are counted for this phase from now on. Whoever begins a phase waits for it. Not needed
  // by a recorder that asks for the phase at each call, and says so beforehand.
  void took_phase(const std::string& phase);
  void asks_at_each_call() { asks_at_each_call_ = true; }

  // "startup", "ready", a mark's or an exercise's name, "stop".
  std::string phase() const;
  // Seconds from the start until it was ready; nullopt: it is not, or nothing was to say so.
  std::optional<double> ready_after() const;
  // What a reader of the run must know: that it was never ready, or late.
  std::vector<std::string> notes() const;

  // Returns when there is something to read from one of these (-1: none), when the phase has
  // changed, when a signal has come, and at last after the time.
  void wait(std::initializer_list<int> fds, int milliseconds);
  // True once the command is to be stopped: a signal, the time limit, or quiet for long enough.
  // Hands on warnings, too.
  bool stop_requested();
  std::optional<double> stopping_since() const;  // monotonic_seconds(); nullopt: it is not
  // True once it is to be killed: the grace is over, or a second signal has come.
  bool kill_requested() const;
  // Takes note of a checkpoint and hands it on to the caller of record().
  void checkpoint(const evidence::Run& run);
  double seconds() const;  // since start()

  // Once the tree has gone: passes on the rest of its output, and the last warnings. What drives
  // the command has come back then.
  void finish();
  // Then: readiness, notes and output. REQUIRES: finished.
  void give(Recorded& recorded) const;

 private:
  // Running.
  void begin_phase(const std::string& name) override;
  pid_t main_process() const override { return main_; }
  const Cancel& over() const override { return over_; }
  std::string over_text() const override;

  void watch_readiness();
  void drive_once_ready();
  void set_over(const std::string& why);
  void watch_marks();
  void set_ready();
  void mark(const std::string& name);
  void warn(std::string text);  // from any thread
  void wake() const;
  void hand_on_warnings();
  void check_ready_limit(double now);
  bool quiet_for_long(double now);

  const RecordSpec& spec_;
  SignalCatcher signals_;
  double started_ = 0;
  std::size_t distinct_ = 0;      // calls and values of the last checkpoint
  double last_new_ = 0;           // when that grew
  double ready_seen_ = 0;         // the first checkpoint when it was ready; 0: none yet
  bool quiet_ = false;            // nothing new for long enough, by the last checkpoint
  bool ready_too_early_ = false;  // before the command was started
  bool not_ready_in_time_ = false;
  double stop_asked_ = 0;
  int enough_signals_ = 0;  // so many of SIGINT and SIGTERM mean: kill

  mutable std::mutex mutex_;         // of the next seven
  std::condition_variable changed_;  // one of them has
  std::string taken_phase_;
  std::string over_text_;
  std::string phase_ = "startup";
  std::optional<double> ready_after_;
  std::set<std::string> marks_;
  bool marked_ = false;
  std::vector<std::string> warnings_;

  UniqueFd woken_;  // an eventfd(2)
  std::atomic<bool> stopping_{false};
  bool ended_by_itself_ = false;
  Cancel checks_over_;  // no more looks at whether it is ready
  Cancel over_;         // nothing more is to be done with the command
  std::atomic<pid_t> main_{0};
  std::atomic<bool> driven_{false};  // to the end
  bool asks_at_each_call_ = false;
  std::thread readiness_;
  std::thread driver_;
  std::thread mark_reader_;
  std::optional<OutputTap> tap_;
};

}  // namespace whittle::record
