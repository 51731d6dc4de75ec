// data/pod-security.json as values; read once.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "deploy/pod_security.h"

namespace whittle::deploy {

// One check of a control. What it looks at is one of `fields`, `annotations`, `members`, `contains`
// and `inherit`; paths are relative to the pod's spec, and one that begins with "containers[*]." is
// looked at in each init, normal and ephemeral container.
struct Control {
  std::string id;
  Level level = Level::kBaseline;
  unsigned from = 0;
  unsigned until = kLatest;  // inclusive
  std::optional<unsigned> windows_exempt_from;
  std::optional<unsigned> user_namespace_exempt_from;
  std::vector<std::string> fields;
  std::vector<std::string>
      annotations;       // keys of the pod's annotations, or with a "/" at the end prefixes
  std::string members;   // objects all of whose members must be in `allow`
  std::string contains;  // a list that must hold all of `allow`
  std::string inherit;  // a path in the pod and in each container, whose missing value is the pod's
  // Missing while the object that it is in is there counts as "".
  bool required_in_parent = false;
  std::vector<json::Value> allow;   // null: not set
  std::vector<json::Value> forbid;  // with this, everything else is allowed
  std::vector<std::string> allow_prefixes;
  std::vector<std::pair<unsigned, std::vector<json::Value>>> allow_from;
  std::string replaces;  // the id of a baseline control that says less
  std::string fix;
};

struct PodSecurityData {
  unsigned newest = 0;
  std::vector<Control> controls;
};

Result<PodSecurityData> read_pod_security(std::string_view text, std::string_view place);
const PodSecurityData& pod_security_data();

}  // namespace whittle::deploy
