// From a user stack as it was caught (registers, the top of the stack) to the frames that evidence
// keeps: who made the call.
//
//   StackResolver resolver;
//   observation.stacks.push_back({{}, {}, comm, resolver.resolve(captured)});
//
// Frames are found by the call frame information of the objects, which needs no frame pointers and
// no debug packages; where an object has none (Go, generated code) by the chain of frame pointers.
// The innermost frame is there whatever fails.
//
// The process is hostile: what it can make us read, keep or do is bounded. Its files are opened by
// what the kernel maps (/proc/PID/map_files), else by its own root or ours, when that is the same
// file; never run, never mapped. Not thread-safe.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "evidence/evidence.h"
#include "record/call_frames.h"
#include "record/elf_file.h"

namespace whittle::record {

inline constexpr std::size_t kMostFrames = 16;

struct CapturedStack {
  pid_t pid = 0;  // in our pid namespace
  // What tells the program that the process ran from those that it ran before and since:
  // start_stack of its mm_struct, which stands in /proc/PID/stat as field 28 (proc(5)). With it the
  // mappings that were read for an earlier stack serve when the process has gone, or was forked and
  // has gone before anything of it was read. 0: the process is stopped, what is read now is right.
  std::uint64_t image = 0;
  bool code32 = false;        // it ran 32-bit code (cs 0x23 on x86), whatever the ABI of the call
  std::uint64_t address = 0;  // the instruction pointer: after the instruction that made the call
  Registers registers;        // by their DWARF numbers (call_frames.h); the more, the better
  // What the kernel said of `address` when it was caught, if it did (bpf_get_stack() with
  // BPF_F_USER_BUILD_ID): hex, and where it is in the file. It stands when the process cannot be
  // asked any more, or runs something else by now.
  std::string build_id;
  std::uint64_t file_offset = 0;
  std::string stack;  // what stood in memory from the stack pointer up; 8 KiB is good
};

// What tells the program that a process runs now from others; 0: it has gone
// (CapturedStack::image).
std::uint64_t image_of(pid_t pid);

class StackResolver {
 public:
  StackResolver();
  ~StackResolver();
  StackResolver(const StackResolver&) = delete;
  StackResolver& operator=(const StackResolver&) = delete;

  // Innermost first, one to kMostFrames. An offset is that of the calling instruction: of the call
  // itself in the first frame, one byte before the return address in the others, as addr2line(1)
  // wants it.
  std::vector<evidence::Frame> resolve(const CapturedStack& captured);

  // Reads the mappings of a process, and opens the files that it runs, while it is there: a stack
  // that is resolved after its end then has its frames.
  void learn(pid_t pid, std::uint64_t image);

 private:
  struct Mapping;
  struct Object;
  class Walk;
  using Mappings = std::vector<Mapping>;                 // that may be run, sorted by address
  using Identity = std::pair<std::string, std::string>;  // device and inode, path
  using KnownObject = std::pair<Identity, std::shared_ptr<Object>>;

  std::shared_ptr<Mappings> mappings(pid_t pid, std::uint64_t image);
  std::shared_ptr<Object> object(pid_t pid, Mapping& mapping);
  evidence::Frame by_build_id(const CapturedStack& captured) const;
  std::shared_ptr<Object> keep(Identity identity, std::shared_ptr<Object> object);

  // By image, and by file. The latest used come first, the last go when there are too many.
  std::list<std::pair<std::uint64_t, std::shared_ptr<Mappings>>> images_;
  std::list<KnownObject> objects_;
};

}  // namespace whittle::record
