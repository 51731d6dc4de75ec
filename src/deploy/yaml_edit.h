// Sets the seccomp profile of pods and containers in the text of a manifest, and changes nothing
// else: comments, order and layout stay. The edited text is read again, and must say what the
// original says but for what was asked, else it is refused.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "deploy/manifest.h"
#include "deploy/seccomp_choice.h"

namespace whittle::deploy {

// The spec of a pod, or a container.
struct EditTarget {
  std::size_t document = 0;  // counted from 1
  std::string pointer;
};

// The manifest's text with the choice set in each target. What says so already stays as it is.
// Errors (kind input, with line): a layout that can't be edited so, such as a value that an alias
// brings, and that others use too.
Result<std::string> set_seccomp(const Manifest& manifest, const std::vector<EditTarget>& targets,
                                const SeccompChoice& choice);

}  // namespace whittle::deploy
