// --base of generate and explain: the default profile that must not be loosened.
#pragma once

#include <string_view>

#include "base/result.h"
#include "cli/verb.h"
#include "generate/generate.h"

namespace whittle::cli {

inline constexpr std::string_view kNoBase = "none";
// How messages call what still stands without a base: "... refuses it".
inline constexpr const char* kNoBaseName = "whittle, even without a base,";

// Fills in `base` and `base_name` for each of options.arches: the baseline that --base names, else
// today's Docker default, resolved for each family with --caps and --kernel. Without --kernel not
// for this machine's: the same evidence gives the same profile everywhere.
Result<void> read_base(const Arguments& arguments, generate::Options& options);

}  // namespace whittle::cli
