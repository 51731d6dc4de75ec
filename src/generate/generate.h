// From evidence to a profile, with a reason for each rule. docs/generate.md.
//
// The profile allows what the evidence needs and what the container runtime needs to start it, in
// the argument values that were observed, and never more than the base does (each native family for
// itself): what the base refuses is left out and listed. Both halves are proven each time: that
// nothing is looser than the base (generate/meaning.h), and that libseccomp compiles the rules as
// they are documented (filter/faithful.h).
//
//   Options options;
//   TRY_ASSIGN(options.base[Arch::kX86_64], profile::baseline("docker", {}));
//   options.arches = {Arch::kX86_64};
//   TRY_ASSIGN(const Outcome outcome, generate(evidence, options));
//   write_file("nginx.profile.json", profile::write_oci(outcome.profile));
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "evidence/evidence.h"
#include "profile/profile.h"
#include "syscalls/arch.h"
#include "syscalls/arguments.h"

namespace whittle::generate {

// What is added to the observed argument values.
enum class Headroom : std::uint8_t { kNone, kSiblings };

struct Options {
  // What must not be loosened: for each of `arches`, the base resolved for it. no_base() for none.
  std::map<syscalls::Arch, profile::Profile> base;
  std::string base_name = "the base";  // as messages say it: "docker@29.4.3"
  // Native ABIs. 32-bit ABIs and x32 join by themselves when the evidence needs them.
  std::set<syscalls::Arch> arches = {syscalls::Arch::kX86_64, syscalls::Arch::kAarch64};
  // What is not allowed. Log refuses nothing: such a profile is for watching only.
  profile::Verdict default_verdict{profile::Action::kErrno, 1};
  std::set<std::string> runtimes = {"runc", "crun"};  // empty: started without one
  syscalls::Level arguments = syscalls::Level::kSafe;
  Headroom headroom = Headroom::kSiblings;
  std::set<std::string> allow;  // calls that may go beyond the base, in their observed values
  bool log_denials = false;     // SECCOMP_FILTER_FLAG_LOG
};

enum class Because : std::uint8_t {
  kEvidence,     // observed, or reached statically
  kCounterpart,  // what the other architecture calls in its place
  kFloor,        // the container runtime or the kernel needs it
  kSibling,      // headroom
  kBase,         // conditions that the base has
  kAllowed,      // asked for by the user
  kFallback,     // an ENOSYS rule
};
std::string_view because_name(Because because);  // "evidence", ...

struct Reason {
  Because because;
  std::string text;
  bool operator==(const Reason&) const = default;
};

struct CallReasons {
  std::string syscall;
  std::vector<Reason> why;
  bool operator==(const CallReasons&) const = default;
};

// What the evidence needs and the profile does not allow.
struct LeftOut {
  std::string syscall;  // or an ABI ("x86")
  std::string value;    // argument values in words; empty: the whole call
  std::string why;
  std::string fix;  // "--allow unshare"; empty: there is none
  auto operator<=>(const LeftOut&) const = default;
};

struct Outcome {
  profile::Profile profile{profile::Profile::Parts{}};
  std::vector<CallReasons> reasons;  // for each name in the rules, sorted
  std::vector<LeftOut> left_out;     // sorted
  std::vector<std::string> enosys;   // names of ENOSYS rules, sorted
  std::vector<std::string> notes;    // what a reader should know, incomplete evidence included
};

// Pure: the same evidence, in whatever order its runs come, and the same options give the same
// outcome. Errors: kind input for options that contradict each other; kind bug when one of the
// proofs fails, with the call and the arguments.
Result<Outcome> generate(const evidence::Evidence& evidence, const Options& options);

// What stands for the base with `--base none`: everything but clone3, new namespaces through clone,
// and sockets of AF_ALG and AF_VSOCK, on all ABIs of the family.
profile::Profile no_base(syscalls::Arch native);

// How many calls of the ABI have an allowing rule (conditions or not). An allowing default: all.
std::size_t count_allowed(const profile::Profile& profile, syscalls::Arch arch);

}  // namespace whittle::generate
