// That an edited manifest says what it is to say, and nothing else changed.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "deploy/yaml_edit.h"

namespace whittle::deploy {

// The keys and indexes of a JSON pointer.
std::vector<std::string> pointer_parts(const std::string& pointer);

// An error when `edited` read again is not `manifest` with the choice in each target; the order of
// members does not count.
Result<void> prove_edit(const Manifest& manifest, const std::string& edited,
                        const std::vector<EditTarget>& targets, const SeccompChoice& choice);

}  // namespace whittle::deploy
