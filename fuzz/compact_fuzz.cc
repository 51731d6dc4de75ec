// A filter, from any bytes or made of instructions that compilers emit: written back as a compact
// program it is equal (compact() proves it, and fails with a bug error else), and the evaluator
// agrees. The bytes of a program read as that program.
#include <cstdlib>

#include "filter/bytes.h"
#include "filter/compact.h"
#include "filter/random_program.h"

using namespace whittle;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::size_t at = 0;
  const auto next = [&] { return at < size ? data[at++] : std::uint8_t{0}; };
  filter::Program program;
  if (next() % 2 == 0) {
    const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size == 0 ? 0 : size - 1);
    auto read = filter::read_bytes(bytes, "input");
    if (!read) {
      require(read.error().kind == ErrorKind::kInput && !read.error().place.empty());
      return 0;
    }
    require(filter::write_bytes(*read) == bytes);
    program = *std::move(read);
    at = 1;
  } else {
    program = filter::random_program(next);
    // Other ABIs are refused, as in filters of this world.
    const auto length = static_cast<std::uint8_t>(program.size());
    program.insert(program.begin(), {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 4},
                                     {BPF_JMP | BPF_JEQ | BPF_K, 0, length,
                                      syscalls::audit_arch(syscalls::Arch::kX86_64)}});
    program.push_back({BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS});
  }
  const auto made = filter::compact(program);
  if (!made) {
    require(made.error().kind == ErrorKind::kInput);
    return 0;
  }
  for (int i = 0; i < 16; ++i) {
    const std::uint32_t nr = next() % 16U;
    filter::Arguments args{};
    for (std::uint64_t& arg : args) arg = std::uint64_t{next()} << 32U | next();
    const auto call = filter::call(syscalls::Arch::kX86_64, nr, args);
    require(*filter::evaluate(program, call) == *filter::evaluate(*made, call));
  }
  return 0;
}
