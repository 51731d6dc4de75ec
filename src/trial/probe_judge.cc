#include "trial/probe_judge.h"

#include <algorithm>
#include <cerrno>

#include "base/errno_name.h"
#include "base/text.h"
#include "filter/decide.h"
#include "host/capabilities.h"
#include "trial/probe_catalog.h"
#include "trial/probe_marker.h"

namespace whittle::trial {

namespace {

using filter::Program;
using profile::Action;
using profile::Verdict;

bool kills(const Verdict& verdict) {
  return verdict.action == Action::kKillProcess || verdict.action == Action::kKillThread ||
         verdict.action == Action::kTrap;
}

// What a refused call returns, as an errno; notify and trace without a listener are ENOSYS
// (seccomp(2)). nullopt: it does not return.
std::optional<std::uint16_t> errno_of(const Verdict& verdict) {
  constexpr std::uint16_t kMaxErrno = 4095;  // include/linux/err.h
  if (kills(verdict)) return std::nullopt;
  return verdict.action == Action::kErrno ? std::min(verdict.data, kMaxErrno)
                                          : static_cast<std::uint16_t>(ENOSYS);
}

std::string outcome_text(std::int64_t result) {
  return result < 0 ? errno_name(static_cast<int>(-result)) : "success";
}

bool holds(std::uint64_t capabilities, std::string_view name) {
  const auto found = std::find(host::kCapabilities.begin(), host::kCapabilities.end(), name);
  if (found == host::kCapabilities.end()) return true;
  return (capabilities >> (found - host::kCapabilities.begin()) & 1U) != 0;
}

// Errors by which the kernel says that it does not do such a thing at all, here or for this user.
bool by_configuration(std::int64_t error) {
  return error == EPERM || error == EACCES || error == ENOSPC /* max_user_namespaces */ ||
         error == ENOPKG /* O_NOTIFICATION_PIPE */ || error == EAFNOSUPPORT ||
         error == EPROTONOSUPPORT;
}

// What the kernel answered to a call that the filter let through.
Judgement judge_kernel(std::int64_t result, const ProbeCall& call, std::uint64_t capabilities) {
  if (result >= 0) return {ProbeBy::kOpen, "succeeded"};
  const std::int64_t error = -result;
  const std::string name = outcome_text(result);
  if (error == ENOSYS) {
    return {ProbeBy::kKernel, name + " by the kernel, which lacks it: let through"};
  }
  const bool missing = !call.capability.empty() && !holds(capabilities, call.capability);
  if (missing && (error == EPERM || error == EACCES)) {
    return {ProbeBy::kCapability,
            format("{} by the kernel for want of {}: let through", name, call.capability)};
  }
  if (by_configuration(error)) {
    return {ProbeBy::kKernel, name + " by the kernel's configuration: let through"};
  }
  if (missing && call.capability_later) {
    return {ProbeBy::kCapability,
            format("{} by the kernel, which asks for {} next: let through", name, call.capability)};
  }
  return {ProbeBy::kOpen, name + " by the kernel: reached"};
}

// Arguments for the same attack that no filter refuses, as "unshare(0x30000000, ...)"; empty when
// there are none, which is so when one filter refuses the whole set.
std::string way_around(const Attempt& attempt, std::span<const Program> filters) {
  const ProbeCall& call = probe_calls()[attempt.call];
  const auto requirements = same_attack(call.same, attempt.args);
  std::string way;
  if (requirements.empty()) return way;
  for (const Program& program : filters) {
    const auto decision = filter::decide(program, attempt.arch, attempt.nr);
    const auto reachable = filter::allowed_with(decision, requirements);
    if (reachable.decided && !reachable.args) return {};
    if (!reachable.args) continue;
    const filter::Arguments& args = *reachable.args;
    way = format("{}({:#x}, {:#x}, {:#x}, ...)", call.syscall, args[0], args[1], args[2]);
  }
  return way;
}

// A call that the filter refuses; kOpen when the process was answered otherwise.
Judgement judge_refusal(const Attempt& attempt, const Verdict& verdict) {
  if (!attempt.result) {
    if (kills(verdict)) return {ProbeBy::kSeccomp, "SIGSYS by the filter"};
    return {ProbeBy::kSeccomp, format("{}; the filter answers {}", attempt.status.text(),
                                      profile::verdict_text(verdict))};
  }
  const auto expected = errno_of(verdict);
  if (expected && *attempt.result == -std::int64_t{*expected}) {
    return {ProbeBy::kSeccomp, outcome_text(*attempt.result) + " by the filter"};
  }
  return {ProbeBy::kOpen, format("{}, where the filter was to answer {}",
                                 outcome_text(*attempt.result), profile::verdict_text(verdict))};
}

// Whether the second run bears out that the filter refuses the call. A runtime's own refusals
// (runc's ENOSYS for numbers above the newest name) stay as they are.
Result<bool> borne_out(const Attempt& second, std::span<const Program> marked) {
  TRY_ASSIGN(const Verdict verdict,
             filter::evaluate_all(marked, filter::call(second.arch, second.nr, second.args)));
  if (verdict.allows()) return false;
  const auto expected = errno_of(verdict);
  return expected ? second.result == -std::int64_t{*expected} : !second.result.has_value();
}

}  // namespace

Result<Judgement> judge(const Attempt& attempt, const Attempt* second,
                        const JudgeSetting& setting) {
  Verdict verdict{Action::kAllow, 0};
  if (!setting.filters.empty()) {
    TRY_ASSIGN(verdict, filter::evaluate_all(setting.filters,
                                             filter::call(attempt.arch, attempt.nr, attempt.args)));
  }
  if (verdict.allows()) {
    // int 0x80 on a kernel without 32-bit support ends the program with SIGSEGV.
    if (!attempt.result) return Judgement{ProbeBy::kKernel, attempt.status.text()};
    return judge_kernel(*attempt.result, probe_calls()[attempt.call], setting.capabilities);
  }
  Judgement judgement = judge_refusal(attempt, verdict);
  if (judgement.by != ProbeBy::kSeccomp) return judgement;
  if (second != nullptr) {
    TRY_ASSIGN(const bool refused, borne_out(*second, setting.marked));
    if (!refused) {
      return Judgement{
          ProbeBy::kOpen,
          format("{}, but {} with every errno of the filter replaced", judgement.text,
                 second->result ? outcome_text(*second->result) : second->status.text())};
    }
  }
  const std::string way = way_around(attempt, setting.filters);
  if (!way.empty()) {
    return Judgement{ProbeBy::kOpen, judgement.text + ", but lets through " + way};
  }
  return judgement;
}

}  // namespace whittle::trial
