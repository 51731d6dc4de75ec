// Any bytes as evidence. What reads well must be written so that it reads again, to the same runs
// and the same bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "evidence/evidence.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace evidence = whittle::evidence;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto first = evidence::read(text, "input");
  if (!first) return 0;
  const std::string written = evidence::write(*first);
  const auto second = evidence::read(written, "written");
  if (!second) std::abort();
  if (second->workload != first->workload || second->runs != first->runs) std::abort();
  if (evidence::write(*second) != written) std::abort();
  return 0;
}
