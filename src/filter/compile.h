// From a profile to the program that a runtime would load, by the libseccomp that is chosen
// (library.h): that of whittle, if no other.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "filter/program.h"
#include "profile/profile.h"

namespace whittle::filter {

// How rules reach libseccomp.
//  kNative: as documented; conditions of a rule are ANDed. What `verify --runtime none` loads.
//  kRunc:   as runc 1.1 does: a repeated index makes all conditions of the rule an OR, rules equal
//  to
//           the default are dropped, unknown names are skipped, an ENOSYS stub for numbers above
//           the newest name stands in front (docs/runtimes.md).
//  kCrun:   as crun does: the same without the stub.
enum class Flavour { kNative, kRunc, kCrun };

struct Compiled {
  Program program;
  std::vector<std::string> skipped;  // names that this libseccomp does not know, sorted
  // Of a release that is not at hand: calls of which it may make something else, sorted.
  std::vector<std::string> untold;
};

// The native ABI of the machine that the profile is for, which every runtime adds to what is
// listed: that of this machine when the profile lists an ABI of its family or none at all, else
// that of the first that is listed.
syscalls::Arch native_arch(const profile::Profile& profile);

// The ABIs that the program lets in: the listed ones and the native one, in the order of
// syscalls::kAllArches.
std::vector<syscalls::Arch> covered_arches(const profile::Profile& profile);

// Runs libseccomp in a child process with a limit, because some legal rule sets make it loop for
// ever: that is an error with the limit's name, never a hang.
Result<Compiled> compile(const profile::Profile& profile, Flavour flavour);
// Whether an error of compile() is that one.
bool compiler_looped(const Error& error);

// For each profile what compile() says of it, but without the program: the skipped names, or why it
// does not compile. One child works for as many as it can, which costs far less than one for each.
std::vector<Result<std::vector<std::string>>> check_compiles(
    std::span<const profile::Profile* const> profiles, Flavour flavour);

// The same in two steps, for several profiles at a time: the child works from start() on.
// Move-only; a child that nobody waited for is ended.
class Compilation {
 public:
  static Result<Compilation> start(const profile::Profile& profile, Flavour flavour);
  // Waits for the child's answer, not for its end. REQUIRES: not called before.
  Result<Compiled> finish();

  Compilation(Compilation&& other) noexcept;
  Compilation& operator=(Compilation&& other) noexcept;
  Compilation(const Compilation&) = delete;
  Compilation& operator=(const Compilation&) = delete;
  ~Compilation();

 private:
  Compilation(UniqueFd program, UniqueFd report, pid_t child)
      : program_(std::move(program)), report_(std::move(report)), child_(child) {}
  int wait();

  UniqueFd program_;  // what the child makes
  UniqueFd report_;   // what it says
  pid_t child_;       // 0: waited for
  std::vector<std::string> untold_;
};

}  // namespace whittle::filter
