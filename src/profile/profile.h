// A profile: an OCI `linux.seccomp` document (runtime-spec config-linux.md#seccomp) as an immutable
// value. Construct one with read_oci(), resolve_docker() or Profile(Parts).
//
//   TRY_ASSIGN(const Profile profile, read_oci(text, "nginx.profile.json"));
//   profile.rules()[0].args   // conditions of one rule are a conjunction; rules of a call a union
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "profile/verdict.h"
#include "syscalls/arch.h"

namespace whittle::profile {

enum class Operator : std::uint8_t { kNe, kLt, kLe, kEq, kGe, kGt, kMaskedEq };

std::string_view operator_name(Operator op);  // "SCMP_CMP_EQ"

// For kMaskedEq `value` is the mask and `value_two` what (argument & mask) must equal.
struct Condition {
  std::uint32_t index = 0;  // 0..5
  std::uint64_t value = 0;
  std::uint64_t value_two = 0;
  Operator op = Operator::kEq;
  auto operator<=>(const Condition&) const = default;
  // All comparisons are of unsigned 64-bit numbers.
  bool holds(std::uint64_t argument) const;
};

struct Rule {
  std::vector<std::string> names;
  Verdict verdict;  // errno and trace: data is the errno, 1 (EPERM) when the document gives none
  std::vector<Condition> args;  // all must hold
  bool operator==(const Rule&) const = default;
};

class Profile {
 public:
  struct Parts {
    Verdict default_verdict{Action::kErrno, 1};
    // As written; natives that a runtime adds are not. Architectures that whittle does not know
    // (SCMP_ARCH_S390X) are kept as they are.
    std::vector<std::string> architectures;  // OCI names
    std::vector<std::string> flags;
    // True for `"flags": []`: no flags at all. Without the key runtimes set SPEC_ALLOW.
    bool no_flags = false;
    std::string listener_path;
    std::string listener_metadata;
    std::vector<Rule> rules;
    bool operator==(const Parts&) const = default;
  };

  explicit Profile(Parts parts);

  const Parts& parts() const { return parts_; }
  const Verdict& default_verdict() const { return parts_.default_verdict; }
  const std::vector<Rule>& rules() const { return parts_.rules; }
  // Those of the listed architectures that whittle knows.
  const std::vector<syscalls::Arch>& arches() const { return arches_; }
  bool lists(syscalls::Arch arch) const;

  bool operator==(const Profile&) const = default;

 private:
  Parts parts_;
  std::vector<syscalls::Arch> arches_;  // of parts_
};

// Reads plain OCI JSON. Errors name line and JSON pointer. Docker-only keys that change the meaning
// (archMap, includes, excludes, name, errno) are errors here with a hint that says why: a runtime
// ignores them silently. `comment`, and such a key that says nothing (`"includes": {}`), are let
// pass. A name that no architecture has is kept; see unknown_names(). Limits: docs/profile.md.
Result<Profile> read_oci(std::string_view text, std::string_view place);

// Names in the rules that no Linux architecture has (a typo, or newer than our table), sorted.
std::vector<std::string> unknown_names(const Profile& profile);

// Sorted (architectures, rules, names), one rule group a line, the same bytes every time.
// Unconditional rules of one verdict are one group; a group over 100 columns has a line for each
// first letter, so that a new name changes one line. Ends with a newline. read_oci(write_oci(p))
// means the same as p, to documented_verdict() and to runtimes: a rule that is shadowed is kept,
// behind what shadows it.
std::string write_oci(const Profile& profile);

// The documented meaning (OCI spec, seccomp_rule_add(3)): rules of a call are a union, conditions
// of a rule a conjunction; among matching rules an unconditional one wins, then the first. `arch`
// must be listed or native of a listed one, else kill_thread (libseccomp's bad-architecture
// action); when none that whittle knows is listed, the host's native one counts, as runtimes add
// it. On ABIs that compare 32 bits (syscalls::compares_64_bits) arguments and values are cut to 32
// bits.
Verdict documented_verdict(const Profile& profile, syscalls::Arch arch, std::string_view name,
                           const std::array<std::uint64_t, 6>& args);

}  // namespace whittle::profile
