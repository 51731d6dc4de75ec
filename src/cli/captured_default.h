// The default filter of a container manager as it was read back out of a container, and what it
// turned out to be. The file is docs/baselines.md, "Captured defaults".
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "filter/compare.h"
#include "filter/compile.h"
#include "filter/program.h"
#include "profile/baseline.h"

namespace whittle::cli {

struct CapturedDefault {
  std::string runtime;      // "podman"
  std::string version;      // as it says it itself: "20.10.24+dfsg1"; empty: not known
  std::string oci_runtime;  // "runc", "crun"
  std::string captured;     // RFC 3339
  std::string kernel;       // uname -r
  syscalls::Arch arch = syscalls::Arch::kX86_64;
  std::vector<std::string> caps;         // the container's bounding set
  std::vector<filter::Program> filters;  // newest first
};

// Whether a text is such a file, by its schema.
bool is_captured_default(std::string_view text);
Result<CapturedDefault> read_captured_default(std::string_view text, std::string_view place);
json::Value to_json(const CapturedDefault& captured);  // with its filters

// How the captured filter relates to the known defaults of its runtime.
struct Recognised {
  std::string equals;  // "podman@4.3.1": its own release when it is that, else the newest; or empty
  std::string since;   // the release that brought it
  bool own = false;    // it is that of its own version
  // Else, with its own release first: what `difference` compares with; empty: nothing is known.
  std::string nearest;
  filter::Comparison difference{};  // from `nearest` to the captured filter
};
// Compiles the known defaults as the OCI runtime does, by the libseccomp in whittle. Errors: more
// or fewer than one filter.
Result<Recognised> recognise(const CapturedDefault& captured);

}  // namespace whittle::cli
