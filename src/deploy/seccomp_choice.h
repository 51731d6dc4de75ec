// What securityContext.seccompProfile of a pod or a container is to be, and how that is written.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace whittle::deploy {

inline constexpr std::string_view kContext = "securityContext";
inline constexpr std::string_view kProfile = "seccompProfile";
inline constexpr std::string_view kType = "type";
inline constexpr std::string_view kPath = "localhostProfile";

// securityContext.seccompProfile, as it is to be.
struct SeccompChoice {
  std::string localhost;  // a path below the kubelet's seccomp directory; empty: RuntimeDefault
  bool operator==(const SeccompChoice&) const = default;
};
// "RuntimeDefault" (or "runtime/default"), "localhost/PATH". Errors: anything else, an absolute
// path, one with "..", an empty one.
Result<SeccompChoice> read_choice(std::string_view text);
std::string choice_text(const SeccompChoice& choice);

std::string type_of(const SeccompChoice& choice);  // "RuntimeDefault", "Localhost"
// A scalar for YAML and, quoted, for JSON; a plain one where that can't be taken for something
// else.
bool is_plain(std::string_view text);
std::string written(std::string_view text, bool quoted);
std::string key_text(std::string_view key, bool quoted);  // with the colon and a blank
// The value of kContext or kProfile in flow style: `{type: RuntimeDefault}`.
std::string flow_value(std::string_view key, const SeccompChoice& choice, bool quoted);

}  // namespace whittle::deploy
