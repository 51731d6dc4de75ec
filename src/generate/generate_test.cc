#include "generate/generate.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "generate/evidence_for_test.h"
#include "profile/baseline.h"

namespace whittle::generate {
namespace {

using evidence::Evidence;
using syscalls::Arch;
using syscalls::Level;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Args = std::array<std::uint64_t, 6>;

Options options_for(const std::set<Arch>& arches = {Arch::kX86_64, Arch::kAarch64},
                    const std::string& base = "docker") {
  Options options;
  options.arches = arches;
  options.base_name = base;
  for (const Arch arch : arches) {
    if (base == "none") {
      options.base.emplace(arch, no_base(arch));
      continue;
    }
    profile::Setting setting;
    setting.arch = arch;
    auto resolved = profile::baseline(base, setting);
    EXPECT_TRUE(resolved) << resolved.error().text();
    options.base.emplace(arch, *std::move(resolved));
  }
  return options;
}

Outcome made(const Evidence& evidence, const Options& options = options_for()) {
  auto outcome = generate(evidence, options);
  EXPECT_TRUE(outcome) << outcome.error().text();
  return outcome ? *std::move(outcome) : Outcome{};
}

Outcome made(std::vector<evidence::Observation> observations,
             const Options& options = options_for()) {
  return made(evidence_of(std::move(observations)), options);
}

bool allows(const Outcome& outcome, Arch arch, const char* name, const Args& args = {}) {
  return documented_verdict(outcome.profile, arch, name, args).allows();
}
bool allows(const Outcome& outcome, const char* name, const Args& args = {}) {
  return allows(outcome, Arch::kX86_64, name, args);
}

std::vector<std::string> left_out(const Outcome& outcome) {
  std::vector<std::string> texts;
  for (const LeftOut& entry : outcome.left_out) {
    texts.push_back(entry.syscall + (entry.value.empty() ? "" : " " + entry.value));
  }
  return texts;
}

// --- which calls ---

TEST(Generate, AllowsWhatWasSeenAndTheFloorAndNothingElse) {
  const Outcome outcome = made({seen("read"), seen("lseek")});
  EXPECT_TRUE(allows(outcome, "lseek"));
  EXPECT_TRUE(allows(outcome, Arch::kAarch64, "lseek"));
  EXPECT_TRUE(allows(outcome, "capset"));  // the runtimes'
  EXPECT_FALSE(allows(outcome, "sendfile"));
  EXPECT_EQ(documented_verdict(outcome.profile, Arch::kX86_64, "sendfile", Args{}),
            (profile::Verdict{profile::Action::kErrno, 1}));
  EXPECT_THAT(outcome.left_out, IsEmpty());
  EXPECT_THAT(outcome.profile.parts().architectures,
              ElementsAre("SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"));
}

TEST(Generate, FloorFollowsTheRuntimesAndHeadroom) {
  Options options = options_for();
  options.runtimes = {};
  options.headroom = Headroom::kNone;
  const Outcome outcome = made({seen("read")}, options);
  EXPECT_FALSE(allows(outcome, "capset"));
  EXPECT_FALSE(allows(outcome, "clock_gettime"));
  EXPECT_TRUE(allows(outcome, "restart_syscall"));
  EXPECT_TRUE(allows(outcome, "rt_sigreturn"));
}

TEST(Generate, RefusedCallsAreNotNeeded) {
  evidence::Observation refused = seen("lseek");
  refused.refused = refused.count;
  EXPECT_FALSE(allows(made({seen("read"), refused}), "lseek"));
}

TEST(Generate, CallsThatOnlyGaveEnosysKeepGivingIt) {
  const Outcome outcome = made({seen("read"), never_there("cachestat")});
  EXPECT_EQ(documented_verdict(outcome.profile, Arch::kX86_64, "cachestat", Args{}),
            (profile::Verdict{profile::Action::kErrno, 38}));
  EXPECT_THAT(outcome.enosys, ElementsAre("cachestat", "clone3"));
}

TEST(Generate, EnosysElsewhereDoesNotTakeANeededCall) {
  Evidence evidence = evidence_of({seen("statx")});
  evidence.runs.push_back(run_of({never_there("statx")}, "fedcba9876543210"));
  EXPECT_TRUE(allows(made(evidence), "statx"));
}

TEST(Generate, ACallWithoutANameIsLeftOut) {
  evidence::Observation unknown = seen("syscall_1023");
  unknown.nr = 1023;
  EXPECT_THAT(left_out(made({seen("read"), unknown})), ElementsAre("syscall_1023"));
}

// --- the base ---

TEST(Generate, NeverGoesBeyondTheBase) {
  const Outcome outcome = made({seen("read"), seen("unshare", {{0x10000000}}), seen("mount")});
  EXPECT_FALSE(allows(outcome, "unshare", {0x10000000}));
  EXPECT_FALSE(allows(outcome, "mount"));
  EXPECT_THAT(left_out(outcome), ElementsAre("mount", "unshare CLONE_NEWUSER"));
  EXPECT_EQ(outcome.left_out[0].fix, "--allow mount");
}

TEST(Generate, AllowAdmitsTheObservedValuesOnly) {
  Options options = options_for();
  options.allow = {"unshare"};
  const Outcome outcome = made({seen("read"), seen("unshare", {{0x10000000}})}, options);
  EXPECT_THAT(outcome.left_out, IsEmpty());
  EXPECT_TRUE(allows(outcome, "unshare", {0x10000000}));
  EXPECT_FALSE(allows(outcome, "unshare", {0x20000000}));
}

TEST(Generate, AllowOfWhatTheEvidenceLacksIsTheWholeCall) {
  Options options = options_for();
  options.allow = {"mount"};
  EXPECT_TRUE(allows(made({seen("read")}, options), "mount"));
}

TEST(Generate, ObservedPersonalityMeetsTheBase) {
  const Outcome outcome = made({seen("personality", {{0xffffffff}, {0x40000}})});
  EXPECT_TRUE(allows(outcome, "personality", {0xffffffff}));
  EXPECT_FALSE(allows(outcome, "personality", {0}));
  EXPECT_FALSE(allows(outcome, "personality", {0x40000}));
  EXPECT_FALSE(allows(outcome, "personality", {0x1ffffffffULL}));
  EXPECT_THAT(left_out(outcome), ElementsAre(HasSubstr("personality")));
}

TEST(Generate, BaseConditionsStayAtTheBaseLevel) {
  Options options = options_for();
  options.arguments = Level::kBase;
  const Outcome outcome = made(
      {seen("clone", {{17}}), seen("socket", {{2, 1, 0}}), seen("setsockopt", {{6, 1}})}, options);
  EXPECT_TRUE(allows(outcome, "clone", {0x3d0f00}));
  EXPECT_FALSE(allows(outcome, "clone", {0x10000011}));
  EXPECT_TRUE(allows(outcome, "socket", {16, 3, 9}));
  EXPECT_FALSE(allows(outcome, "socket", {38, 5, 0}));
  EXPECT_TRUE(allows(outcome, "setsockopt", {3, 1, 25}));
}

TEST(Generate, RefusedValuesAreListedAtTheBaseLevelToo) {
  Options options = options_for();
  options.arguments = Level::kBase;
  EXPECT_THAT(left_out(made({seen("clone", {{17}, {0x10000011}})}, options)),
              ElementsAre("clone CLONE_NEWUSER|SIGCHLD"));
}

TEST(Generate, WithoutABaseTheDangerousValuesStillNeedAsking) {
  Options options = options_for({Arch::kX86_64}, "none");
  const std::vector<evidence::Observation> observations = {
      seen("mount"), seen("clone", {{17}, {0x10000011}}), seen("socket", {{38, 5, 0}, {1, 1, 0}})};
  const Outcome outcome = made(observations, options);
  EXPECT_TRUE(allows(outcome, "mount"));
  EXPECT_TRUE(allows(outcome, "clone", {17}));
  EXPECT_FALSE(allows(outcome, "clone", {0x10000011}));
  EXPECT_FALSE(allows(outcome, "socket", {38, 5, 0}));
  EXPECT_THAT(left_out(outcome), ElementsAre(HasSubstr("clone"), HasSubstr("AF_ALG")));
  options.arguments = Level::kBase;
  EXPECT_FALSE(allows(made(observations, options), "socket", {38, 5, 0}));
  options.allow = {"clone", "socket"};
  const Outcome all = made(observations, options);
  EXPECT_TRUE(allows(all, "clone", {0x10000011}));
  EXPECT_TRUE(allows(all, "socket", {38, 5, 0}));
  EXPECT_FALSE(allows(all, "socket", {2, 1, 0}));
}

TEST(Generate, EveryBaselineRuntimeWorksAtEveryLevel) {
  for (const char* base : {"docker", "containerd", "podman", "cri-o"}) {
    for (const Level level : {Level::kBase, Level::kSafe, Level::kAll}) {
      Options options = options_for({Arch::kX86_64, Arch::kAarch64}, base);
      options.arguments = level;
      const Outcome outcome =
          made({seen("socket", {{2, 1, 0}, {1, 1, 0}}), seen("clone", {{17}}),
                seen("personality", {{0xffffffff}}), seen("prctl", {{15}}), seen("clone3", {{17}})},
               options);
      EXPECT_THAT(outcome.left_out, IsEmpty()) << base;
      EXPECT_TRUE(allows(outcome, "socket", {2, 1, 6})) << base;
      EXPECT_FALSE(allows(outcome, "socket", {40, 1, 0})) << base;
    }
  }
}

// --- arguments ---

TEST(Generate, SocketFamiliesTypesAndProtocols) {
  const Outcome outcome = made({seen("socket", {{2, 1 | 0x80000, 6}, {1, 2, 0}})});
  for (const std::uint64_t family : {2, 10}) {
    for (const std::uint64_t protocol : {0, 6}) {
      EXPECT_TRUE(allows(outcome, "socket", {family, 1, protocol}));
      EXPECT_TRUE(allows(outcome, "socket", {family, 1 | 0x80800, protocol}));
    }
    EXPECT_FALSE(allows(outcome, "socket", {family, 1, 262}));  // MPTCP
    EXPECT_FALSE(allows(outcome, "socket", {family, 2, 0}));    // UDP
    EXPECT_FALSE(allows(outcome, "socket", {family, 3, 1}));    // raw ICMP
  }
  EXPECT_TRUE(allows(outcome, "socket", {1, 2 | 0x800, 0}));
  EXPECT_FALSE(allows(outcome, "socket", {1, 1, 0}));
  EXPECT_FALSE(allows(outcome, "socket", {16, 3, 0}));
  // What callers leave above the 32 bits of an int does not matter to the kernel.
  EXPECT_TRUE(allows(outcome, "socket", {2 | (7ULL << 32U), 1, 0}));
}

TEST(Generate, RiskySocketsNeedAsking) {
  const Tuples values = {{16, 3, 0}, {16, 3, 9}, {17, 3, 768}, {38, 5, 0}, {40, 1, 0}, {1, 1, 0}};
  const Outcome outcome = made({seen("socket", values)});
  EXPECT_TRUE(allows(outcome, "socket", {16, 3 | 0x80000, 0}));  // NETLINK_ROUTE
  EXPECT_FALSE(allows(outcome, "socket", {16, 2, 0}));
  EXPECT_EQ(outcome.left_out.size(), 4U);
  for (const auto& value : {Args{16, 3, 9}, Args{17, 3, 768}, Args{38, 5, 0}, Args{40, 1, 0}}) {
    EXPECT_FALSE(allows(outcome, "socket", value));
  }
  Options options = options_for();
  options.allow = {"socket"};
  const Outcome all = made({seen("socket", values)}, options);
  EXPECT_THAT(all.left_out, IsEmpty());
  EXPECT_TRUE(allows(all, "socket", {16, 3, 9}));
  EXPECT_TRUE(allows(all, "socket", {40, 1, 0}));
}

TEST(Generate, SocketOptionsAndTheirSiblings) {
  const Outcome outcome = made({seen("setsockopt", {{6, 1}, {41, 26}})});  // TCP_NODELAY, V6ONLY
  EXPECT_TRUE(allows(outcome, "setsockopt", {9, 6, 3}));                   // TCP_CORK
  EXPECT_TRUE(allows(outcome, "setsockopt", {9, 41, 67}));                 // IPV6_TCLASS
  EXPECT_FALSE(allows(outcome, "setsockopt", {9, 6, 31}));                 // TCP_ULP
  EXPECT_FALSE(allows(outcome, "setsockopt", {9, 1, 2}));   // SO_REUSEADDR: no option of its level
  EXPECT_FALSE(allows(outcome, "setsockopt", {9, 0, 35}));  // IP_ADD_MEMBERSHIP
  Options options = options_for();
  options.headroom = Headroom::kNone;
  const Outcome bare = made({seen("setsockopt", {{6, 1}})}, options);
  EXPECT_TRUE(allows(bare, "setsockopt", {9, 6, 1}));
  EXPECT_FALSE(allows(bare, "setsockopt", {9, 6, 3}));
}

TEST(Generate, CloneByFlags) {
  const Outcome outcome = made({seen("clone", {{0x1200011}})});  // glibc's fork
  EXPECT_TRUE(allows(outcome, "clone", {17}));
  EXPECT_TRUE(allows(outcome, "clone", {0x1200011}));
  EXPECT_TRUE(allows(outcome, Arch::kAarch64, "clone", {17}));
  EXPECT_FALSE(allows(outcome, "clone", {0x3d0f00}));
  EXPECT_FALSE(allows(outcome, "clone", {0x10000011}));
}

TEST(Generate, Clone3CountsAsClone) {
  const Outcome outcome = made({seen("clone3", {{0x3d0f00}, {0x100004111ULL}})});
  EXPECT_TRUE(allows(outcome, "clone", {0x3d0f00}));
  EXPECT_EQ(documented_verdict(outcome.profile, Arch::kX86_64, "clone3", Args{}),
            (profile::Verdict{profile::Action::kErrno, 38}));
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("CLONE_CLEAR_SIGHAND")));
  EXPECT_FALSE(allows(made({seen("read"), never_there("clone3")}), "clone", {0x3d0f00}));
}

