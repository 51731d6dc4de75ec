// One ELF file as a stack trace needs it: build id, addresses, function names.
//
// The file is hostile: nothing of it is mapped (it may be truncated under us), sizes are checked
// against limits before anything is read, and what is wrong with it only makes it say less.
// Formats: elf(5).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace whittle::record {

enum class Machine { kX86_64, kX86, kAarch64 };

struct ElfSection {
  std::string name;
  std::uint32_t type = 0;
  std::uint32_t link = 0;
  std::uint64_t offset = 0;  // within the file, as is the end
  std::uint64_t size = 0;
};

class ElfFile {
 public:
  // Of a regular file, open for reading. nullptr: not an ELF file of a machine above in our byte
  // order, or one beyond the limits.
  static std::unique_ptr<ElfFile> open(UniqueFd file);
  // Of an image in memory (the vDSO).
  static std::unique_ptr<ElfFile> of_image(std::string image);

  Machine machine() const { return machine_; }
  const std::string& build_id() const { return build_id_; }  // hex; empty: there is none
  // In the order of the file; empty when there is no table of them, or one beyond the limits.
  const std::vector<ElfSection>& sections() const { return sections_; }
  const ElfSection* section(std::string_view name) const;
  // The address, as the file was linked, of the byte that stands at this place of the file and is
  // loaded to be run.
  std::optional<std::uint64_t> address_of(std::uint64_t file_offset) const;
  // The name, demangled, of the function that holds a linked address; empty: it has none. Asks the
  // file's own tables and then, for a file without its full table, the separate debug file of its
  // build id, should this machine have it (/usr/lib/debug/.build-id).
  std::string function_at(std::uint64_t address);
  // Roughly the memory that it holds, in bytes.
  std::size_t cost() const;

  int fd() const { return file_.get(); }  // -1 for an image
  const std::string& image() const { return image_; }

 private:
  struct Segment {
    std::uint32_t type = 0;
    std::uint32_t flags = 0;
    std::uint64_t offset = 0;
    std::uint64_t address = 0;
    std::uint64_t size = 0;
  };
  struct Symbol {
    std::uint64_t address;
    std::uint32_t size;
    std::uint32_t name;  // place in strings_
  };

  ElfFile() = default;
  static std::unique_ptr<ElfFile> parse(std::unique_ptr<ElfFile> file);
  bool read_at(std::uint64_t offset, void* into, std::size_t size) const;
  template <typename Types>
  bool read_headers();
  void read_build_id();
  void load_symbols();
  template <typename Raw>
  void load_table(const ElfSection& table);
  std::string name_at(std::uint32_t place) const;
  std::string best_name(std::uint64_t address) const;

  UniqueFd file_;
  std::string image_;
  std::uint64_t size_ = 0;
  Machine machine_ = Machine::kX86_64;
  bool is_64_ = true;
  std::string build_id_;
  std::vector<Segment> segments_;
  std::vector<ElfSection> sections_;

  bool symbols_loaded_ = false;
  std::vector<Symbol> symbols_;  // sorted by address
  ElfSection strings_;
  std::unique_ptr<ElfFile> debug_file_;
};

}  // namespace whittle::record
