// Where verbs get their profile from, and the setting in which it is read.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/verb.h"
#include "profile/baseline.h"
#include "profile/document.h"
#include "profile/profile.h"

namespace whittle::cli {

// P of the command line: a file, "-" for standard input, or "baseline:ID". What a file is is told
// by its content: plain OCI, a Kubernetes object with a profile, systemd's SystemCallFilter= (docs/
// convert.md); Docker's dialect is an error that says why. The setting is that of a baseline. A BPF
// program is no document: an error. What is questionable about the document, or not read of it, is
// printed as a warning.
Result<profile::Profile> load_profile(const std::string& p, const profile::Setting& setting);

// The same with the document as a runtime is to get it: OCI, a file's own bytes when it is that.
struct LoadedProfile {
  profile::Profile profile;
  std::string document;
};
Result<LoadedProfile> load_document(const std::string& p, const profile::Setting& setting);

// "baseline:ID", and the profile of one.
bool is_baseline(const std::string& p);
Result<profile::Profile> load_baseline(const std::string& p, const profile::Setting& setting);

// P with all that is known of it, or the bytes of a BPF program (filter/bytes.h).
struct LoadedInput {
  std::optional<profile::Document> document;  // nullopt: a program
  std::string bytes;                          // of the file, or of the baseline as OCI
  std::string place;                          // for errors about it
};
Result<LoadedInput> load_input(const std::string& p, const profile::ReadOptions& options);
void warn_of(const profile::Document& document, const std::string& place);

// Each P as it is, or the *.json files in it, sorted, when it is a directory; hidden ones are left
// out (a mounted ConfigMap has some), and so are records of trials (*.trial.json). Errors: a
// directory that can't be read, or without any.
Result<std::vector<std::string>> profile_files(const std::vector<std::string>& operands);

// What a document is called: its own name, else that of the file P, without what ends file names
// ("nginx" for nginx.profile.json); empty for standard input.
std::string profile_stem(const profile::Document& document, const std::string& p);

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
