// Any bytes as a profile. What reads well must be written so that it reads again, to the same
// bytes.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "profile/baseline.h"
#include "profile/profile.h"

namespace {

using whittle::profile::Profile;

void check(const Profile& profile) {
  const std::string text = whittle::profile::write_oci(profile);
  const auto again = whittle::profile::read_oci(text, "written");
  if (!again || whittle::profile::write_oci(*again) != text) std::abort();
  constexpr std::array<std::uint64_t, 6> kArgs = {1, UINT64_MAX, 0, 1ULL << 32U, 2, 3};
  for (const auto arch : whittle::syscalls::kAllArches) {
    for (const auto& rule : profile.rules()) {
      const std::string& name = rule.names.front();
      if (whittle::profile::documented_verdict(profile, arch, name, kArgs) !=
          whittle::profile::documented_verdict(*again, arch, name, kArgs)) {
        std::abort();
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto plain = whittle::profile::read_oci(text, "input");
  if (plain) check(*plain);
  const auto docker = whittle::profile::resolve_docker(text, "input", {});
  if (docker) check(*docker);
  // A plain document is a Docker one without conditions.
  if (plain && (!docker || *docker != *plain)) std::abort();
  return 0;
}
