// Any bytes as a filter and as a call. The evaluator takes every program that check() takes; and
// what decide() says of a call holds: exactly one path matches the arguments, and it ends as the
// evaluator does. Paths that are said to be possible are.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "filter/decide.h"
#include "filter/describe.h"
#include "filter/random_program.h"

namespace {

namespace filter = whittle::filter;
namespace syscalls = whittle::syscalls;

// Reads bytes until they end, then zeros.
class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  std::uint8_t next() { return at_ < size_ ? data_[at_++] : 0; }
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8U | next();
    return value;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
  std::size_t at_ = 0;
};

// Half of the time instructions as they come, else made from the bytes so that most of them load.
filter::Program program_from(Bytes& bytes) {
  if (bytes.next() % 2 == 0) return filter::random_program([&bytes] { return bytes.next(); });
  filter::Program program(1 + bytes.next() % 32);
  for (sock_filter& instruction : program) {
    const std::uint64_t number = bytes.number();
    static_assert(sizeof instruction == sizeof number);
    std::memcpy(&instruction, &number, sizeof number);
  }
  return program;
}

bool matches(const filter::Path& path, const filter::Arguments& args) {
  for (std::size_t i = 0; i < path.words.size(); ++i) {
    const auto word = static_cast<std::uint32_t>(args[i / 2] >> (i % 2 == 0 ? 0U : 32U));
    if (!path.words[i].holds(word)) return false;
  }
  return true;
}

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr auto kArch = syscalls::Arch::kX86_64;
  Bytes bytes(data, size);
  filter::Arguments args{};
  for (std::uint64_t& arg : args) arg = bytes.number();
  const std::uint32_t nr = bytes.next();
  const filter::Program program = program_from(bytes);

  const auto verdict = filter::evaluate(program, filter::call(kArch, nr, args));
  require(verdict.has_value() == filter::check(program).has_value());
  const filter::Decision decision = filter::decide(program, kArch, nr, 256);
  if (!decision.decided) return 0;
  require(verdict.has_value());
  int matching = 0;
  for (const filter::Path& path : decision.paths) {
    for (const filter::WordConstraint& word : path.words) {
      const auto value = filter::witness(word);
      require(value && word.holds(*value));
    }
    require(!filter::path_text(path).empty());
    if (!matches(path, args)) continue;
    ++matching;
    require(path.verdict == *verdict);
  }
  require(matching == 1);
  return 0;
}
