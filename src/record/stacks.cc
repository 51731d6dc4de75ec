#include "record/stacks.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "base/text.h"
#include "syscalls/arch.h"

namespace whittle::record {

namespace {

constexpr std::size_t kMostImages = 1024;
constexpr std::size_t kMostMappings = 4096;  // that may be run, of one process
constexpr std::size_t kMostMapsText = 8U << 20U;
constexpr std::size_t kMostObjects = 128;         // each holds a file descriptor
constexpr std::size_t kMostMemory = 128U << 20U;  // of all objects
constexpr std::size_t kMostLearned = 32;          // objects that are opened before they are needed
constexpr std::size_t kMostVdso = 32U << 10U;
constexpr std::size_t kMostPath = 256;

// The beginning of a file of /proc. They have no size, and may end early when the process goes.
std::string read_proc(const std::string& path, std::size_t limit) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  while (fd.valid() && text.size() < limit) {
    const std::size_t had = text.size();
    text.resize(had + (64U << 10U));
    const ssize_t got = ::read(fd.get(), text.data() + had, text.size() - had);
    text.resize(had + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got <= 0) break;
  }
  return text;
}

std::string_view next_word(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

bool parse_hex(std::string_view text, std::uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return error == std::errc() && end == text.data() + text.size();
}

// Opens the file only once it is known to be a regular one: to open a device or a FIFO does things.
UniqueFd open_regular(const std::string& path, std::optional<std::string_view> inode) {
  const UniqueFd place(::open(path.c_str(), O_PATH | O_CLOEXEC));
  struct stat status = {};
  if (!place.valid() || ::fstat(place.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
      (inode && format("{}", status.st_ino) != *inode)) {
    return UniqueFd();
  }
  return UniqueFd(::open(format("/proc/self/fd/{}", place.get()).c_str(), O_RDONLY | O_CLOEXEC));
}

std::string memory_of(pid_t pid, std::uint64_t address, std::size_t size) {
  std::string bytes(size, '\0');
  const iovec local = {bytes.data(), size};
  const iovec remote = {reinterpret_cast<void*>(address), size};  // NOLINT: theirs
  const ssize_t got = ::process_vm_readv(pid, &local, 1, &remote, 1, 0);
  bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return bytes;
}

Machine machine_of(const CapturedStack& captured) {
  if (captured.code32) return Machine::kX86;
  return syscalls::host_arch() == syscalls::Arch::kAarch64 ? Machine::kAarch64 : Machine::kX86_64;
}

// The kernel gives 20 bytes of any build id, with zeros behind a shorter one.
bool same_build_id(const std::string& file, std::string_view kernel) {
  return !file.empty() && kernel.starts_with(file) &&
         kernel.find_first_not_of('0', file.size()) == std::string_view::npos;
}

std::string object_name(std::string_view path) {
  constexpr std::string_view kDeleted = " (deleted)";
  if (path.ends_with(kDeleted)) path.remove_suffix(kDeleted.size());
  return printable(path, kMostPath);
}

// Of the instruction that makes a call: syscall, int 0x80 and sysenter have two bytes, svc has
// four.
std::uint64_t call_size(Machine machine) { return machine == Machine::kAarch64 ? 4 : 2; }

}  // namespace

// Field 28 of /proc/PID/stat, counted from behind the name, which may hold anything; 0: unknown.
std::uint64_t image_of(pid_t pid) {
  const std::string text = read_proc(format("/proc/{}/stat", pid), 4096);
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  const auto fields = split(std::string_view(text).substr(name_end + 1), ' ');
  return fields.size() > 26 ? parse_u64(fields[26]).value_or(0) : 0;
}

struct StackResolver::Object {
  std::unique_ptr<ElfFile> file;
  std::unique_ptr<CallFrames> frames;  // may be null

  static std::shared_ptr<Object> of(std::unique_ptr<ElfFile> file) {
    if (file == nullptr) return nullptr;
    auto object = std::make_shared<Object>();
    object->frames = CallFrames::open(*file);
    object->file = std::move(file);
    return object;
  }
  std::size_t cost() const { return file->cost() + (frames ? frames->cost() : 0); }
};

struct StackResolver::Mapping {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint64_t offset = 0;
  std::string range;  // as the kernel writes it, which is its name in map_files
  std::string device;
  std::string inode;
  std::string path;              // empty: no file
  std::shared_ptr<Object> vdso;  // once it was asked for, if it is that

  bool is_file() const { return inode != "0" && path.starts_with('/'); }
};

namespace {

// "start-end perms offset device inode    path" (proc(5)).
template <typename Mapping>
bool parse_mapping(std::string_view line, Mapping& mapping) {
  mapping.range = next_word(line);
  const std::string_view permissions = next_word(line);
  const std::string_view offset = next_word(line);
  mapping.device = next_word(line);
  mapping.inode = next_word(line);
  mapping.path = trim(line);
  const std::size_t dash = mapping.range.find('-');
  if (dash == std::string::npos || permissions.size() < 3 || permissions[2] != 'x') return false;
  const std::string_view range = mapping.range;
  return parse_hex(range.substr(0, dash), mapping.start) &&
         parse_hex(range.substr(dash + 1), mapping.end) && parse_hex(offset, mapping.offset);
}

}  // namespace

// One stack on its way to frames.
class StackResolver::Walk {
 public:
  Walk(StackResolver& resolver, const CapturedStack& captured, Mappings& mappings)
      : resolver_(resolver),
        captured_(captured),
        mappings_(mappings),
        machine_(machine_of(captured)),
        registers_(captured.registers) {}

  std::vector<evidence::Frame> frames() {
    std::uint64_t address = captured_.address - call_size(machine_);
    std::vector<evidence::Frame> frames = {enter(address)};
    if (!captured_.build_id.empty() && !same_build_id(frames[0].build_id, captured_.build_id)) {
      return {resolver_.by_build_id(captured_)};
    }
    while (frames.size() < kMostFrames) {
      const auto caller = next(address);
      if (!caller || !advances(*caller)) break;
      address = caller->interrupted ? caller->address : caller->address - 1;
      registers_ = caller->registers;
      evidence::Frame frame = enter(address);
      if (mapping_ == nullptr) break;
      frames.push_back(std::move(frame));
    }
    return frames;
  }

 private:
  // Goes to the frame at `address` and says what it is.
  evidence::Frame enter(std::uint64_t address) {
    evidence::Frame frame;
    frame.offset = address;
    object_ = nullptr;
    mapping_ = find(address);
    if (mapping_ == nullptr) return frame;
    frame.object = object_name(mapping_->path);
    if (frame.object.empty()) return frame;
    frame.offset = address - mapping_->start + mapping_->offset;
    auto object = resolver_.object(captured_.pid, *mapping_);
    if (object == nullptr || object->file->machine() != machine_) return frame;
    const auto linked = object->file->address_of(frame.offset);
    if (!linked) return frame;
    object_ = std::move(object);
    bias_ = address - *linked;
    frame.offset = *linked;
    frame.build_id = object_->file->build_id();
    frame.symbol = object_->file->function_at(*linked);
    return frame;
  }

  Mapping* find(std::uint64_t address) {
    const auto after = std::upper_bound(
        mappings_.begin(), mappings_.end(), address,
        [](std::uint64_t wanted, const Mapping& mapping) { return wanted < mapping.start; });
    if (after == mappings_.begin()) return nullptr;
    Mapping& mapping = *std::prev(after);
    return address < mapping.end ? &mapping : nullptr;
  }

  std::optional<Caller> next(std::uint64_t address) const {
    const ReadWord read = [this](std::uint64_t at) { return word(at); };
    if (object_ != nullptr && object_->frames != nullptr) {
      auto caller = object_->frames->caller(address - bias_, bias_, registers_, read);
      if (caller) return caller;
    }
    return by_frame_pointer();
  }

  // Each frame begins with the frame pointer of its caller, beside which the return address stands.
  std::optional<Caller> by_frame_pointer() const {
    const auto frame = registers_[frame_register(machine_)];
    const auto stack = registers_[stack_register(machine_)];
    const std::uint64_t size = word_size(machine_);
    if (!frame || !stack || *frame < *stack || *frame % size != 0) return std::nullopt;
    const auto address = word(*frame + size);
    if (!address) return std::nullopt;
    Caller caller;
    caller.address = *address;
    caller.registers[frame_register(machine_)] = word(*frame);
    caller.registers[stack_register(machine_)] = *frame + 2 * size;
    return caller;
  }

  // A stack that does not grow shorter has no end. (Where the return address is in a register, the
  // innermost frame may have none of its own.)
  bool advances(const Caller& caller) const {
    const auto before = registers_[stack_register(machine_)];
    const auto after = caller.registers[stack_register(machine_)];
    const bool may_stay = machine_ == Machine::kAarch64;
    return caller.address != 0 && before && after &&
           (may_stay ? *after >= *before : *after > *before);
  }

  std::optional<std::uint64_t> word(std::uint64_t address) const {
    const auto bottom = captured_.registers[stack_register(machine_)];
    const std::size_t size = word_size(machine_);
    if (!bottom || address < *bottom || captured_.stack.size() < size ||
        address - *bottom > captured_.stack.size() - size) {
      return std::nullopt;
    }
    std::uint64_t value = 0;  // both are little-endian
    std::copy_n(captured_.stack.data() + (address - *bottom), size,
                reinterpret_cast<char*>(&value));
    return value;
  }

  StackResolver& resolver_;
  const CapturedStack& captured_;
  Mappings& mappings_;
  const Machine machine_;
  Registers registers_;
  Mapping* mapping_ = nullptr;      // of the frame now
  std::shared_ptr<Object> object_;  // likewise, when it has one that can be read
  std::uint64_t bias_ = 0;
};

StackResolver::StackResolver() = default;
StackResolver::~StackResolver() = default;

std::vector<evidence::Frame> StackResolver::resolve(const CapturedStack& captured) {
  const auto known = mappings(captured.pid, captured.image);
  return Walk(*this, captured, *known).frames();
}

void StackResolver::learn(pid_t pid, std::uint64_t image) {
  const auto known = mappings(pid, image);
  const std::size_t count = std::min(known->size(), kMostLearned);
  for (std::size_t i = 0; i < count; ++i) object(pid, (*known)[i]);
}

// What is mapped now, if the process still runs that image; else what is known of the image.
std::shared_ptr<StackResolver::Mappings> StackResolver::mappings(pid_t pid, std::uint64_t image) {
  const auto known = std::find_if(images_.begin(), images_.end(),
                                  [&](const auto& one) { return one.first == image; });
  auto read = std::make_shared<Mappings>();
  if (image == 0 || image_of(pid) == image) {
    const std::string text = read_proc(format("/proc/{}/maps", pid), kMostMapsText);
    for (std::string_view rest = text; !rest.empty() && read->size() < kMostMappings;) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      Mapping mapping;
      if (parse_mapping(rest.substr(0, end), mapping)) read->push_back(std::move(mapping));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  if (image == 0) return read;
  const bool current = !read->empty() && image_of(pid) == image;
  if (!current) return known != images_.end() ? known->second : std::make_shared<Mappings>();
  if (known != images_.end()) images_.erase(known);
  images_.emplace_front(image, read);
  if (images_.size() > kMostImages) images_.pop_back();
  return read;
}

std::shared_ptr<StackResolver::Object> StackResolver::object(pid_t pid, Mapping& mapping) {
  if (mapping.path == "[vdso]") {
    // Each process's own: it may have changed it.
    const std::size_t size = std::min<std::uint64_t>(mapping.end - mapping.start, kMostVdso);
    if (mapping.vdso == nullptr) {
      mapping.vdso = Object::of(ElfFile::of_image(memory_of(pid, mapping.start, size)));
    }
    return mapping.vdso;
  }
  if (!mapping.is_file()) return nullptr;
  const Identity identity(mapping.device + " " + mapping.inode, mapping.path);
  const auto known = std::find_if(objects_.begin(), objects_.end(),
                                  [&](const auto& one) { return one.first == identity; });
  if (known != objects_.end()) {
    objects_.splice(objects_.begin(), objects_, known);
    return known->second;
  }
  UniqueFd file = open_regular(format("/proc/{}/map_files/{}", pid, mapping.range), std::nullopt);
  for (const std::string& root : {format("/proc/{}/root", pid), std::string()}) {
    if (!file.valid()) file = open_regular(root + mapping.path, mapping.inode);
  }
  return file.valid() ? keep(identity, Object::of(ElfFile::open(std::move(file)))) : nullptr;
}

evidence::Frame StackResolver::by_build_id(const CapturedStack& captured) const {
  evidence::Frame frame;
  frame.build_id = captured.build_id;
  frame.offset = captured.file_offset - call_size(machine_of(captured));
  for (const auto& [identity, object] : objects_) {
    if (!same_build_id(object->file->build_id(), captured.build_id)) continue;
    const auto linked = object->file->address_of(frame.offset);
    if (!linked) continue;
    frame.object = object_name(identity.second);
    frame.build_id = object->file->build_id();
    frame.offset = *linked;
    frame.symbol = object->file->function_at(*linked);
    break;
  }
  return frame;
}

// An open file keeps its inode, so that an identity names one file as long as it is kept.
std::shared_ptr<StackResolver::Object> StackResolver::keep(Identity identity,
                                                           std::shared_ptr<Object> object) {
  if (object == nullptr) return nullptr;
  objects_.emplace_front(std::move(identity), object);
  std::size_t memory = 0;
  for (const auto& [of, one] : objects_) memory += one->cost();
  while (objects_.size() > 1 && (objects_.size() > kMostObjects || memory > kMostMemory)) {
    memory -= objects_.back().second->cost();
    objects_.pop_back();
  }
  return object;
}

}  // namespace whittle::record
