#include "profile/oci_words.h"

#include <algorithm>
#include <array>

namespace whittle::profile {

namespace {

// In the order of Action; the old word for kill_thread stands behind.
const std::array<std::string, 9> kActions = {
    "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP",
    "SCMP_ACT_ERRNO",        "SCMP_ACT_NOTIFY",      "SCMP_ACT_TRACE",
    "SCMP_ACT_LOG",          "SCMP_ACT_ALLOW",       "SCMP_ACT_KILL"};

// In the order of Operator.
const std::array<std::string, 7> kOperators = {"SCMP_CMP_NE",       "SCMP_CMP_LT", "SCMP_CMP_LE",
                                               "SCMP_CMP_EQ",       "SCMP_CMP_GE", "SCMP_CMP_GT",
                                               "SCMP_CMP_MASKED_EQ"};

const std::array<std::string, 23> kArches = {
    "SCMP_ARCH_X86",     "SCMP_ARCH_X86_64",   "SCMP_ARCH_X32",         "SCMP_ARCH_ARM",
    "SCMP_ARCH_AARCH64", "SCMP_ARCH_MIPS",     "SCMP_ARCH_MIPS64",      "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",  "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",   "SCMP_ARCH_PPC64LE",  "SCMP_ARCH_S390",        "SCMP_ARCH_S390X",
    "SCMP_ARCH_PARISC",  "SCMP_ARCH_PARISC64", "SCMP_ARCH_RISCV64",     "SCMP_ARCH_LOONGARCH64",
    "SCMP_ARCH_M68K",    "SCMP_ARCH_SH",       "SCMP_ARCH_SHEB"};

const std::array<std::string, 4> kFlags = {"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG",
                                           "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
                                           "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"};

template <typename Words>
std::optional<std::size_t> index_of(const Words& words, std::string_view word) {
  const auto it = std::find(words.begin(), words.end(), word);
  if (it == words.end()) return std::nullopt;
  return static_cast<std::size_t>(it - words.begin());
}

}  // namespace

std::string_view oci_action(Action action) { return kActions[static_cast<std::size_t>(action)]; }

std::optional<Action> action_from_oci(std::string_view word) {
  const auto index = index_of(kActions, word);
  if (!index) return std::nullopt;
  if (*index == kActions.size() - 1) return Action::kKillThread;
  return static_cast<Action>(*index);
}

bool takes_errno(Action action) { return action == Action::kErrno || action == Action::kTrace; }

std::string_view operator_name(Operator op) { return kOperators[static_cast<std::size_t>(op)]; }

std::optional<Operator> operator_from_oci(std::string_view word) {
  const auto index = index_of(kOperators, word);
  if (!index) return std::nullopt;
  return static_cast<Operator>(*index);
}

std::span<const std::string> oci_action_words() { return kActions; }
std::span<const std::string> oci_operator_words() { return kOperators; }
std::span<const std::string> oci_arch_words() { return kArches; }
std::span<const std::string> oci_flag_words() { return kFlags; }

}  // namespace whittle::profile
