// What a profile's own file says about a failure, and where on a node a profile is.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "review/lint.h"

namespace whittle::deploy {

// Something in a file that leads to a known failure.
struct Suspicion {
  std::string failure;  // its id (known_failures.h)
  std::string text;     // one line: what and where
  std::vector<std::string> calls;
  bool weak = false;  // no cause by itself: it adds to one that something else shows
};

// Of a document as runc, crun and a kubelet would take it, for that runtime. What no runtime could
// read is a suspicion as well.
std::vector<Suspicion> suspect_profile(std::string_view text, std::string_view file,
                                       filter::Flavour runtime);

// Files below the directories that have the same name as `wanted`, or the same with ".json",
// sorted. No link is followed; at most 20,000 entries of each directory are looked at.
std::vector<std::string> profiles_called(std::string_view wanted,
                                         std::span<const std::string> directories);

// Where profiles are kept: the root, and what the packages of engines have.
std::vector<std::string> profile_directories(const std::string& root);

}  // namespace whittle::deploy
