#include "record/elf_file.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/text.h"
#include "record/demangle.h"

namespace whittle::record {

namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{4} << 30U;
constexpr std::size_t kMostSegments = 64;
constexpr std::size_t kMostSections = 4096;
constexpr std::uint64_t kMostSectionNames = 1U << 20U;
constexpr std::size_t kMostSymbols = 1U << 21U;
constexpr std::size_t kMostName = 1024;
constexpr std::size_t kMostNote = 64U << 10U;
constexpr std::size_t kMostBuildId = 64;
// Functions may lie within others, and several have one address.
constexpr std::size_t kMostNested = 32;
constexpr std::size_t kMostAliases = 16;

struct Types64 {
  using Header = Elf64_Ehdr;
  using Segment = Elf64_Phdr;
  using Section = Elf64_Shdr;
};

struct Types32 {
  using Header = Elf32_Ehdr;
  using Segment = Elf32_Phdr;
  using Section = Elf32_Shdr;
};

std::optional<Machine> machine_of(std::uint16_t number, bool is_64) {
  if (number == EM_X86_64 && is_64) return Machine::kX86_64;
  if (number == EM_386 && !is_64) return Machine::kX86;
  if (number == EM_AARCH64 && is_64) return Machine::kAarch64;
  return std::nullopt;
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

// The descriptor of the GNU build id in a segment of notes; empty: it has none.
std::string_view build_id_in(std::string_view notes) {
  constexpr std::string_view kOwner("GNU\0", 4);
  while (notes.size() >= sizeof(Elf64_Nhdr)) {
    Elf64_Nhdr note;  // the same for both classes
    std::memcpy(&note, notes.data(), sizeof note);
    notes.remove_prefix(sizeof note);
    const std::uint64_t owner = (std::uint64_t{note.n_namesz} + 3) / 4 * 4;
    const std::uint64_t content = (std::uint64_t{note.n_descsz} + 3) / 4 * 4;
    if (owner + note.n_descsz > notes.size()) return {};
    if (note.n_type == NT_GNU_BUILD_ID && notes.substr(0, note.n_namesz) == kOwner &&
        note.n_descsz <= kMostBuildId) {
      return notes.substr(owner, note.n_descsz);
    }
    notes.remove_prefix(std::min<std::uint64_t>(owner + content, notes.size()));
  }
  return {};
}

}  // namespace

std::unique_ptr<ElfFile> ElfFile::open(UniqueFd file) {
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return nullptr;
  std::unique_ptr<ElfFile> elf(new ElfFile);
  elf->file_ = std::move(file);
  elf->size_ = static_cast<std::uint64_t>(status.st_size);
  return parse(std::move(elf));
}

std::unique_ptr<ElfFile> ElfFile::of_image(std::string image) {
  std::unique_ptr<ElfFile> elf(new ElfFile);
  elf->size_ = image.size();
  elf->image_ = std::move(image);
  return parse(std::move(elf));
}

std::unique_ptr<ElfFile> ElfFile::parse(std::unique_ptr<ElfFile> file) {
  unsigned char ident[EI_NIDENT];
  if (file->size_ > kMostBytes || !file->read_at(0, ident, sizeof ident) ||
      std::memcmp(ident, ELFMAG, SELFMAG) != 0 || ident[EI_DATA] != ELFDATA2LSB) {
    return nullptr;
  }
  file->is_64_ = ident[EI_CLASS] == ELFCLASS64;
  const bool good = file->is_64_ ? file->read_headers<Types64>() : file->read_headers<Types32>();
  if (!good) return nullptr;
  file->read_build_id();
  return file;
}

bool ElfFile::read_at(std::uint64_t offset, void* into, std::size_t size) const {
  if (offset > size_ || size > size_ - offset) return false;
  if (file_.valid()) {
    return ::pread(file_.get(), into, size, static_cast<off_t>(offset)) ==
           static_cast<ssize_t>(size);
  }
  std::memcpy(into, image_.data() + offset, size);
  return true;
}

template <typename Types>
bool ElfFile::read_headers() {
  typename Types::Header header;
  if (!read_at(0, &header, sizeof header)) return false;
  const auto machine = machine_of(header.e_machine, is_64_);
  if (!machine || header.e_phnum > kMostSegments ||
      header.e_phentsize != sizeof(typename Types::Segment)) {
    return false;
  }
  machine_ = *machine;
  std::vector<typename Types::Segment> segments(header.e_phnum);
  if (!read_at(header.e_phoff, segments.data(), segments.size() * sizeof segments[0])) return false;
  for (const auto& raw : segments) {
    segments_.push_back({raw.p_type, raw.p_flags, raw.p_offset, raw.p_vaddr, raw.p_filesz});
  }
  std::vector<typename Types::Section> sections(header.e_shnum);
  if (header.e_shnum > kMostSections || header.e_shstrndx >= header.e_shnum ||
      header.e_shentsize != sizeof(typename Types::Section) ||
      !read_at(header.e_shoff, sections.data(), sections.size() * sizeof sections[0])) {
    return true;  // it has no table of sections, or one that is no use
  }
  for (const auto& raw : sections) {
    const bool within = raw.sh_offset <= size_ && raw.sh_size <= size_ - raw.sh_offset;
    sections_.push_back({{}, raw.sh_type, raw.sh_link, raw.sh_offset, within ? raw.sh_size : 0});
  }
  strings_ = sections_[header.e_shstrndx];
  if (strings_.size > kMostSectionNames) sections_.clear();
  for (std::size_t i = 0; i < sections_.size(); ++i) {
    sections_[i].name = name_at(sections[i].sh_name);
  }
  return true;
}

void ElfFile::read_build_id() {
  for (const Segment& segment : segments_) {
    if (segment.type != PT_NOTE || segment.size > kMostNote || !build_id_.empty()) continue;
    std::string notes(segment.size, '\0');
    if (read_at(segment.offset, notes.data(), notes.size())) build_id_ = hex(build_id_in(notes));
  }
}

const ElfSection* ElfFile::section(std::string_view name) const {
  const auto found = std::find_if(sections_.begin(), sections_.end(),
                                  [&](const ElfSection& one) { return one.name == name; });
  return found == sections_.end() ? nullptr : &*found;
}

std::optional<std::uint64_t> ElfFile::address_of(std::uint64_t file_offset) const {
  for (const Segment& segment : segments_) {
    if (segment.type == PT_LOAD && (segment.flags & PF_X) != 0 && file_offset >= segment.offset &&
        file_offset - segment.offset < segment.size) {
      return file_offset - segment.offset + segment.address;
    }
  }
  return std::nullopt;
}

std::string ElfFile::function_at(std::uint64_t address) {
  load_symbols();
  std::string name = best_name(address);
  if (name.empty() && debug_file_) name = debug_file_->function_at(address);
  return name;
}

std::size_t ElfFile::cost() const {
  return sizeof *this + image_.size() + sections_.size() * sizeof(ElfSection) +
         symbols_.size() * sizeof(Symbol) + (debug_file_ ? debug_file_->cost() : 0);
}

void ElfFile::load_symbols() {
  if (std::exchange(symbols_loaded_, true)) return;
  const ElfSection* table = section(".symtab");
  const bool full = table != nullptr && table->type == SHT_SYMTAB;
  if (!full) {
    table = section(".dynsym");
    if (build_id_.size() > 2) {
      const std::string path = format("/usr/lib/debug/.build-id/{}/{}.debug",
                                      build_id_.substr(0, 2), build_id_.substr(2));
      UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
      if (file.valid()) debug_file_ = open(std::move(file));
      // A debug file has no debug file of its own.
      if (debug_file_) debug_file_->build_id_.clear();
    }
  }
  if (table == nullptr || table->link >= sections_.size()) return;
  strings_ = sections_[table->link];
  is_64_ ? load_table<Elf64_Sym>(*table) : load_table<Elf32_Sym>(*table);
}

template <typename Raw>
void ElfFile::load_table(const ElfSection& table) {
  const std::size_t count = table.size / sizeof(Raw);
  if (count > kMostSymbols) return;
  std::vector<Raw> chunk(4096);
  for (std::size_t begin = 0; begin < count; begin += chunk.size()) {
    chunk.resize(std::min(chunk.size(), count - begin));
    if (!read_at(table.offset + begin * sizeof(Raw), chunk.data(), chunk.size() * sizeof(Raw))) {
      return;
    }
    for (const Raw& raw : chunk) {
      const unsigned type = raw.st_info & 0xfU;
      const bool code = type == STT_FUNC || type == STT_GNU_IFUNC ||
                        (type == STT_NOTYPE && (raw.st_info >> 4U) != STB_LOCAL);
      if (!code || raw.st_shndx == SHN_UNDEF || raw.st_value == 0) continue;
      const auto size = std::min<std::uint64_t>(raw.st_size, UINT32_MAX);
      symbols_.push_back({raw.st_value, static_cast<std::uint32_t>(size), raw.st_name});
    }
  }
  symbols_.shrink_to_fit();
  std::sort(symbols_.begin(), symbols_.end(), [](const Symbol& a, const Symbol& b) {
    return std::pair(a.address, a.name) < std::pair(b.address, b.name);
  });
}

std::string ElfFile::name_at(std::uint32_t place) const {
  if (place >= strings_.size) return {};
  std::string name(std::min<std::uint64_t>(kMostName, strings_.size - place), '\0');
  if (!read_at(strings_.offset + place, name.data(), name.size())) return {};
  name.resize(::strnlen(name.data(), name.size()));
  return name;
}

// Of several names of one address the plainest: read, not __libc_read or __read.
std::string ElfFile::best_name(std::uint64_t address) const {
  auto after = std::upper_bound(
      symbols_.begin(), symbols_.end(), address,
      [](std::uint64_t wanted, const Symbol& symbol) { return wanted < symbol.address; });
  std::optional<std::uint64_t> start;
  std::vector<std::string> names;
  for (std::size_t looked = 0; after != symbols_.begin() && looked < kMostNested; ++looked) {
    const Symbol& symbol = *--after;
    if (start && symbol.address != *start) break;
    // One without a size, as assembly has them, goes on to the next.
    const bool holds = address - symbol.address < symbol.size || (symbol.size == 0 && looked == 0);
    if (!holds && !start) continue;
    std::string name = name_at(symbol.name);
    if (name.empty() || names.size() == kMostAliases) continue;
    start = symbol.address;
    names.push_back(name.substr(0, name.find('@')));  // "read@@GLIBC_2.2.5"
  }
  const auto rank = [](const std::string& name) {
    return std::tuple(name.find_first_not_of('_'), name.size(), name);
  };
  const auto best = std::min_element(
      names.begin(), names.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  return best == names.end() ? std::string() : demangle(*best);
}

}  // namespace whittle::record