TEST(Generate, OpenSetsStayAtTheBaseLevel) {
  evidence::Observation many = seen("socket", {{2, 1, 0}});
  many.tuples[0].closed = false;
  const Outcome outcome = made({many, seen("clone")});  // clone: no values kept at all
  EXPECT_TRUE(allows(outcome, "socket", {16, 2, 4}));
  EXPECT_FALSE(allows(outcome, "socket", {38, 5, 0}));
  EXPECT_TRUE(allows(outcome, "clone", {17}));
  EXPECT_FALSE(allows(outcome, "clone", {0x10000000}));
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("socket: not all argument values")));
}

TEST(Generate, OneRunWithoutValuesOpensTheCall) {
  Evidence evidence = evidence_of({seen("setsockopt", {{6, 1}})});
  evidence.runs.push_back(run_of({seen("setsockopt")}, "fedcba9876543210"));
  EXPECT_TRUE(allows(made(evidence), "setsockopt", {3, 1, 25}));
}

TEST(Generate, PrctlOnlyAtTheHighestLevelAndNeverBelowTheFloor) {
  Options options = options_for();
  EXPECT_TRUE(allows(made({seen("prctl", {{15}})}, options), "prctl", {1}));
  options.arguments = Level::kAll;
  EXPECT_TRUE(
      allows(made({seen("prctl", {{15}})}, options), "prctl", {1}));  // the runtimes call it
  options.runtimes = {};
  options.arches = {Arch::kX86_64};
  const Outcome narrow = made({seen("prctl", {{15}})}, options);
  EXPECT_TRUE(allows(narrow, "prctl", {15}));
  EXPECT_FALSE(allows(narrow, "prctl", {1}));
}

