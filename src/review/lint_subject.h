// What the rules of lint ask of a profile: its rules as a runtime hands them to libseccomp, what
// they answer, where they stand. The answers come from the rules themselves (generate/meaning.h),
// over all argument values; that libseccomp compiles them so is the affair of the rule
// `miscompiled`.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "filter/faithful.h"
#include "filter/handed.h"
#include "generate/meaning.h"
#include "review/lint.h"

namespace whittle::review {

// What became of the rules of a call that libseccomp may compile otherwise than they say
// (filter::compiled_as_written()).
struct Doubt {
  enum class Outcome : std::uint8_t {
    kNone,     // it compiles them well
    kDiffers,  // see `difference`
    kLoops,    // it never ends
    kRefused,  // it takes no such rules: see `message`
    kUntold,   // see `message`
  };
  std::string_view call;
  Outcome outcome = Outcome::kNone;
  std::optional<filter::Difference> difference;
  std::string message;
};

class LintSubject {
 public:
  // Both must outlive this.
  LintSubject(const LintDocument& document, const LintSettings& settings);

  const LintDocument& document() const { return document_; }
  const profile::Profile& profile() const { return document_.profile; }
  const LintSettings& settings() const { return settings_; }
  const filter::Handed& handed() const { return handed_; }
  bool is_runc() const { return settings_.runtime == filter::Flavour::kRunc; }

  // The native ABIs that are looked at, and all that the filter lets in on them: the listed ones
  // and the native ones that runtimes add.
  const std::vector<syscalls::Arch>& natives() const { return natives_; }
  const std::vector<syscalls::Arch>& covered() const { return covered_; }
  bool covers(syscalls::Arch arch) const;

  // What the rules of a call say on an ABI. Lives as long as this.
  const generate::Meaning& meaning(syscalls::Arch arch, std::string_view call) const;
  // Whether some argument vector gets through, on this ABI, or on any covered one that has the
  // call. True also when that takes too long to tell.
  bool can_allow(syscalls::Arch arch, std::string_view call) const;
  bool can_allow(std::string_view call) const;
  // Whether a vector with one of the bits of `mask` set in argument `index` gets through on an ABI.
  bool allows_bits(syscalls::Arch arch, std::string_view call, unsigned index,
                   std::uint64_t mask) const;
  // Whether a vector gets through whose argument `index` is `value` in the low 32 bits and 0 above.
  bool allows_value(syscalls::Arch arch, std::string_view call, unsigned index,
                    std::uint32_t value) const;
  // The verdict of a call that depends on no argument, runc's ENOSYS for numbers above the newest
  // named one included; nullopt when it does depend on them, or the ABI has no such call.
  std::optional<profile::Verdict> verdict(syscalls::Arch arch, std::string_view call) const;

  // The doubtful calls, compiled and compared when this is asked for first.
  const std::vector<Doubt>& doubts() const;

  // "/syscalls/3", "/syscalls/3/names/7", "/syscalls/3/args/0"; `rule` counts the profile's rules.
  std::string at_rule(std::size_t rule) const;
  std::string at_name(std::size_t rule, std::size_t name) const;
  std::string at_condition(std::size_t rule, std::size_t condition) const;
  // The place of the first rule that names the call; "/defaultAction" when none does.
  std::string at_call(std::string_view call) const;
  // The line of the value at a pointer, or of the nearest one that there is.
  std::uint32_t line(std::string_view pointer) const;

 private:
  const LintDocument& document_;
  const LintSettings& settings_;
  filter::Handed handed_;
  std::vector<syscalls::Arch> natives_;
  std::vector<syscalls::Arch> covered_;
  mutable std::map<std::pair<syscalls::Arch, std::string>, generate::Meaning> meanings_;
  mutable std::optional<std::vector<Doubt>> doubts_;
  std::vector<std::uint32_t> newest_;  // for each of covered_: the largest number that is named
};

// "a, b, c and 9 more"
std::string some_of(const std::vector<std::string>& names);
// "socket(AF_ALG, SOCK_STREAM, ...)", without the zeros at the end.
std::string call_text(std::string_view call, const filter::Arguments& args);

// Takes the findings of one rule.
class Report {
 public:
  Report(const LintSubject& subject, std::string_view rule, std::vector<Finding>& findings)
      : subject_(subject), rule_(rule), findings_(findings) {}

  void add(Severity severity, std::string pointer, std::vector<std::string> calls,
           std::string message, std::string fix);

 private:
  const LintSubject& subject_;
  std::string_view rule_;
  std::vector<Finding>& findings_;
};

// The rules, one function each, by the file that they stand in. The table is in lint.cc.
// lint_document.cc: how the document is written
void check_unknown_name(const LintSubject& subject, Report& report);
void check_newer_than_libseccomp(const LintSubject& subject, Report& report);
void check_docker_only_key(const LintSubject& subject, Report& report);
void check_missing_architecture(const LintSubject& subject, Report& report);
void check_missing_counterpart(const LintSubject& subject, Report& report);
// lint_conditions.cc: conditions that mean something else than they seem to
void check_or_conditions(const LintSubject& subject, Report& report);
void check_not_equal_twice(const LintSubject& subject, Report& report);
void check_shadowed_rule(const LintSubject& subject, Report& report);
void check_contradictory_rules(const LintSubject& subject, Report& report);
void check_equal_to_default(const LintSubject& subject, Report& report);
void check_constant_condition(const LintSubject& subject, Report& report);
void check_wide_value(const LintSubject& subject, Report& report);
void check_narrow_argument(const LintSubject& subject, Report& report);
// lint_calls.cc: what is left open
void check_compat_open(const LintSubject& subject, Report& report);
void check_multiplexed_call(const LintSubject& subject, Report& report);
void check_clone_flags(const LintSubject& subject, Report& report);
void check_clone3_allowed(const LintSubject& subject, Report& report);
void check_socket_families(const LintSubject& subject, Report& report);
void check_dangerous_call(const LintSubject& subject, Report& report);
void check_allow_by_default(const LintSubject& subject, Report& report);
void check_log_by_default(const LintSubject& subject, Report& report);
void check_looser_than_base(const LintSubject& subject, Report& report);
// lint_runtime.cc: what runtimes, libseccomp and C libraries make of it
void check_miscompiled(const LintSubject& subject, Report& report);
void check_compiler_loop(const LintSubject& subject, Report& report);
void check_refused_by_runtime(const LintSubject& subject, Report& report);
void check_missing_for_runtime(const LintSubject& subject, Report& report);
void check_notify_without_listener(const LintSubject& subject, Report& report);
void check_errno_fallback(const LintSubject& subject, Report& report);
void check_errno_zero(const LintSubject& subject, Report& report);

}  // namespace whittle::review
