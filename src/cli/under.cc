#include "cli/under.h"

#include <cerrno>

#include "cli/load_profile.h"
#include "filter/compile.h"
#include "profile/profile.h"

namespace whittle::cli {

namespace {

profile::Profile allowing(std::vector<profile::Rule> rules) {
  profile::Profile::Parts parts;
  parts.default_verdict = {profile::Action::kAllow, 0};
  parts.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
  parts.rules = std::move(rules);
  return profile::Profile(std::move(parts));
}

}  // namespace

Result<profile::Profile> profile_to_record_under(const std::string& name) {
  if (name == "none") return allowing({});
  if (name == "fallbacks") {
    return allowing({{{"clone3"}, {profile::Action::kErrno, ENOSYS}, {}}});
  }
  return load_profile(name.starts_with("baseline:") ? name : "baseline:" + name, default_setting());
}

Result<std::optional<filter::Program>> filter_to_record_under(const std::string& name) {
  if (name == "none") return std::optional<filter::Program>();
  TRY_ASSIGN(const profile::Profile profile, profile_to_record_under(name));
  TRY_ASSIGN(filter::Compiled compiled, filter::compile(profile, filter::Flavour::kNative));
  return std::optional(std::move(compiled.program));
}

}  // namespace whittle::cli
