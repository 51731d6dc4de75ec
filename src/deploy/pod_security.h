// The Pod Security Standards: levels, versions, and whether a pod keeps to them. The controls are
// data (data/pod-security.json, described in docs/kube-check.md).
//
// A level holds all controls of the levels below it. A version says which revision of each control
// counts, as the label pod-security.kubernetes.io/enforce-version does.
//
//   TRY_ASSIGN(const Standard standard, read_standard("restricted:v1.29"));
//   for (const Violation& violation : violations(pod, standard)) ...
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "deploy/manifest.h"

namespace whittle::deploy {

enum class Level : std::uint8_t { kPrivileged, kBaseline, kRestricted };
std::string_view level_name(Level level);
std::optional<Level> level_from_name(std::string_view name);

// Versions are 1.MINOR.
inline constexpr unsigned kLatest = UINT32_MAX;
// "v1.29" or "latest", as the labels have it; nullopt for anything else.
std::optional<unsigned> version_from_label(std::string_view text);
// The newest version that brought a change, as far as the data knows.
unsigned newest_version();

struct Standard {
  Level level = Level::kPrivileged;
  unsigned minor = kLatest;
  bool operator==(const Standard&) const = default;
};
std::string standard_name(const Standard& standard);  // "restricted v1.29", "baseline latest"
// "restricted", "baseline:v1.29", "baseline:1.29", "restricted:latest".
Result<Standard> read_standard(std::string_view text);

struct Violation {
  std::string control;  // "capabilities-restricted"
  std::string pointer;  // of the field, whether it is there or not
  std::uint32_t line = 0;
  std::string container;  // empty: the pod
  std::string message;
  std::string fix;
};
// In the order of the controls. Where a restricted control says the same of a field as a baseline
// one, only that of the restricted one is there.
std::vector<Violation> violations(const Pod& pod, const Standard& standard);

// The ids of all controls, sorted, each once.
const std::vector<std::string>& control_ids();

}  // namespace whittle::deploy
