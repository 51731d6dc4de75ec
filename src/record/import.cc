#include "record/import.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/fd.h"
#include "base/text.h"
#include "record/import_format.h"

namespace whittle::record {

namespace {

constexpr std::size_t kLargestDocument = std::size_t{64} << 20U;

// Those with the most particular marks first: each is asked in turn.
constexpr std::array kFormats = {
    &kSpoFormat,    &kProfileFormat, &kFalcoFormat,    &kSysdigJsonFormat,
    &kTraceeFormat, &kGadgetFormat,  &kPerfFormat,     &kSysdigFormat,
    &kStraceFormat, &kAuditFormat,   &kMinijailFormat,
};

std::string format_names() {
  std::vector<std::string> names;
  for (const ImportFormat* format : kFormats) names.emplace_back(format->name);
  return join(names, ", ");
}

Result<const ImportFormat*> choose(std::string_view head, const std::string& wanted,
                                   const std::string& place) {
  for (const ImportFormat* format : kFormats) {
    if (wanted.empty() ? format->fits(head) : format->name == wanted) return format;
  }
  if (!wanted.empty()) {
    return input_error(format("there is no format \"{}\"", printable(wanted)), {},
                       "formats: " + format_names());
  }
  if (trim(head).empty()) return input_error("the file is empty", place);
  return input_error("the content is of no format that can be imported", place,
                     format("say which it is with --format: {}", format_names()));
}

// Two FNV-1a hashes (http://www.isthe.com/chongo/tech/comp/fnv) with different starts: the same
// file imported again is the same run.
class Fingerprint {
 public:
  void add(std::string_view bytes) {
    for (const char c : bytes) {
      const auto byte = static_cast<unsigned char>(c);
      first_ = (first_ ^ byte) * 0x100000001b3;
      second_ = (second_ ^ byte) * 0x100000001b3 + 1;
    }
  }
  std::string id() const { return format("{:016x}{:016x}", first_, second_); }

 private:
  std::uint64_t first_ = 0xcbf29ce484222325;
  std::uint64_t second_ = 0x6c62272e07bb0142;
};

// Cuts chunks of any size into lines for the parser.
class LineFeeder {
 public:
  LineFeeder(ImportParser& parser, ImportSink& sink) : parser_(parser), sink_(sink) {}

  void feed(std::string_view chunk) {
    while (!chunk.empty()) {
      const std::size_t end = chunk.find('\n');
      const std::string_view piece = chunk.substr(0, end);
      if (end == std::string_view::npos) {
        keep(piece);
        return;
      }
      if (partial_.empty() && !too_long_) {
        deliver(piece);
      } else {
        keep(piece);
        deliver(partial_);
        partial_.clear();
      }
      chunk.remove_prefix(end + 1);
    }
  }

  void finish() {
    if (!partial_.empty() || too_long_) deliver(partial_);
    parser_.end();
  }

 private:
  void keep(std::string_view piece) {
    const std::size_t room = kLongestLine - std::min(kLongestLine, partial_.size());
    if (piece.size() > room) too_long_ = true;
    partial_ += piece.substr(0, room);
  }

  void deliver(std::string_view line) {
    sink_.at_line(++number_);
    if (std::exchange(too_long_, false) || line.size() > kLongestLine) {
      sink_.unread("the line is longer than 1 MiB", line);
      return;
    }
    if (line.ends_with('\r')) line.remove_suffix(1);
    parser_.line(line);
  }

