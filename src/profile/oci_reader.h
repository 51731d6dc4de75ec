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

// How the keys are taken that only Docker and containers/common read (archMap, defaultErrno,
// includes, excludes, name, errno).
//  kOci:     as errors, when they say something.
//  kDocker:  as Docker does, in a setting.
//  kIgnored: not at all, as runc, crun and containerd do. A rule with a `name` alone has no names.
//  kSpo:     the spec of a SeccompProfile of the Security Profiles Operator, which has keys of its
//  own
//            and less of what OCI has (kubernetes.h).
enum class Dialect : std::uint8_t { kOci, kDocker, kIgnored, kSpo };
bool is_docker_key(std::string_view key);
// Null, or an empty string, array or object: what Go writes for a key that was not given.
bool says_nothing(const json::Value& value);

// JSON within the limits of a profile.
Result<json::Value> parse_document(std::string_view text, std::string_view place);
// `setting` is for kDocker, where it must be there. `origins`, when given, gets for each rule of
// the profile its index under /syscalls: rules that do not hold in the setting are left out.
Result<Profile> read_document(const json::Value& document, std::string_view place, Dialect dialect,
                              const Setting* setting = nullptr,
                              std::vector<std::size_t>* origins = nullptr);
// The same of an object somewhere in a document.
Result<Profile> read_object(const json::View& root, Dialect dialect,
                            const Setting* setting = nullptr,
                            std::vector<std::size_t>* origins = nullptr);

// The member of that key when it is there and not null: Go writes null for an empty list.
Result<std::optional<json::View>> find_present(const json::View& view, std::string_view key);
// The elements of a list that may be missing or null; more than `most` are an error.
Result<std::vector<json::View>> items_of(const json::View& view, std::string_view key,
                                         std::size_t most);
// A string of 1 to `most` bytes.
Result<std::string> bounded_string(const json::View& view, std::size_t most);
// The conditions under "args" of a rule, with values up to `most`.
Result<std::vector<Condition>> read_conditions(const json::View& rule,
                                               std::uint64_t most = UINT64_MAX);

// Docker dialect (docker.cc). Does a rule with these includes and excludes hold in the setting?
Result<bool> docker_conditions_hold(const json::View& rule, const Setting& setting);
// The architectures that the archMap of a document gives for the setting; empty when it has none.
Result<std::vector<std::string>> docker_architectures(const json::View& root,
                                                      const Setting& setting);

}  // namespace whittle::profile
