// Manifests from the command line, and back.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "deploy/manifest.h"

namespace whittle::cli {

inline constexpr std::string_view kStandardInput = "standard input";

struct KubeInputs {
  std::vector<deploy::Manifest> manifests;
  std::size_t unreadable = 0;  // what was wrong with each is printed
};
// Operands: files, directories (every *.yaml, *.yml and *.json below them, hidden ones left out)
// and
// "-", which only `with_standard_input` lets through. Files of a directory that hold no object of
// Kubernetes and no profile are passed over with a note.
Result<KubeInputs> read_kube_inputs(const std::vector<std::string>& operands,
                                    bool with_standard_input);

// Writes the edited text of a manifest in its place, and says so; nothing when it is the same.
Result<void> write_edited(const deploy::Manifest& manifest, const std::string& edited);

}  // namespace whittle::cli
