// The filter of a profile, for verbs that answer from what the kernel would run: eval, show, score.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "cli/verb.h"
#include "filter/compile.h"
#include "profile/baseline.h"
#include "profile/profile.h"
#include "syscalls/arch.h"

namespace whittle::cli {

// --runtime none|runc|crun: whose way of compiling counts; runc when it is not given.
Option runtime_option();
// --arch, --caps and --kernel: the setting in which a baseline is read (setting_of()).
std::vector<Option> setting_options();

// --libseccomp FILE|VERSION, and what it says: whose filters are answered from. REQUIRES: called
// before anything is compiled.
Option libseccomp_option();
Result<void> choose_libseccomp(const Arguments& arguments);
// Adds {"libseccomp":{"version","source":"file|documented"}} when the user chose one.
void set_libseccomp(json::Value& value);

filter::Flavour flavour_of(const Arguments& arguments);

// P as a filter: a profile compiled as that runtime would, a BPF program as it is. A profile is
// compiled in a process of its own from start() on, while others are read.
class FilterInput {
 public:
  static Result<FilterInput> start(const std::string& p, const profile::Setting& setting,
                                   const Arguments& arguments);
  // The ABIs that a profile covers; for a program those on which it lets something through.
  const std::vector<syscalls::Arch>& arches() const { return arches_; }
  const std::optional<profile::Profile>& profile() const { return profile_; }  // nullopt: a program
  // Names that libseccomp does not know are skipped, as in a runtime: whoever asks names them in a
  // warning. REQUIRES: not called before.
  Result<filter::Compiled> finish();
  // The program alone, after that warning.
  Result<filter::Program> program();

 private:
  Result<void> compile(const profile::Profile& profile, const Arguments& arguments);

  std::string p_;
  std::optional<profile::Profile> profile_;
  std::vector<syscalls::Arch> arches_;
  std::optional<filter::Compilation> compilation_;
  filter::Program program_;  // when there is nothing to compile
};

// The program of a profile that has been read, after that warning.
Result<filter::Program> compile_profile(const profile::Profile& profile, const std::string& p,
                                        const Arguments& arguments);
// The end of a compilation, with P as the place of an error.
Result<filter::Compiled> finish_compilation(filter::Compilation& compilation, const std::string& p);
void warn_of_skipped(const std::vector<std::string>& names, const std::string& p);
void warn_of_untold(const std::vector<std::string>& calls, const std::string& p);

using filter::covered_arches;

}  // namespace whittle::cli
