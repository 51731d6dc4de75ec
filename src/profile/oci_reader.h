// The pieces that the readers of seccomp documents share. One reader walks the document; the Docker
// dialect (docker.cc) is the same document with conditions, asked for when a setting is given.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "profile/baseline.h"
#include "profile/profile.h"

namespace whittle::profile {

// `docker`: the setting in which the conditions of the Docker dialect hold; nullptr: plain OCI,
// where such conditions are errors.
Result<Profile> read_document(std::string_view text, std::string_view place, const Setting* docker);

// The member of that key when it is there and not null: Go writes null for an empty list.
Result<std::optional<json::View>> find_present(const json::View& view, std::string_view key);
// The elements of a list that may be missing or null; more than `most` are an error.
Result<std::vector<json::View>> items_of(const json::View& view, std::string_view key,
                                         std::size_t most);
// A string of 1 to `most` bytes.
Result<std::string> bounded_string(const json::View& view, std::size_t most);
// The conditions under "args" of a rule.
Result<std::vector<Condition>> read_conditions(const json::View& rule);

// Docker dialect (docker.cc). Does a rule with these includes and excludes hold in the setting?
Result<bool> docker_conditions_hold(const json::View& rule, const Setting& setting);
// The architectures that the archMap of a document gives for the setting; empty when it has none.
Result<std::vector<std::string>> docker_architectures(const json::View& root,
                                                      const Setting& setting);

}  // namespace whittle::profile
