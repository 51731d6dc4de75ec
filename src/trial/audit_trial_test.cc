#include "trial/audit_trial.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "filter/compile.h"
#include "syscalls/table.h"

namespace whittle::trial {
namespace {

using profile::Action;
using record::AuditAction;
using syscalls::Arch;
using Kind = AuditedCall::Kind;

constexpr profile::Verdict kAllow = {Action::kAllow, 0};
constexpr profile::Verdict kEnosys = {Action::kErrno, ENOSYS};
constexpr profile::Verdict kEacces = {Action::kErrno, EACCES};

profile::Profile sample() {
  profile::Profile::Parts parts;
  parts.architectures = {"SCMP_ARCH_X86_64"};
  parts.default_verdict = {Action::kErrno, EPERM};
  parts.rules = {{{"read", "write"}, kAllow, {}},
                 {{"clone3"}, kEnosys, {}},
                 {{"getppid"}, {Action::kKillProcess, 0}, {}},
                 {{"prctl"}, kEnosys, {{0, 1, 0, profile::Operator::kEq}}},
                 {{"prctl"}, kEacces, {{0, 2, 0, profile::Operator::kEq}}}};
  return profile::Profile(parts);
}

record::AuditRecord record_of(const char* call, AuditAction action) {
  record::AuditRecord record;
  record.audit_arch = syscalls::audit_arch(Arch::kX86_64);
  record.nr = *syscalls::number(Arch::kX86_64, call);
  record.action = action;
  return record;
}

TEST(AuditedCall, IsWhatTheProfileAnswers) {
  const profile::Profile profile = sample();
  const auto compiled = filter::compile(profile, filter::Flavour::kNative);
  ASSERT_TRUE(compiled);
  const auto said = [&](const char* call, AuditAction action, bool log) {
    return audited_call(record_of(call, action), compiled->program, profile, log);
  };
  EXPECT_EQ(said("mkdir", AuditAction::kErrno, false).kind, Kind::kDenial);
  EXPECT_EQ(said("mkdir", AuditAction::kErrno, false).verdict.data, EPERM);
  EXPECT_EQ(said("mkdir", AuditAction::kLog, true).verdict.data, EPERM);
  EXPECT_EQ(said("clone3", AuditAction::kErrno, false).kind, Kind::kFallback);
  EXPECT_EQ(said("clone3", AuditAction::kErrno, true).kind, Kind::kFallback);
  EXPECT_EQ(said("getppid", AuditAction::kKillProcess, false).kind, Kind::kDenial);
  EXPECT_EQ(said("getppid", AuditAction::kErrno, false).kind, Kind::kOtherFilter);
  EXPECT_EQ(said("read", AuditAction::kErrno, false).kind, Kind::kOtherFilter);
  EXPECT_EQ(said("mkdir", AuditAction::kLog, false).kind, Kind::kOtherFilter);
  // By its arguments one or the other: only in log mode the action tells.
  EXPECT_EQ(said("prctl", AuditAction::kErrno, false).kind, Kind::kUndecided);
  EXPECT_EQ(said("prctl", AuditAction::kErrno, true).kind, Kind::kFallback);
  EXPECT_EQ(said("prctl", AuditAction::kLog, true).kind, Kind::kDenial);
}

TEST(LoggingFilter, LetsThroughWhatItWouldRefuseButMeantRefusals) {
  const profile::Profile profile = sample();
  const auto compiled = filter::compile(profile, filter::Flavour::kNative);
  ASSERT_TRUE(compiled);
  const auto lenient = filter::compile(logging_profile(profile), filter::Flavour::kNative);
  ASSERT_TRUE(lenient);
  const filter::Program program = logging_program(compiled->program, false);
  for (std::uint32_t nr = 0; nr < 460; ++nr) {
    for (const std::uint64_t arg : {0, 1, 2}) {
      const seccomp_data data = filter::call(Arch::kX86_64, nr, {arg});
      const auto real = *filter::evaluate(compiled->program, data);
      const auto expected =
          real.allows() || real == kEnosys ? real : profile::Verdict{Action::kLog, 0};
      EXPECT_EQ(*filter::evaluate(program, data), expected) << nr;
      EXPECT_EQ(*filter::evaluate(lenient->program, data), expected) << nr;
    }
  }
  const profile::Profile flagged = flagged_profile(profile);
  EXPECT_EQ(flagged.parts().flags, (std::vector<std::string>{"SECCOMP_FILTER_FLAG_SPEC_ALLOW",
                                                             "SECCOMP_FILTER_FLAG_LOG"}));
}

}  // namespace
}  // namespace whittle::trial
