// Probes: attack steps tried from inside, under a filter (probe_steps.h), and what came of them.
//
// A small static program makes the calls. A call that the filter kills ends it; then it is started
// again with the call after that one. Whether the filter or the kernel refused is not guessed from
// the errno: the filter is asked about the very arguments (filter::evaluate_all()). Where the
// arguments tried stand for a set of them (any flags with CLONE_NEWUSER, any socket of a family)
// the step is blocked only when the filter refuses the whole set.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/process.h"
#include "base/result.h"
#include "filter/program.h"
#include "profile/profile.h"

namespace whittle::trial {

struct Probe {
  std::string name;     // "namespaces-unshare"
  std::string syscall;  // "unshare"; "init_module, finit_module" for a step of several
  // Every call of the step was refused by the filter. What only the kernel refused (a capability is
  // missing, the arguments are bad) was reached, and is not blocked.
  bool blocked = false;
  // "EPERM by the filter", "SIGSYS by the filter", "EINVAL by the kernel: reached", "succeeded"
  std::string result;
  std::string technique;  // what an attacker does it for
};

struct ProbeReport {
  std::vector<Probe> probes;
  std::size_t blocked() const;
};

// The program, an ELF file for this machine that runs without any other file.
std::string_view probe_program();

struct ProgramRun {
  std::string output;  // its standard output
  ExitStatus status;
};
// Starts the program with these arguments (argv[1]...) under the filters, to its end.
using ProgramStarter = std::function<Result<ProgramRun>(const std::vector<std::string>& arguments)>;

// `filters`: those that the program runs under, newest first; may be empty. Errors: those of
// `start`; a filter that refuses what the program itself needs (execve, write), kind input; a
// program that reports nothing.
Result<ProbeReport> run_probes(const ProgramStarter& start,
                               std::span<const filter::Program> filters);

// Runs them under a profile: natively ("none", with no_new_privileges, no privilege needed), or in
// a container by "runc" or "crun" with `profile_json`, the document itself (needs root).
Result<ProbeReport> probe_profile(const profile::Profile& profile, const std::string& profile_json,
                                  const std::string& runtime);

}  // namespace whittle::trial
