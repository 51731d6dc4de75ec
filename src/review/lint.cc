#include "review/lint.h"

#include <algorithm>
#include <array>

#include "profile/oci_reader.h"
#include "review/lint_subject.h"

namespace whittle::review {

namespace {

struct LintRule {
  std::string_view id;
  Severity severity;
  std::string_view summary;
  void (*check)(const LintSubject&, Report&);
};

// The one place where a rule is added. Its section in docs/lint.md and its two profiles in
// tests/lint go with it: lint_test.cc looks for them.
constexpr std::array kRules = {
    LintRule{"allow-by-default", Severity::kWarning,
             "calls that the profile does not name are allowed", check_allow_by_default},
    LintRule{"clone-flags", Severity::kWarning, "clone can make new namespaces", check_clone_flags},
    LintRule{"clone3-allowed", Severity::kWarning,
             "clone3, whose flags no filter can see, is allowed", check_clone3_allowed},
    LintRule{"compat-open", Severity::kWarning, "the 32-bit or x32 entry of the kernel is open",
             check_compat_open},
    LintRule{"compiler-loop", Severity::kError, "libseccomp never ends on these rules",
             check_compiler_loop},
    LintRule{"constant-condition", Severity::kWarning, "a condition that always or never holds",
             check_constant_condition},
    LintRule{"contradictory-rules", Severity::kError, "rules of one call that exclude each other",
             check_contradictory_rules},
    LintRule{"dangerous-call", Severity::kError,
             "a call that attacks use and workloads rarely need", check_dangerous_call},
    LintRule{"docker-only-key", Severity::kError,
             "a key that only Docker and Podman read: other runtimes pass over it silently",
             check_docker_only_key},
    LintRule{"equal-to-default", Severity::kError,
             "an exception with the default's action, which runtimes drop", check_equal_to_default},
    LintRule{"errno-fallback", Severity::kError,
             "an errno other than ENOSYS where C libraries fall back on ENOSYS only",
             check_errno_fallback},
    LintRule{"errno-zero", Severity::kWarning, "a refusal that looks like success",
             check_errno_zero},
    LintRule{"log-by-default", Severity::kWarning,
             "calls that the profile does not name are logged, not refused", check_log_by_default},
    LintRule{"looser-than-base", Severity::kError, "something is allowed that the base refuses",
             check_looser_than_base},
    LintRule{"miscompiled", Severity::kError,
             "libseccomp makes something else of the rules than they say", check_miscompiled},
    LintRule{"missing-architecture", Severity::kWarning,
             "an architecture is not listed, or not the one that counts",
             check_missing_architecture},
    LintRule{"missing-counterpart", Severity::kWarning,
             "an architecture lacks a call, and the one in its place is not allowed",
             check_missing_counterpart},
    LintRule{"missing-for-runtime", Severity::kError,
             "the runtime itself needs a call that is refused", check_missing_for_runtime},
    LintRule{"multiplexed-call", Severity::kWarning,
             "socketcall or ipc on x86 is a way around a rule", check_multiplexed_call},
    LintRule{"narrow-argument", Severity::kWarning,
             "64 bits are compared of an argument of which the kernel reads 32",
             check_narrow_argument},
    LintRule{"newer-than-libseccomp", Severity::kNote,
             "a name that many libseccomp releases in use do not know",
             check_newer_than_libseccomp},
    LintRule{"not-equal-twice", Severity::kError,
             "two \"not equal\" conditions, one of which always holds", check_not_equal_twice},
    LintRule{"notify-without-listener", Severity::kError,
             "calls are handed to a listener that is not named", check_notify_without_listener},
    LintRule{"or-conditions", Severity::kError,
             "a repeated argument makes all conditions of the rule alternatives",
             check_or_conditions},
    LintRule{"refused-by-runtime", Severity::kError, "a runtime refuses to load the profile",
             check_refused_by_runtime},
    LintRule{"shadowed-rule", Severity::kWarning, "a rule that has no effect", check_shadowed_rule},
    LintRule{"socket-families", Severity::kWarning,
             "socket opens families with a history of exploits", check_socket_families},
    LintRule{"unknown-name", Severity::kError, "a name that no Linux architecture has",
             check_unknown_name},
    LintRule{"wide-value", Severity::kWarning,
             "a value over 32 bits on an architecture that compares 32", check_wide_value},
};

// Rules about suppressions, which are no property of a profile: their findings come from
// suppressions.cc.
constexpr std::array kSuppressionRules = {
    LintRuleInfo{"suppression-expired", Severity::kWarning, "a suppression whose date has passed"},
    LintRuleInfo{"suppression-unused", Severity::kNote, "a suppression that suppresses nothing"},
};

constexpr std::array<std::string_view, 3> kSeverities = {"note", "warning", "error"};

}  // namespace

std::string_view severity_name(Severity severity) {
  return kSeverities[static_cast<std::size_t>(severity)];
}

std::optional<Severity> severity_from_name(std::string_view name) {
  const auto at = std::find(kSeverities.begin(), kSeverities.end(), name);
  if (at == kSeverities.end()) return std::nullopt;
  return static_cast<Severity>(at - kSeverities.begin());
}

const std::vector<LintRuleInfo>& lint_rules() {
  static const std::vector<LintRuleInfo> infos = [] {
    std::vector<LintRuleInfo> all(kSuppressionRules.begin(), kSuppressionRules.end());
    for (const LintRule& rule : kRules) all.push_back({rule.id, rule.severity, rule.summary});
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    return all;
  }();
  return infos;
}

Result<LintDocument> read_lint_document(std::string_view text, std::string_view file,
                                        const profile::Setting* setting) {
  TRY_ASSIGN(json::Value document, profile::parse_document(text, file));
  const bool docker = setting != nullptr;
  std::vector<std::size_t> origins;
  TRY_ASSIGN(profile::Profile profile,
             profile::read_document(document, file,
                                    docker ? profile::Dialect::kDocker : profile::Dialect::kIgnored,
                                    setting, &origins));
  return LintDocument{std::string(file), std::move(document), std::move(profile),
                      std::move(origins), docker};
}

std::vector<Finding> lint(const LintDocument& document, const LintSettings& settings) {
  const LintSubject subject(document, settings);
  std::vector<Finding> findings;
  for (const LintRule& rule : kRules) {
    Report report(subject, rule.id, findings);
    rule.check(subject, report);
  }
  std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) {
    return std::pair(a.line, -static_cast<int>(a.severity)) <
           std::pair(b.line, -static_cast<int>(b.severity));
  });
  return findings;
}

}  // namespace whittle::review
