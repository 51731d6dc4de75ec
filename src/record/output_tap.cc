#include "record/output_tap.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "record/line_pattern.h"

namespace whittle::record {

namespace {

constexpr std::size_t kHeldLimit = 64U << 20U;  // bytes that a slow reader may be behind
constexpr std::size_t kLineLimit = 8192;        // bytes of a line that are looked at
// No more at a time, so that a pipe that poll(2) calls writable takes it whole (PIPE_BUF, pipe(7)).
constexpr std::size_t kChunk = 4096;
constexpr int kSlice = 50;  // milliseconds between two looks at what the owner wants

// Cuts a stream into lines.
class Lines {
 public:
  // True when a line that ended in these bytes matches.
  bool add(std::string_view bytes, const LinePattern& pattern) {
    bool found = false;
    for (const char c : bytes) {
      if (c != '\n') {
        if (line_.size() < kLineLimit) line_ += c;
        continue;
      }
      if (line_.ends_with('\r')) line_.pop_back();
      found = found || pattern.matches(line_);
      line_.clear();
    }
    return found;
  }

 private:
  std::string line_;
};

// One pipe from the command, and where its bytes go.
struct Stream {
  UniqueFd from;
  UniqueFd command_end;
  int to = STDOUT_FILENO;
  Lines lines;
  std::string held;  // read and not passed on
  std::size_t passed = 0;
  bool reader_gone = false;

  bool pending() const { return passed < held.size(); }
  bool wants_more() const { return from.valid() && held.size() - passed < kHeldLimit; }

  // False when there is nothing now.
  bool read_some(std::string& into) {
    std::array<char, 65536> buffer;
    const ssize_t n = ::read(from.get(), buffer.data(), buffer.size());
    if (n > 0) into.assign(buffer.data(), static_cast<std::size_t>(n));
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) from.reset();
    return n > 0;
  }

  void hold(std::string_view bytes) {
    if (!reader_gone) held += bytes;
  }

  void pass_on() {
    const std::size_t size = std::min(held.size() - passed, kChunk);
    const ssize_t n = ::write(to, held.data() + passed, size);
    if (n > 0) passed += static_cast<std::size_t>(n);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
      reader_gone = true;  // or a full disk: the command is not to suffer for it
      passed = held.size();
    }
    if (!pending()) {
      held.clear();
      passed = 0;
    } else if (passed > (1U << 20U)) {
      held.erase(0, passed);
      passed = 0;
    }
  }
};

Result<Stream> make_stream(int to) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return errno_error(ErrorKind::kEnvironment, "cannot make a pipe", errno);
  }
  Stream stream;
  stream.from = UniqueFd(ends[0]);
  stream.command_end = UniqueFd(ends[1]);
  stream.to = to;
  ::fcntl(stream.from.get(), F_SETFL, O_NONBLOCK);
  return stream;
}

bool same_file(int a, int b) {
  struct stat first = {};
  struct stat second = {};
  return ::fstat(a, &first) == 0 && ::fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

}  // namespace

struct OutputTap::State {
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    abandoned = true;
    if (thread.joinable()) thread.join();
  }

  void run();
  bool take_in(Stream& stream);
  bool all_done() const;
  void drop_what_is_over() {
    if (kept.size() <= kMostKept) return;
    dropped += kept.size() - kMostKept;
    kept.erase(0, kept.size() - kMostKept);
  }

  std::optional<LinePattern> pattern;
  bool keep = false;
  std::string kept;
  std::uint64_t dropped = 0;
  std::vector<Stream> streams;  // one, or standard output and standard error
  std::function<void()> matched;
  std::atomic<bool> ending{false};     // the command is gone: what is in the pipes is all there is
  std::atomic<bool> abandoned{false};  // end now
  std::atomic<bool> ended{false};
  std::thread thread;
};

// True when there may be more in the pipe.
bool OutputTap::State::take_in(Stream& stream) {
  std::string bytes;
  if (!stream.wants_more() || !stream.read_some(bytes)) return false;
  if (matched && pattern && stream.lines.add(bytes, *pattern)) std::exchange(matched, nullptr)();
  if (!keep) {
    stream.hold(bytes);
    return true;
  }
  kept += bytes;
  // Not each time: what is left would be moved for every line.
  if (kept.size() > 2 * kMostKept) drop_what_is_over();
  return true;
}

bool OutputTap::State::all_done() const {
  for (const Stream& stream : streams) {
    if (stream.from.valid() || stream.pending()) return false;
  }
  return true;
}

void OutputTap::State::run() {
  // Signals are the main thread's: it acts on them at once.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  while (!abandoned && !all_done()) {
    const bool last = ending;
    std::vector<pollfd> polled;
    for (const Stream& stream : streams) {
      // Not looked at while too much is held: then poll(2) does not say that there is nothing.
      polled.push_back({stream.wants_more() ? stream.from.get() : -1, POLLIN, 0});
      polled.push_back({stream.pending() ? stream.to : -1, POLLOUT, 0});
    }
    ::poll(polled.data(), polled.size(), kSlice);
    for (std::size_t i = 0; i < streams.size(); ++i) {
      Stream& stream = streams[i];
      if (polled[2 * i + 1].revents != 0) stream.pass_on();
      const bool more = polled[2 * i].revents != 0 && take_in(stream);
      if (last && !more && polled[2 * i].fd >= 0) stream.from.reset();
    }
  }
  ended = true;
}

OutputTap::OutputTap(std::unique_ptr<State> state) : state_(std::move(state)) {}
OutputTap::OutputTap(OutputTap&&) noexcept = default;
OutputTap& OutputTap::operator=(OutputTap&&) noexcept = default;
OutputTap::~OutputTap() = default;

Result<OutputTap> OutputTap::open(const Options& options) {
  auto state = std::make_unique<State>();
  if (!options.pattern.empty()) {
    TRY_ASSIGN(state->pattern, LinePattern::compile(options.pattern));
  }
  state->keep = options.keep;
  const bool to_stderr = options.to_stderr || options.keep;
  TRY_ASSIGN(Stream output, make_stream(to_stderr ? STDERR_FILENO : STDOUT_FILENO));
  state->streams.push_back(std::move(output));
  if (!to_stderr && !same_file(STDOUT_FILENO, STDERR_FILENO)) {
    TRY_ASSIGN(Stream errors, make_stream(STDERR_FILENO));
    state->streams.push_back(std::move(errors));
  }
  return OutputTap(std::move(state));
}

const std::string& OutputTap::kept() const { return state_->kept; }
std::uint64_t OutputTap::dropped() const { return state_->dropped; }

int OutputTap::output() const { return state_->streams.front().command_end.get(); }
int OutputTap::errors() const { return state_->streams.back().command_end.get(); }

void OutputTap::start(std::function<void()> matched) {
  for (Stream& stream : state_->streams) stream.command_end.reset();
  state_->matched = std::move(matched);
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}

void OutputTap::finish(const std::function<bool()>& give_up) {
  state_->ending = true;
  while (!state_->ended && !give_up()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  state_->abandoned = true;
  if (state_->thread.joinable()) state_->thread.join();
  state_->drop_what_is_over();
}

}  // namespace whittle::record
