// The documented meaning of a profile, as a walk over its rules: slow, obvious, and the judge of
// every compiled program.
#include <algorithm>

#include "profile/profile.h"

namespace whittle::profile {

namespace {

// Runtimes add the native ABI of the host to what is listed. Which host that is follows from the
// family of a listed ABI, and from the host itself when none is listed.
bool is_covered(const Profile& profile, syscalls::Arch arch) {
  const auto& listed = profile.arches();
  if (listed.empty()) return arch == syscalls::native_of(syscalls::host_arch());
  return std::any_of(listed.begin(), listed.end(), [arch](syscalls::Arch other) {
    return other == arch || syscalls::native_of(other) == arch;
  });
}

bool matches(const Rule& rule, std::uint64_t width, const std::array<std::uint64_t, 6>& args) {
  return std::all_of(rule.args.begin(), rule.args.end(), [&](Condition condition) {
    condition.value &= width;
    condition.value_two &= width;
    return condition.index < 6 && condition.holds(args[condition.index] & width);
  });
}

}  // namespace

Verdict documented_verdict(const Profile& profile, syscalls::Arch arch, std::string_view name,
                           const std::array<std::uint64_t, 6>& args) {
  if (!is_covered(profile, arch)) return {Action::kKillThread, 0};
  const std::uint64_t width = syscalls::compares_64_bits(arch) ? UINT64_MAX : UINT32_MAX;
  const Rule* first_match = nullptr;
  for (const Rule& rule : profile.rules()) {
    if (std::find(rule.names.begin(), rule.names.end(), name) == rule.names.end()) continue;
    if (rule.args.empty()) return rule.verdict;
    if (first_match == nullptr && matches(rule, width, args)) first_match = &rule;
  }
  return first_match != nullptr ? first_match->verdict : profile.default_verdict();
}

}  // namespace whittle::profile
