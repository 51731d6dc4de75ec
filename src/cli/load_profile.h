// Where verbs get their profile from, and the setting in which it is read.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/verb.h"
#include "profile/baseline.h"
#include "profile/profile.h"

namespace whittle::cli {

// P of the command line: a file, "-" for standard input, or "baseline:ID". A file is read as plain
// OCI; the setting is that of a baseline.
Result<profile::Profile> load_profile(const std::string& p, const profile::Setting& setting);

// The same with the document itself, as a runtime is to get it: a file's own bytes.
struct LoadedProfile {
  profile::Profile profile;
  std::string document;
};
Result<LoadedProfile> load_document(const std::string& p, const profile::Setting& setting);

// P for what an option names that takes a baseline or P: "docker@29.4.3" is
// "baseline:docker@29.4.3", anything that names no known runtime is P as it is.
std::string baseline_or_profile(const std::string& text);

// This machine: its architecture, its kernel, and the runtime's default capabilities.
profile::Setting default_setting();

// The default setting with what --arch, --caps and --kernel say instead.
//   --arch A     an architecture of whittle or Docker (x86_64, amd64, x86, ...): its family counts
//   --caps LIST  the bounding set, "CAP_CHOWN,sys_admin"; "docker" stands for Docker's default 14,
//                "none" for none
//   --kernel V   "6.18"
Result<profile::Setting> setting_of(const Arguments& arguments);

}  // namespace whittle::cli
