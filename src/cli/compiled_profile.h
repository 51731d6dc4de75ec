// The filter of a profile, for verbs that answer from what the kernel would run: eval, show, score.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "cli/verb.h"
#include "filter/compile.h"
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

// The program, as that runtime would load it. Names that libseccomp does not know are skipped, as
// in a runtime, and named in a warning.
Result<filter::Program> compile_profile(const profile::Profile& profile, const std::string& p,
                                        const Arguments& arguments);
// The same in parts, for a compilation that was started before.
Result<filter::Compiled> finish_compilation(filter::Compilation& compilation, const std::string& p);
void warn_of_skipped(const std::vector<std::string>& names, const std::string& p);
void warn_of_untold(const std::vector<std::string>& calls, const std::string& p);

using filter::covered_arches;

}  // namespace whittle::cli
