#include "record/audit_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/fd.h"
#include "base/text.h"

namespace whittle::record {

namespace {

constexpr std::size_t kPiece = std::size_t{1} << 18U;
constexpr char kRecordSeparator = '\x1e';  // of json-seq, RFC 7464

bool is_upper_key(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

struct Magic {
  std::string_view bytes;
  std::string_view what;
  std::string_view tool;
};
constexpr std::string_view kGzip("\x1f\x8b", 2);
constexpr Magic kMagics[] = {
    {kGzip, "compressed by gzip", "zcat"},
    {"\x28\xb5\x2f\xfd", "compressed by zstd", "zstdcat"},
    {"\xfd"
     "7zXZ",
     "compressed by xz", "xzcat"},
    {"BZh", "compressed by bzip2", "bzcat"},
    {"LPKSHHRH", "a journal file", "journalctl -o export --file"},
};

Result<void> check_start(std::string_view start, const std::string& path) {
  for (const Magic& magic : kMagics) {
    if (!start.starts_with(magic.bytes)) continue;
    return input_error(format("the log is {}", magic.what), path,
                       format("{} {} | whittle audit -", magic.tool, path == "-" ? "FILE" : path));
  }
  return {};
}

}  // namespace

void AuditReader::keep(std::string_view part) {
  if (too_long_) return;
  if (partial_.size() + part.size() > kMostLine) {
    part = part.substr(0, kMostLine - partial_.size());
    too_long_ = true;
  }
  partial_.append(part);
}

// The value of a binary field of the export format: 8 bytes of length, little-endian, the bytes.
std::string_view AuditReader::take_binary(std::string_view bytes) {
  while (length_left_ > 0 && !bytes.empty()) {
    const auto byte = static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[0]));
    length_ |= byte << ((8 - length_left_) * 8);
    bytes.remove_prefix(1);
    if (--length_left_ == 0) binary_left_ = length_ == UINT64_MAX ? length_ : length_ + 1;
  }
  if (length_left_ > 0) return bytes;
  const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(binary_left_, bytes.size()));
  const std::size_t room = kMostLine - binary_.size();
  binary_.append(bytes.substr(0, std::min(part, room)));
  binary_left_ -= part;
  if (binary_left_ == 0) {
    if (!binary_.empty() && binary_.back() == '\n') binary_.pop_back();
    entry_.set(binary_key_, binary_);
    binary_key_.clear();
    binary_.clear();
  }
  return bytes.substr(part);
}

void AuditReader::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!binary_key_.empty()) {
      bytes = take_binary(bytes);
      continue;
    }
    const void* const end = std::memchr(bytes.data(), '\n', bytes.size());
    if (end == nullptr) {
      keep(bytes);
      return;
    }
    const auto length = static_cast<std::size_t>(static_cast<const char*>(end) - bytes.data());
    if (partial_.empty() && !too_long_) {
      add_line(bytes.substr(0, length));
    } else {
      keep(bytes.substr(0, length));
      std::string line;
      line.swap(partial_);
      too_long_ = false;
      add_line(line);
      line.clear();
      if (partial_.empty()) partial_.swap(line);  // its memory
    }
    bytes.remove_prefix(length + 1);
  }
}

void AuditReader::finish() {
  if (!partial_.empty()) {
    std::string line;
    line.swap(partial_);
    add_line(line);
  }
  end_entry(Form::kLines);
  too_long_ = false;
  binary_key_.clear();
  binary_.clear();
}

void AuditReader::end_entry(Form next) {
  if (form_ != Form::kLines) tally_->add(parse_entry(entry_, parser_));
  form_ = next;
  entry_ = {};
}

bool AuditReader::add_export_line(std::string_view line) {
  if (line.empty()) {
    end_entry(Form::kLines);
    return true;
  }
  const std::size_t equals = line.find('=');
  const std::string_view key = line.substr(0, equals);
  if (!is_upper_key(key)) {
    end_entry(Form::kLines);
    return false;
  }
  if (equals != std::string_view::npos) {
    entry_.set(key, line.substr(equals + 1));
  } else {
    binary_key_ = key;
    length_left_ = 8;
    length_ = 0;
  }
  return true;
}

