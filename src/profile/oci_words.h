// The words of an OCI seccomp document (runtime-spec config-linux.md#seccomp) and what they stand
// for.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "profile/profile.h"

namespace whittle::profile {

// "SCMP_ACT_ERRNO"
std::string_view oci_action(Action action);
// SCMP_ACT_KILL is the old name of SCMP_ACT_KILL_THREAD.
std::optional<Action> action_from_oci(std::string_view word);
// True for the actions that an errnoRet goes with: errno and trace.
bool takes_errno(Action action);

std::optional<Operator> operator_from_oci(std::string_view word);

// Every word that a reader takes; for suggestions too.
std::span<const std::string> oci_action_words();
std::span<const std::string> oci_operator_words();
std::span<const std::string> oci_arch_words();
std::span<const std::string> oci_flag_words();

}  // namespace whittle::profile
