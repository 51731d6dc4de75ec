#include "cli/under.h"

#include <cerrno>

#include "cli/load_profile.h"
#include "filter/compile.h"
#include "profile/profile.h"

namespace whittle::cli {

namespace {

profile::Profile fallbacks() {
  profile::Profile::Parts parts;
  parts.default_verdict = {profile::Action::kAllow, 0};
  parts.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
  parts.rules = {{{"clone3"}, {profile::Action::kErrno, ENOSYS}, {}}};
  return profile::Profile(std::move(parts));
}

}  // namespace

Result<std::optional<filter::Program>> filter_to_record_under(const std::string& name) {
  if (name == "none") return std::optional<filter::Program>();
  if (name == "fallbacks") {
    TRY_ASSIGN(filter::Compiled compiled, filter::compile(fallbacks(), filter::Flavour::kNative));
    return std::optional(std::move(compiled.program));
  }
  TRY_ASSIGN(
      const profile::Profile base,
      load_profile(name.starts_with("baseline:") ? name : "baseline:" + name, default_setting()));
  TRY_ASSIGN(filter::Compiled compiled, filter::compile(base, filter::Flavour::kNative));
  return std::optional(std::move(compiled.program));
}

}  // namespace whittle::cli