bool AuditReader::add_pretty_line(std::string_view line) {
  const std::string_view text = trim(line);
  if (text.starts_with('}')) {  // "},{" in dmesg -J
    end_entry(text.ends_with('{') ? Form::kPretty : Form::kLines);
    return true;
  }
  std::string key;
  std::string value;
  const bool ours = text.find("_AUDIT_ID") == 1 || text.find("MESSAGE\"") == 1 ||
                    text.find("_TRANSPORT") == 1 || text.find("_TIMESTAMP\"") < 24 ||
                    text.find("SYSLOG_IDENTIFIER") == 1 || text.find("msg\"") == 1;
  if (ours && read_json_member(text, key, value)) entry_.set(key, value);
  return true;
}

bool AuditReader::add_verbose_line(std::string_view line) {
  if (!line.starts_with("    ")) {
    end_entry(Form::kLines);
    return false;
  }
  const std::string_view text = line.substr(4);
  const std::size_t equals = text.find('=');
  if (equals != std::string_view::npos && is_upper_key(text.substr(0, equals))) {
    entry_.set(text.substr(0, equals), text.substr(equals + 1));
  }
  return true;
}

void AuditReader::add_json_line(std::string_view line) {
  // Most entries of a journal are others'.
  const auto has = [&](std::string_view what) {
    return ::memmem(line.data(), line.size(), what.data(), what.size()) != nullptr;
  };
  if (!has("1326") && !has("SECCOMP") && !has("audit_lost") && !has("uppressed") &&
      !has("audit: ") && !has("Missed ") && !has("rate-limiting")) {
    return;
  }
  JournalEntry entry;
  if (read_json_entry(line, entry)) {
    tally_->add(parse_entry(entry, parser_));
  } else if (has("\"SECCOMP auid=") || has("type=1326 ")) {
    AuditLine malformed;
    malformed.kind = LineKind::kMalformed;
    tally_->add(malformed);
  }
}

void AuditReader::add_line(std::string_view line) {
  if (form_ == Form::kExport && add_export_line(line)) return;
  if (form_ == Form::kPretty && add_pretty_line(line)) return;
  if (form_ == Form::kVerbose && add_verbose_line(line)) return;
  if (line.starts_with("data: {")) line.remove_prefix(6);  // json-sse
  if (line.starts_with(kRecordSeparator)) line.remove_prefix(1);
  const std::string_view text = trim(line.substr(0, 64));
  if (text.starts_with('{')) {
    if (text.size() == 1) {
      form_ = Form::kPretty;
    } else {
      add_json_line(trim(line));
    }
  } else if (line.starts_with("__CURSOR=")) {
    form_ = Form::kExport;
  } else if (line.ends_with(']') && line.find(" [s=") < 64) {
    form_ = Form::kVerbose;
  } else {
    tally_->add(parser_.parse(line));
  }
}

Result<void> read_audit_log(const std::string& path, AuditTally& tally) {
  UniqueFd file;
  if (path != "-") {
    file = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.valid()) return errno_error(ErrorKind::kInput, "cannot read the log", errno, path);
  }
  const int fd = path == "-" ? STDIN_FILENO : file.get();
  AuditReader reader(tally);
  std::vector<char> piece(kPiece);
  bool first = true;
  tally.next_log();
  while (true) {
    const ssize_t length = ::read(fd, piece.data(), piece.size());
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return errno_error(ErrorKind::kInput, "cannot read the log", errno, path);
    if (length == 0) break;
    const std::string_view bytes(piece.data(), static_cast<std::size_t>(length));
    if (first) TRY(check_start(bytes, path));
    first = false;
    reader.feed(bytes);
  }
  reader.finish();
  return {};
}

}  // namespace whittle::record
