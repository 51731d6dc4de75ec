// Each call of a profile, or of evidence: what it is for, why it is allowed, what it opens, and
// what the base says to it. docs/explain.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "evidence/evidence.h"
#include "filter/compile.h"
#include "filter/decide.h"
#include "generate/generate.h"
#include "profile/profile.h"
#include "review/lint.h"
#include "syscalls/arch.h"
#include "syscalls/arguments.h"
#include "syscalls/purposes.h"

namespace whittle::review {

// What a filter answers to a call, over all argument values.
enum class Answer : std::uint8_t { kAllowed, kConditional, kRefused, kUntold };
std::string_view answer_name(Answer answer);  // "allowed", "conditional", "refused", "untold"

struct Verdict {
  Answer answer = Answer::kRefused;
  std::string text;  // "allow when (arg0 & CLONE_NEWUSER) == 0, else errno EPERM"
  std::vector<std::string> conditions;  // kConditional: the argument values that get through
  // kConditional: the same in the symbols of the call, "AF_INET, SOCK_STREAM, IPPROTO_TCP", bits
  // that do not matter in brackets. Empty when they can't all be written so.
  std::vector<std::string> values;
  std::string otherwise;  // with `conditions`: what is answered to the others, "errno EPERM"
};

// What all runs saw of a call on one ABI.
struct Seen {
  evidence::Observation total;  // of evidence::Evidence::syscalls()
  std::uint64_t needed = 0;     // calls that count as needed
  std::string first_run;        // the run of its first call; `first` is in its seconds
  double first = 0;
  std::vector<std::string> threads;   // names of threads that made it, sorted, as far as known
  std::vector<std::string> programs;  // what was started, or the images of containers, sorted
  std::vector<evidence::Refusal> refusals;
  std::vector<evidence::Stack> stacks;  // of the first call, then of the first with other values
  bool only_failed = false;             // it was made, and every call returned an error
};

// What an allowed call opens.
struct Exposure {
  enum class Kind : std::uint8_t { kSubsystem, kNotable, kDanger, kExploit };
  Kind kind = Kind::kSubsystem;
  std::string text;
  Severity severity = Severity::kNote;  // kDanger
  // kExploit: a step of it that this call is let through to make; `open` when the profile lets
  // through all steps that the exploit needs.
  std::string cve;
  std::string step;
  bool open = false;
};

struct Explanation {
  syscalls::Arch arch = syscalls::Arch::kX86_64;
  std::string syscall;
  std::uint32_t nr = 0;
  const syscalls::Purpose* purpose = nullptr;  // null: a number without a name
  Verdict verdict;                             // of the profile
  std::optional<Verdict> base;                 // nullopt: there is none for the family
  std::vector<generate::Reason> reasons;       // why it is allowed, or answered ENOSYS
  std::vector<generate::LeftOut> left_out;     // what the evidence needs of it and the base refuses
  std::optional<Seen> seen;                    // nullopt: no evidence, or none of this call
  // The evidence needs the call, and the profile refuses it whole.
  bool missing = false;
  // Observed argument values that the profile refuses: "AF_NETLINK, SOCK_RAW, NETLINK_ROUTE".
  std::vector<std::string> missing_values;
  std::vector<Exposure> exposes;  // none of a refused call
};

struct ExplainQuestion {
  // Null: the profile that `options` would make of the evidence.
  const profile::Profile* profile = nullptr;
  const evidence::Evidence* evidence = nullptr;  // null: none was given
  filter::Flavour flavour = filter::Flavour::kRunc;
  generate::Options options;  // base, runtimes; `arches` are those of the profile
  // Only these ABIs; empty: all that the profile covers.
  std::vector<syscalls::Arch> arches;
  std::string call;  // this one alone, whatever the profile says to it; empty: see explain()
};

// Without `call`: every call that some arguments get through with, that the profile names, or that
// the evidence has. In the order of the ABIs, then of the numbers. Errors: those of compile() and
// generate().
Result<std::vector<Explanation>> explain(const ExplainQuestion& question);

// What a decision says, in words.
Verdict verdict_of(const filter::Decision& decision, syscalls::Arch arch, std::string_view call);

// What the runs saw of a call. `total` is its entry of evidence.syscalls().
Seen seen_in(const evidence::Evidence& evidence, evidence::Observation total);
// The observed argument values of which the decision refuses every form, in words.
std::vector<std::string> refused_values(const evidence::Observation& observation,
                                        const filter::Decision& decision);

}  // namespace whittle::review