TEST(Generate, ValuesThatDifferByArchitectureAreLeftToTheBaseForBoth) {
  Options options = options_for();
  options.arguments = Level::kAll;
  options.runtimes = {};
  const std::vector<evidence::Observation> observations = {seen("ioctl", {{0x5401}}),
                                                           seen("ptrace", {{0}})};
  const Outcome both = made(observations, options);
  EXPECT_TRUE(allows(both, "ioctl", {0, 0x5412}));
  EXPECT_THAT(both.notes, Contains(HasSubstr("ioctl, ptrace: values differ by architecture")));
  options.arches = {Arch::kX86_64};
  const Outcome one = made(observations, options);
  EXPECT_TRUE(allows(one, "ioctl", {0, 0x5401}));
  EXPECT_TRUE(allows(one, "ioctl", {0, 0xffffffff'00005401}));  // the kernel looks at 32 bits
  EXPECT_TRUE(allows(one, "ioctl", {0, 0x541b}));               // a harmless sibling
  EXPECT_FALSE(allows(one, "ioctl", {0, 0x5412}));              // TIOCSTI
  EXPECT_TRUE(allows(one, "ptrace", {0}));
  EXPECT_FALSE(allows(one, "ptrace", {16}));
}

TEST(Generate, MemoryProtectionsAreRulesByWriteAndExecute) {
  Options options = options_for();
  options.arguments = Level::kAll;
  options.runtimes = {};
  options.arches = {Arch::kX86_64};
  const Outcome plain = made({seen("mmap", {{1}, {3}}), seen("mprotect", {{1}})}, options);
  EXPECT_TRUE(allows(plain, "mmap", {0, 0, 5, 2}));       // a library that is loaded later
  EXPECT_TRUE(allows(plain, "mmap", {0, 0, 3, 0x4022}));  // flags are only recorded
  EXPECT_FALSE(allows(plain, "mmap", {0, 0, 7, 0x22}));
  EXPECT_TRUE(allows(plain, "mprotect", {0, 0, 0}));
  EXPECT_FALSE(allows(plain, "mprotect", {0, 0, 5}));
  EXPECT_TRUE(allows(made({seen("mmap", {{7}})}, options), "mmap", {0, 0, 7, 0x22}));
  options.arguments = Level::kSafe;
  EXPECT_TRUE(allows(made({seen("mmap", {{1}})}, options), "mmap", {0, 0, 7, 0x22}));
}

TEST(Generate, RecordedOnlyIsNeverARule) {
  Options options = options_for();
  options.arguments = Level::kAll;
  options.runtimes = {};
  EXPECT_TRUE(allows(made({seen("mremap", {{1}})}, options), "mremap", {0, 0, 0, 4}));
}

TEST(Generate, AllowAdmitsObservedValuesAndTightensNothing) {
  Options options = options_for();
  options.runtimes = {};
  options.allow = {"mount", "kill"};
  const Outcome outcome = made({seen("mount", {{0x1000}}), seen("kill", {{0}})}, options);
  EXPECT_TRUE(allows(outcome, "mount", {0, 0, 0, 0x1000}));
  EXPECT_FALSE(allows(outcome, "mount", {0, 0, 0, 0x2000}));
  EXPECT_TRUE(allows(outcome, "kill", {1, 9}));  // the base allows it whole
}

// --- architectures ---

TEST(Generate, X86EvidenceBringsArmCounterparts) {
  const Outcome outcome = made({seen("open"), seen("fork"), seen("vfork"), seen("epoll_wait")});
  EXPECT_TRUE(allows(outcome, Arch::kAarch64, "openat"));
  EXPECT_TRUE(allows(outcome, Arch::kAarch64, "epoll_pwait"));
  EXPECT_TRUE(allows(outcome, Arch::kAarch64, "clone", {17}));
  EXPECT_TRUE(allows(outcome, Arch::kAarch64, "clone", {0x4111}));
  EXPECT_FALSE(allows(outcome, Arch::kAarch64, "clone", {0x3d0f00}));
  const Outcome alone = made({seen("fork")}, options_for({Arch::kX86_64}));
  EXPECT_FALSE(allows(alone, "clone", {17}));
}

TEST(Generate, PipesNeverNotifyUnlessSeenTo) {
  constexpr std::uint64_t kNotification = 0x80;
  const Outcome outcome = made({seen("pipe"), seen("pipe2", {{O_CLOEXEC}})});
  for (const Arch arch : {Arch::kX86_64, Arch::kAarch64}) {
    EXPECT_TRUE(allows(outcome, arch, "pipe2", {0, 0}));
    EXPECT_TRUE(allows(outcome, arch, "pipe2", {0, O_NONBLOCK}));
    EXPECT_TRUE(allows(outcome, arch, "pipe2", {0, 0x4000}));   // O_DIRECT of x86
    EXPECT_TRUE(allows(outcome, arch, "pipe2", {0, 0x10000}));  // of arm64
    EXPECT_TRUE(allows(outcome, arch, "pipe2", {0, 0xdeadbeef'00080000}));
    EXPECT_FALSE(allows(outcome, arch, "pipe2", {0, kNotification}));
    EXPECT_FALSE(allows(outcome, arch, "pipe2", {0, O_CLOEXEC | kNotification}));
    EXPECT_FALSE(allows(outcome, arch, "pipe2", {0, 0xdeadbeef'00000080}));
  }
  // aarch64 has no pipe: its pipe2 comes with no flags.
  const Outcome plain = made({seen("pipe")});
  EXPECT_TRUE(allows(plain, Arch::kAarch64, "pipe2", {0, 0}));
  EXPECT_FALSE(allows(plain, Arch::kAarch64, "pipe2", {0, kNotification}));
  const Outcome notified = made({seen("pipe2", {{kNotification}})});
  EXPECT_TRUE(allows(notified, "pipe2", {0, O_CLOEXEC | kNotification}));
  EXPECT_FALSE(allows(notified, "pipe2", {0, 0}));
  Options base = options_for();
  base.arguments = Level::kBase;
  EXPECT_TRUE(allows(made({seen("pipe2", {{O_CLOEXEC}})}, base), "pipe2", {0, kNotification}));
  // Evidence that kept none of its flags leaves them open.
  EXPECT_TRUE(allows(made({seen("pipe2")}), "pipe2", {0, kNotification}));
}

TEST(Generate, ArmEvidenceBringsLegacyCalls) {
  Evidence evidence;
  evidence.runs.push_back(
      run_of({seen_on(Arch::kAarch64, "openat"), seen_on(Arch::kAarch64, "clone", {{0x1200011}})},
             "0123456789abcdef", Arch::kAarch64));
  const Outcome outcome = made(evidence);
  EXPECT_TRUE(allows(outcome, "open"));
  EXPECT_TRUE(allows(outcome, "openat"));
  EXPECT_TRUE(allows(outcome, "fork"));
  EXPECT_FALSE(allows(outcome, "vfork"));
  EXPECT_TRUE(allows(outcome, Arch::kAarch64, "clone", {17}));
}

TEST(Generate, OldEntryPointsAreClosedUnlessSeenToWork) {
  EXPECT_FALSE(made({seen("read")}).profile.lists(Arch::kX86));
  evidence::Observation refused = seen_on(Arch::kX86, "read");
  refused.refused = refused.count;
  EXPECT_FALSE(made({seen("read"), refused}).profile.lists(Arch::kX86));
  const Outcome outcome = made({seen("read"), seen_on(Arch::kX86, "mmap2")});
  EXPECT_TRUE(outcome.profile.lists(Arch::kX86));
  EXPECT_FALSE(outcome.profile.lists(Arch::kX32));
  EXPECT_FALSE(outcome.profile.lists(Arch::kArm));
  EXPECT_TRUE(allows(outcome, Arch::kX86, "mmap2"));
  // What libseccomp adds for recvfrom, which the runtimes need, is said.
  EXPECT_TRUE(allows(outcome, Arch::kX86, "socketcall", {12}));
  EXPECT_FALSE(allows(outcome, Arch::kX86, "socketcall", {1}));
}

TEST(Generate, AnAbiThatTheBaseLacksIsLeftOut) {
  Options options = options_for({Arch::kX86_64});
  profile::Profile::Parts parts = options.base.at(Arch::kX86_64).parts();
  parts.architectures = {"SCMP_ARCH_X86_64"};
  options.base.insert_or_assign(Arch::kX86_64, profile::Profile(parts));
  const Outcome outcome = made({seen("read"), seen_on(Arch::kX86, "mmap2")}, options);
  EXPECT_THAT(left_out(outcome), ElementsAre("x86"));
  EXPECT_FALSE(outcome.profile.lists(Arch::kX86));
}

TEST(Generate, SocketRulesHoldOnX86Too) {
  const Outcome outcome =
      made({seen("socket", {{2, 1, 0}}), seen_on(Arch::kX86, "socket", {{1, 1, 0}}),
            seen_on(Arch::kX86, "socketcall")});
  EXPECT_TRUE(allows(outcome, Arch::kX86, "socket", {1, 1, 0}));
  EXPECT_FALSE(allows(outcome, Arch::kX86, "socket", {38, 5, 0}));
}

TEST(Generate, RefusalsOfTheBaseReachX86) {
  Options options = options_for({Arch::kX86_64}, "podman");
  options.arguments = Level::kBase;
  const Outcome outcome = made({seen("socket", {{2, 1, 0}}), seen_on(Arch::kX86, "read")}, options);
  EXPECT_TRUE(allows(outcome, Arch::kX86, "socketcall", {1}));
  EXPECT_FALSE(allows(outcome, Arch::kX86, "socket", {40, 1, 0}));
}

// --- the rest ---

TEST(Generate, ReasonsNameTheEvidence) {
  const Outcome outcome = made({seen("lseek"), seen("close")});
  const auto reasons = [&outcome](const std::string& name) {
    for (const CallReasons& entry : outcome.reasons) {
      if (entry.syscall == name) return entry.why;
    }
    return std::vector<Reason>{};
  };
  EXPECT_THAT(reasons("lseek"),
              ElementsAre(Reason{Because::kEvidence,
                                 "seen 3 times on x86_64 (startup), first 0.250 s into run "
                                 "0123456789ab"}));
  EXPECT_THAT(reasons("close"), Contains(Reason{Because::kFloor, "rule floor of crun and runc"}));
  EXPECT_THAT(reasons("clone3"), Not(IsEmpty()));
}

TEST(Generate, EveryNameInTheRulesHasAReason) {
  const Outcome outcome =
      made({seen("open"), seen("socket", {{2, 1, 0}}), never_there("cachestat")});
  std::set<std::string> reasoned;
  for (const CallReasons& entry : outcome.reasons) reasoned.insert(entry.syscall);
  std::set<std::string> named;
  for (const profile::Rule& rule : outcome.profile.rules()) {
    named.insert(rule.names.begin(), rule.names.end());
  }
  EXPECT_EQ(reasoned, named);
}

TEST(Generate, IsTheSameWhateverTheOrderOfTheRuns) {
  Evidence evidence = evidence_of({seen("socket", {{2, 1, 0}}), seen("lseek")});
  evidence.runs.push_back(run_of({seen("socket", {{1, 1, 0}}), seen("open")}, "fedcba9876543210"));
  evidence.runs.push_back(run_of({seen("clone", {{17}})}, "00000000000000aa"));
  const Outcome first = made(evidence);
  for (int i = 0; i < 3; ++i) {
    std::rotate(evidence.runs.begin(), evidence.runs.begin() + 1, evidence.runs.end());
    const Outcome again = made(evidence);
    EXPECT_EQ(profile::write_oci(again.profile), profile::write_oci(first.profile));
    EXPECT_EQ(again.reasons, first.reasons);
    EXPECT_EQ(again.notes, first.notes);
  }
}

TEST(Generate, IncompleteAndPerturbedEvidenceIsNoted) {
  Evidence evidence = evidence_of({seen("read")});
  evidence.runs[0].complete = false;
  evidence.runs[0].timing = "perturbed";
  const Outcome outcome = made(evidence);
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("incomplete")));
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("perturbed")));
}

TEST(Generate, DefaultAndFlagsAreAsAsked) {
  Options options = options_for();
  options.default_verdict = {profile::Action::kKillProcess, 0};
  options.log_denials = true;
  const Outcome outcome = made({seen("read"), seen("socket", {{2, 1, 0}})}, options);
  EXPECT_EQ(outcome.profile.default_verdict().action, profile::Action::kKillProcess);
  EXPECT_THAT(outcome.profile.parts().flags, Contains("SECCOMP_FILTER_FLAG_LOG"));
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("runc before 1.2")));
  options.default_verdict = {profile::Action::kLog, 0};
  EXPECT_THAT(made({seen("read")}, options).notes, Contains(HasSubstr("refuses nothing")));
}

TEST(Generate, RefusesOptionsThatMakeNoSense) {
  const auto hint_of = [](const Options& options) {
    const auto outcome = generate(evidence_of({seen("read")}), options);
    return outcome ? std::string("no error") : outcome.error().hint;
  };
  Options options = options_for();
  options.allow = {"unshar"};
  EXPECT_THAT(hint_of(options), HasSubstr("unshare"));
  options.allow = {"clone3"};
  EXPECT_THAT(hint_of(options), HasSubstr("ENOSYS"));
  options = options_for();
  options.runtimes = {"rkt"};
  EXPECT_THAT(hint_of(options), HasSubstr("runc"));
}

}  // namespace
}  // namespace whittle::generate
