// A seccomp policy in any of the forms that whittle reads, told apart by content: plain OCI,
// Docker's and Podman's dialect, Kubernetes objects that carry a profile (kubernetes.h), systemd's
// SystemCallFilter= (systemd.h). docs/convert.md describes them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "profile/baseline.h"
#include "profile/oci_reader.h"
#include "profile/profile.h"

namespace whittle::profile {

enum class Form : std::uint8_t { kOci, kDocker, kSpo, kConfigMap, kSystemd };

// Something of a document that does not go over into another one.
struct Loss {
  std::string pointer;  // RFC 6901, of the document that was read
  std::string what;     // one line, no full stop
  bool operator==(const Loss&) const = default;
};

// A profile, and what is known of the document that it was read from.
struct Document {
  Form form = Form::kOci;
  Profile profile{Profile::Parts{}};
  std::string name;     // of the object, or the key of a ConfigMap; empty: none
  json::Value object;   // the seccomp object as it was written; null for systemd
  std::string pointer;  // of that object in the document; empty: it is the document
  // For each rule of the profile its index under /syscalls of the object, and where it stands.
  std::vector<std::size_t> origins;
  std::vector<std::string> rule_pointers;
  // What the document says beyond the profile: the base profile of an SPO object, systemd's
  // settings that make filters of their own. Whoever takes the profile for the whole tells these.
  std::vector<Loss> beyond;
  // Where the document itself is questionable, in words for people.
  std::vector<std::string> warnings;
};

struct ReadOptions {
  // In which Docker's dialect is read, and whose ABIs a systemd unit without
  // SystemCallArchitectures= covers.
  Setting setting;
  // How keys of Docker's dialect are taken where there are any: kOci, kDocker or kIgnored.
  Dialect dialect = Dialect::kOci;
  // Which one, where there are several: the name of an object, the key of a ConfigMap.
  std::string name;
};

// Errors are of kind input, with line and JSON pointer where there is one.
Result<Document> read_any(std::string_view text, std::string_view place,
                          const ReadOptions& options);

// A seccomp object in JSON: OCI, or Docker's dialect when `options` has it and a key of it is
// there.
Result<Document> read_json(std::string_view text, std::string_view place,
                           const ReadOptions& options);

// True for a document with a key of Docker's dialect that says something.
bool has_docker_keys(const json::Value& object);

}  // namespace whittle::profile
