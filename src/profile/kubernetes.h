// Kubernetes objects that carry a profile: SeccompProfile of the Security Profiles Operator
// (security-profiles-operator.x-k8s.io, api/seccompprofile), and ConfigMaps whose values are OCI
// profiles. In YAML or JSON; of several documents, or the items of a List, one must carry a
// profile, or ReadOptions::name says which.
#pragma once

#include <string>
#include <string_view>

#include "profile/document.h"

namespace whittle::profile {

inline constexpr std::string_view kSpoGroup = "security-profiles-operator.x-k8s.io";

// A text with "apiVersion" as a key.
bool looks_like_kubernetes(std::string_view text);

// v1beta1 and v1 of SeccompProfile have the same fields. v1alpha1, which today's operator no longer
// serves, is read as those, with a warning.
Result<Document> read_kubernetes(std::string_view text, std::string_view place,
                                 const ReadOptions& options);

// A name that Kubernetes takes for an object (RFC 1123 subdomain: up to 253 of a-z, 0-9, '-', '.'),
// as near to the text as can be, and the same every time; "profile" when nothing is left.
std::string object_name(std::string_view text);
bool is_object_name(std::string_view text);

}  // namespace whittle::profile
