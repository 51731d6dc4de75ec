// Probes: attack steps tried from inside, under a filter (probe_catalog.h), and what came of them.
//
// A small static program makes the calls. A call that the filter kills ends it; then it is started
// again with the call after that one. Whether the filter or the kernel refused is not guessed from
// the errno: the filter is asked about the very arguments (filter::evaluate_all()), and where that
// can be had the program runs a second time under the same filter with every refusal turned into an
// errno that the kernel never returns (probe_marker.h). Where the arguments tried stand for a set
// of them (any flags with CLONE_NEWUSER, any socket of a family) the step is blocked only when the
// filter refuses the whole set.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/process.h"
#include "base/result.h"
#include "filter/program.h"
#include "host/workload.h"
#include "profile/profile.h"

namespace whittle::trial {

// What stands between the attacker and the kernel's code.
enum class ProbeBy {
  kSeccomp,     // the filter refused every call
  kCapability,  // the filter let one through, the kernel asks for a capability that is missing
  kKernel,      // the kernel's configuration: built without it, switched off or locked down
  kOpen,        // nothing: it succeeded, or only the harmless arguments were refused
};
std::string_view probe_by_name(ProbeBy by);  // "seccomp", "capability", "kernel", "open"

struct Probe {
  std::string name;     // "namespaces-unshare"
  std::string syscall;  // "unshare"; "init_module, finit_module" for a step of several
  // Every call of the step was refused by the filter. What only the kernel refused (a capability is
  // missing, the arguments are bad) was reached, and is not blocked.
  bool blocked = false;
  ProbeBy by = ProbeBy::kOpen;  // of the call that came furthest; kSeccomp when blocked
  // "EPERM by the filter", "SIGSYS by the filter", "EINVAL by the kernel: reached", "succeeded",
  // "EPERM by the kernel for want of CAP_SYS_ADMIN: let through"
  std::string result;
  // Of data/probes.tsv: what it tries, what an attacker does it for, where that is documented, and
  // what is to be expected in three settings.
  std::string_view tries;
  std::string_view technique;
  std::string_view source;
  std::string_view expected_root;
  std::string_view expected_nobody;
  std::string_view expected_docker;
};

struct ProbeReport {
  std::vector<Probe> probes;
  bool marker = false;  // the second run was made, and its results were taken into account
  std::size_t blocked() const;
};

// The program, an ELF file for this machine that runs without any other file.
std::string_view probe_program();

struct ProgramRun {
  std::string output;  // its standard output
  ExitStatus status;
};
// Starts the program with these arguments (argv[1]...) under filters, to its end.
using ProgramStarter = std::function<Result<ProgramRun>(const std::vector<std::string>& arguments)>;

constexpr std::uint64_t kAllCapabilities = UINT64_MAX;

struct ProbeRun {
  ProgramStarter start;
  std::vector<filter::Program> filters;  // that it runs under, newest first; may be empty
  ProgramStarter start_marked = {};      // under `marked`; empty: no second run
  std::vector<filter::Program> marked = {};
  std::uint64_t capabilities = kAllCapabilities;  // effective ones, a bit each (capabilities(7))
};

// Errors: those of `start`; a filter that refuses what the program itself needs (execve, write),
// kind input; a program that reports nothing. A second run that cannot be made is none.
Result<ProbeReport> run_probes(const ProbeRun& run);

struct ProbeSetting {
  std::string runtime = "none";  // natively, or a container of "runc" or "crun" (needs root)
  // Another user than root (in a container) or than the caller; to change it natively needs root.
  std::optional<std::pair<unsigned, unsigned>> user = {};  // uid, gid
  bool no_new_privileges = true;  // natively without it: needs CAP_SYS_ADMIN for the filter
  // The bounding set, of which root has all and another user none. nullopt: Docker's default in a
  // container, natively the caller's own. To drop any natively needs root.
  std::optional<std::uint64_t> capabilities = {};
};

// The setting in which a workload runs: its runtime and user, and what its bundle's config.json
// says.
Result<ProbeSetting> probe_setting(const host::Workload& workload);

// The capabilities that the probe program has in effect in that setting.
std::uint64_t effective_capabilities(const ProbeSetting& setting);

// Runs them under a profile; `profile_json` is the document itself, as a runtime is to get it.
Result<ProbeReport> probe_profile(const profile::Profile& profile, const std::string& profile_json,
                                  const ProbeSetting& setting);
// The same without any filter: what the kernel and the capabilities alone leave open.
Result<ProbeReport> probe_without_filter(const ProbeSetting& setting);

}  // namespace whittle::trial
