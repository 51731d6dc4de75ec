#include "record/mark_pipe.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <utility>

#include "base/text.h"

namespace whittle::record {

namespace {

constexpr std::size_t kLongestName = 64;
constexpr std::size_t kKeptOfALine = 80;

}  // namespace

bool is_phase_name(std::string_view name) {
  return !name.empty() && name.size() <= kLongestName && name != "runtime" &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
         });
}

std::vector<std::string> MarkReader::add(std::string_view bytes) {
  std::vector<std::string> lines;
  for (const char c : bytes) {
    if (c != '\n') {
      if (line_.size() < kKeptOfALine) line_ += c;
      continue;
    }
    if (const auto text = trim(line_); !text.empty()) lines.emplace_back(text);
    line_.clear();
  }
  return lines;
}

void MarkReader::forget() { line_.clear(); }

Result<MarkPipe> MarkPipe::open(const std::string& path) {
  MarkPipe pipe;
  if (::mkfifo(path.c_str(), 0600) == 0) {
    pipe.made_ = path;
  } else if (errno != EEXIST) {
    return errno_error(ErrorKind::kInput, "cannot make a FIFO for --marks", errno, path);
  }
  struct stat info = {};
  if (::stat(path.c_str(), &info) == 0 && !S_ISFIFO(info.st_mode)) {
    return input_error("is there and is no FIFO", path,
                       "--marks takes the path of a FIFO, or of a file that is not there yet");
  }
  // For writing, too: so opening it never waits, and there is no end of file between two writers.
  pipe.fd_ = UniqueFd(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (!pipe.fd_.valid()) {
    return errno_error(ErrorKind::kInput, "cannot open the FIFO for --marks", errno, path);
  }
  return pipe;
}

MarkPipe::MarkPipe(MarkPipe&& other) noexcept
    : fd_(std::move(other.fd_)),
      made_(std::exchange(other.made_, {})),
      reader_(std::move(other.reader_)) {}

MarkPipe& MarkPipe::operator=(MarkPipe&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(made_, other.made_);
  std::swap(reader_, other.reader_);
  return *this;
}

MarkPipe::~MarkPipe() {
  if (!made_.empty()) ::unlink(made_.c_str());
}

std::vector<std::string> MarkPipe::read() {
  std::vector<std::string> lines;
  std::array<char, 4096> buffer;
  ssize_t n = 0;
  // No more than a FIFO holds: a writer that never pauses is not to keep us here.
  for (int i = 0; i < 16 && (n = ::read(fd_.get(), buffer.data(), buffer.size())) > 0; ++i) {
    auto more = reader_.add({buffer.data(), static_cast<std::size_t>(n)});
    std::move(more.begin(), more.end(), std::back_inserter(lines));
  }
  return lines;
}

void MarkPipe::drain() {
  read();  // as much as a FIFO holds
  reader_.forget();
}

}  // namespace whittle::record
