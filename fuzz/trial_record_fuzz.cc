// Any bytes as a record of trials. What reads well must be written so that it reads again, the
// same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "trial/trial_record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace trial = whittle::trial;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto first = trial::read_trial_record(text, "input");
  if (!first) return 0;
  const std::string written = trial::write_trial_record(*first);
  const auto second = trial::read_trial_record(written, "written");
  if (!second || second->trials.size() != first->trials.size()) std::abort();
  if (trial::write_trial_record(*second) != written) std::abort();
  return 0;
}
