// What record says and writes at the end, whatever it recorded.
#pragma once

#include <string>

#include "base/result.h"
#include "evidence/evidence.h"

namespace whittle::cli {

// Loss is told even when the rest is not asked for.
void warn_of_loss(const evidence::Run& run);

// Writes the file. A recording is not thrown away because its place has gone or is full meanwhile:
// then the error says where else it is. REQUIRES: there is a run.
Result<void> write_evidence(const std::string& output, const evidence::Evidence& evidence,
                            bool quiet);

}  // namespace whittle::cli
