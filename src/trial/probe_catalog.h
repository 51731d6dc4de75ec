// The attack steps that `whittle probe` tries, from data/probes.tsv, and the system calls that each
// of them makes, from probe_calls.inc. docs/probes.md shows them.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "filter/decide.h"
#include "filter/program.h"

namespace whittle::trial {

// The columns of data/probes.tsv, which says what they mean.
struct ProbeStep {
  std::string_view name;
  std::string_view tries;
  std::string_view technique;
  std::string_view source;
  std::string_view root;    // what is expected, as words of ProbeBy (probe.h) with "|" between:
  std::string_view nobody;  // without a filter as root, as another user,
  std::string_view docker;  // and under Docker's default profile and capabilities
};

// In the order of the report.
const std::vector<ProbeStep>& probe_steps();

// With which other arguments a call is the same attack.
enum class SameAttack {
  kAny,         // all
  kNamespaces,  // any flags with the one that was tried
  kFamily,      // sockets of the family
  kProtocol,    // sockets of the family and protocol
  kType,        // sockets of the family and type
  kOption,      // the option of setsockopt, of any socket
  kFlag1,       // the flag in argument 1, with any others
  kDevice,      // the kind of file in argument 2, of any mode
};

struct ProbeCall {
  std::string_view step;
  std::string_view capability;  // that the kernel asks for; empty: none
  std::string_view syscall;
  std::string_view label;
  SameAttack same;
  bool capability_later;  // the kernel asks when it has refused the arguments tried, not before
};

// As the program makes them: its call N is the one at N.
std::span<const ProbeCall> probe_calls();

// What a filter must refuse, all of it, to stop the attack that was tried with `args`; empty: the
// call whatever its arguments.
std::vector<filter::Requirement> same_attack(SameAttack same, const filter::Arguments& args);

}  // namespace whittle::trial