  ImportParser& parser_;
  ImportSink& sink_;
  std::string partial_;
  bool too_long_ = false;
  std::uint64_t number_ = 0;
};

// Fills the buffer as far as the file goes; how much that was.
Result<std::size_t> fill(int fd, std::span<char> buffer, const std::string& place) {
  std::size_t have = 0;
  while (have < buffer.size()) {
    const ssize_t n = ::read(fd, buffer.data() + have, buffer.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(ErrorKind::kInput, "cannot read", errno, place);
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  return have;
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// Reads by `next`, which gives the next chunk and at the end an empty one.
template <typename Next>
Result<Imported> import_chunks(Next next, const std::string& place, const ImportOptions& options) {
  TRY_ASSIGN(std::string_view chunk, next());
  TRY_ASSIGN(const ImportFormat* format, choose(chunk.substr(0, kHead), options.format, place));
  ImportSink sink(options.arch);
  const std::unique_ptr<ImportParser> parser = format->make(sink);
  LineFeeder feeder(*parser, sink);
  Fingerprint fingerprint;
  fingerprint.add(whittle::format("{} {} {}\n", format->name, syscalls::arch_name(options.arch),
                                  base_name(place)));
  std::uint64_t bytes = 0;
  while (!chunk.empty()) {
    bytes += chunk.size();
    fingerprint.add(chunk);
    feeder.feed(chunk);
    if (options.progress) options.progress(bytes);
    TRY_ASSIGN(chunk, next());
  }
  feeder.finish();
  const bool nothing = sink.empty();
  Imported out = sink.finish();
  if (nothing) {
    if (out.unread.empty()) {
      return input_error(whittle::format("no system call is in it, read as {}", format->name),
                         place);
    }
    const Unread& first = out.unread.front();
    return input_error(
        whittle::format("nothing in it could be read as {}: {}", format->name, first.why),
        whittle::format("{}:{}", place, first.line),
        first.text.empty() ? "" : "it says: " + first.text);
  }
  out.format = format->name;
  if (out.run.id.empty()) out.run.id = fingerprint.id();
  out.run.source = format->source;
  out.run.timing = format->timing;
  return out;
}

}  // namespace

void DocumentParser::line(std::string_view text) {
  if (text_.size() + text.size() > kLargestDocument) {
    too_large_ = true;
    return;
  }
  text_ += text;
  text_ += '\n';
}

void DocumentParser::end() {
  if (too_large_) {
    sink_.unread("the document is larger than 64 MiB", "");
    return;
  }
  document(text_);
}

Result<Imported> import_file(const std::string& path, const ImportOptions& options) {
  const std::string place = path == "-" ? "standard input" : path;
  UniqueFd file;
  if (path != "-") {
    file = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.valid()) return errno_error(ErrorKind::kInput, "cannot open", errno, path);
  }
  const int fd = path == "-" ? STDIN_FILENO : file.get();
  std::vector<char> buffer(kHead);
  const auto next = [&]() -> Result<std::string_view> {
    TRY_ASSIGN(const std::size_t n, fill(fd, buffer, place));
    return std::string_view(buffer.data(), n);
  };
  return import_chunks(next, place, options);
}

Result<Imported> import_text(std::string_view text, const std::string& place,
                             const ImportOptions& options) {
  const auto next = [&]() -> Result<std::string_view> { return std::exchange(text, {}); };
  return import_chunks(next, place, options);
}

void check_tasks(std::span<Imported> all) {
  std::uint64_t started = 0;
  std::uint64_t files = 0;
  bool begun = false;
  for (const Imported& one : all) {
    if (!one.single_task) continue;
    ++files;
    started += one.children;
    begun = begun || !one.run.lost.contains("late_start");
  }
  for (Imported& one : all) {
    if (!one.single_task) continue;
    // Of several files one begins with the command, the others with what it started.
    if (files > 1 && begun) one.run.lost["late_start"] = 0;
    if (started + 1 > files && one.children > 0) {
      one.run.lost["tasks"] = std::min(one.children, started + 1 - files);
    }
    one.run.complete = std::all_of(one.run.lost.begin(), one.run.lost.end(),
                                   [](const auto& lost) { return lost.second == 0; });
  }
}

std::vector<ImportFormatName> import_formats() {
  std::vector<ImportFormatName> names;
  for (const ImportFormat* format : kFormats) names.push_back({format->name, format->summary});
  return names;
}

}  // namespace whittle::record
