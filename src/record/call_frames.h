// From a frame to its caller by the call frame information of an object (.eh_frame; DWARF 5, 6.4,
// and the Linux Standard Base). Debian's programs have no frame pointers, so there is no other way.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "record/elf_file.h"

namespace whittle::record {

// Numbered as DWARF does for the machine (System V ABI: AMD64 3.6.2, Intel386 2.4.2; DWARF for the
// Arm 64-bit architecture 4.1). What is not known has no value.
inline constexpr std::size_t kMostRegisters = 33;
using Registers = std::array<std::optional<std::uint64_t>, kMostRegisters>;

unsigned stack_register(Machine machine);
unsigned frame_register(Machine machine);
unsigned word_size(Machine machine);

// A word of the task's memory; nullopt: not known.
using ReadWord = std::function<std::optional<std::uint64_t>(std::uint64_t address)>;

struct Caller {
  std::uint64_t address = 0;  // where it goes on; 0: there is none (the outermost frame)
  Registers registers;
  bool interrupted = false;  // by a signal: `address` is where it stood, not a return address
};

class CallFrames {
 public:
  // nullptr: the object has no .eh_frame, or one beyond the limits.
  static std::unique_ptr<CallFrames> open(const ElfFile& file);
  ~CallFrames();
  CallFrames(const CallFrames&) = delete;
  CallFrames& operator=(const CallFrames&) = delete;

  // The caller of the frame that stands at linked address `address` with these registers. `bias` is
  // what the loader added to the linked addresses. nullopt: not known.
  std::optional<Caller> caller(std::uint64_t address, std::uint64_t bias,
                               const Registers& registers, const ReadWord& read) const;
  std::size_t cost() const { return cost_; }  // roughly the memory that it holds, in bytes

 private:
  struct Library;
  explicit CallFrames(std::unique_ptr<Library> library);

  std::unique_ptr<Library> library_;
  Machine machine_ = Machine::kX86_64;
  std::size_t cost_ = 0;
};

}  // namespace whittle::record
