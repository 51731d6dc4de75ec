#include "profile/baseline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace whittle::profile {
namespace {

using syscalls::Arch;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Verdict kAllow{Action::kAllow, 0};
constexpr Verdict kEperm{Action::kErrno, 1};
constexpr Verdict kEnosys{Action::kErrno, 38};
constexpr std::uint64_t kCloneNewUser = 0x10000000;

Profile resolved(std::string_view id, const Setting& setting = {}) {
  auto profile = baseline(id, setting);
  EXPECT_TRUE(profile.has_value()) << (profile ? "" : profile.error().text());
  return profile ? *profile : Profile(Profile::Parts{});
}

Verdict ask(const Profile& profile, std::string_view call, std::uint64_t arg0 = 0,
            Arch arch = Arch::kX86_64) {
  return documented_verdict(profile, arch, call, {arg0, 0, 0, 0, 0, 0});
}

Setting with_admin() {
  Setting setting;
  setting.caps = docker_default_caps();
  setting.caps->insert("CAP_SYS_ADMIN");
  return setting;
}

TEST(Baseline, DockersDefaultCapabilities) {
  EXPECT_EQ(docker_default_caps().size(), 14U);
  EXPECT_EQ(docker_default_caps().count("CAP_NET_RAW"), 1U);
  EXPECT_EQ(docker_default_caps().count("CAP_SYS_ADMIN"), 0U);
}

TEST(Baseline, TodaysDockerDefault) {
  Setting setting;
  setting.kernel = {6, 18};
  const Profile profile = resolved("docker@29.4.3", setting);
  EXPECT_EQ(profile.default_verdict(), kEperm);
  EXPECT_THAT(profile.parts().architectures,
              ElementsAre("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"));
  EXPECT_EQ(profile.rules().size(), 15U);
  std::size_t names = 0;
  std::set<std::string> conditional;
  for (const Rule& rule : profile.rules()) {
    names += rule.names.size();
    if (!rule.args.empty()) conditional.insert(rule.names.begin(), rule.names.end());
  }
  EXPECT_EQ(names, 377U);  // of them 371 different ones
  EXPECT_THAT(conditional, ElementsAre("clone", "personality", "socket"));
  EXPECT_TRUE(unknown_names(profile).empty());

  EXPECT_EQ(ask(profile, "clone3"), kEnosys);
  EXPECT_EQ(ask(profile, "clone", 17), kAllow);
  EXPECT_EQ(ask(profile, "clone", kCloneNewUser), kEperm);
  EXPECT_EQ(ask(profile, "socket", 2), kAllow);
  EXPECT_EQ(ask(profile, "socket", 38), kEperm);  // AF_ALG
  EXPECT_EQ(ask(profile, "socket", 39), kAllow);
  EXPECT_EQ(ask(profile, "socket", 40), kEperm);  // AF_VSOCK
  EXPECT_EQ(ask(profile, "personality", 0xffffffff), kAllow);
  EXPECT_EQ(ask(profile, "personality", 0x40000), kEperm);
  EXPECT_EQ(ask(profile, "ptrace"), kAllow);
  EXPECT_EQ(ask(profile, "mount"), kEperm);
  EXPECT_EQ(ask(profile, "io_uring_setup"), kEperm);
  EXPECT_EQ(ask(profile, "socketcall", 1, Arch::kX86), kAllow);
}

TEST(Baseline, TheSettingDecides) {
  const Profile admin = resolved("docker", with_admin());
  EXPECT_EQ(ask(admin, "mount"), kAllow);
  EXPECT_EQ(ask(admin, "clone3"), kAllow);
  EXPECT_EQ(ask(admin, "clone", kCloneNewUser), kAllow);

  Setting old_kernel;
  old_kernel.kernel = {4, 7};
  EXPECT_EQ(ask(resolved("docker", old_kernel), "ptrace"), kEperm);

  Setting arm;
  arm.arch = Arch::kAarch64;
  const Profile on_arm = resolved("docker", arm);
  EXPECT_THAT(on_arm.parts().architectures, ElementsAre("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"));
  EXPECT_EQ(ask(on_arm, "cacheflush", 0, Arch::kArm), kAllow);
  EXPECT_EQ(ask(on_arm, "arch_prctl", 0, Arch::kAarch64), kEperm);

  Setting none;
  none.caps.emplace();
  EXPECT_EQ(ask(resolved("docker", none), "chroot"), kEperm);
  EXPECT_EQ(ask(resolved("docker"), "chroot"), kAllow);
}

// What is known of the history of the defaults (docs/baselines.md names the releases).
TEST(Baseline, DockersHistory) {
  EXPECT_EQ(ask(resolved("docker@20.10.9"), "clone3"), kEperm);
  EXPECT_EQ(ask(resolved("docker@20.10.10"), "clone3"), kEnosys);
  EXPECT_EQ(ask(resolved("docker@20.10.22"), "socket", 40), kEperm);
  EXPECT_EQ(ask(resolved("docker@20.10.23"), "socket", 40), kAllow);
  EXPECT_EQ(ask(resolved("docker@24.0.9"), "io_uring_setup"), kAllow);
  EXPECT_EQ(ask(resolved("docker@25.0.0"), "io_uring_setup"), kEperm);
  EXPECT_EQ(ask(resolved("docker@28.1.1"), "mseal"), kEperm);
  EXPECT_EQ(ask(resolved("docker@28.2.0"), "mseal"), kAllow);
  EXPECT_EQ(ask(resolved("docker@29.4.1"), "socket", 38), kAllow);
  EXPECT_EQ(ask(resolved("docker@29.4.2"), "socketcall", 1, Arch::kX86), kEnosys);
}

TEST(Baseline, Containerd) {
  const Profile profile = resolved("containerd@2.2.4");
  EXPECT_EQ(profile.default_verdict(), kEperm);
  EXPECT_THAT(profile.parts().architectures,
              ElementsAre("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"));
  EXPECT_EQ(ask(profile, "socket", 38), kEperm);
  EXPECT_EQ(ask(profile, "lsm_list_modules"), kAllow);
  EXPECT_EQ(ask(profile, "clone", kCloneNewUser), kEperm);
  EXPECT_EQ(ask(resolved("containerd@2.2.3"), "socket", 38), kAllow);
  EXPECT_EQ(ask(resolved("containerd@2.1.9"), "socket", 38), kAllow);
  EXPECT_EQ(ask(resolved("containerd@1.7.34"), "io_uring_setup"), kAllow);
}

TEST(Baseline, Podman) {
  const Profile profile = resolved("podman@5.8");
  EXPECT_EQ(profile.default_verdict(), kEnosys);
  EXPECT_EQ(ask(profile, "clone", kCloneNewUser), kAllow);
  EXPECT_EQ(ask(profile, "clone3"), kAllow);
  EXPECT_EQ(ask(profile, "userfaultfd"), kEperm);
  EXPECT_EQ(ask(profile, "io_uring_setup"), kEnosys);
  // Podman gives no AUDIT_WRITE by default, Docker does.
  const std::array<std::uint64_t, 6> audit = {16, 3, 9, 0, 0, 0};
  EXPECT_EQ(documented_verdict(profile, Arch::kX86_64, "socket", audit),
            (Verdict{Action::kErrno, 22}));
  Setting docker_caps;
  docker_caps.caps = docker_default_caps();
  EXPECT_EQ(documented_verdict(resolved("podman@5.8", docker_caps), Arch::kX86_64, "socket", audit),
            kAllow);
}

TEST(Baseline, CriO) {
  const Profile profile = resolved("cri-o@1.36");
  EXPECT_EQ(profile.default_verdict(), kEnosys);
  EXPECT_EQ(ask(profile, "clone", 17), kAllow);
  EXPECT_FALSE(ask(profile, "clone", kCloneNewUser).allows());
  EXPECT_EQ(ask(profile, "clone3"), kEnosys);
  EXPECT_FALSE(ask(profile, "unshare", kCloneNewUser).allows());
  const Profile admin = resolved("cri-o@1.36", with_admin());
  EXPECT_EQ(ask(admin, "clone3"), kAllow);
  EXPECT_EQ(ask(admin, "unshare", kCloneNewUser), kAllow);
  EXPECT_EQ(ask(admin, "clone", kCloneNewUser), kAllow);
}

TEST(Baseline, EveryVersionResolvesForEveryHost) {
  const auto ids = baseline_ids();
  EXPECT_GT(ids.size(), 400U);
  for (const std::string& id : ids) {
    for (const Arch arch : {Arch::kX86_64, Arch::kAarch64}) {
      Setting setting;
      setting.arch = arch;
      const auto profile = baseline(id, setting);
      ASSERT_TRUE(profile.has_value()) << id << ": " << profile.error().text();
      EXPECT_EQ(ask(*profile, "execve", 0, arch), kAllow) << id;
      EXPECT_EQ(ask(*profile, "kexec_load", 0, arch).action, Action::kErrno) << id;
    }
  }
}

TEST(Baseline, Ids) {
  const auto ids = baseline_ids();
  EXPECT_EQ(ids.front(), "containerd@1.5.0");
  EXPECT_TRUE(std::count(ids.begin(), ids.end(), "docker@29.4.3") == 1);
  EXPECT_EQ(default_baseline_id(), "docker@29.7.2");
  EXPECT_EQ(resolved(default_baseline_id()), resolved("docker"));
  EXPECT_EQ(resolved("docker@19.03.15"), resolved("docker@19.3.15"));
  EXPECT_EQ(resolved("docker@v29.4.3"), resolved("docker@29.4.3"));
}

TEST(Baseline, AShortVersionIsTheNewestOfItsBranch) {
  EXPECT_EQ(resolved("docker@20.10"), resolved("docker@20.10.27"));
  EXPECT_NE(resolved("docker@20.10"), resolved("docker@20.10.0"));
  EXPECT_EQ(resolved("docker@20"), resolved("docker@20.10.27"));
}

TEST(Baseline, TheReleaseThatBroughtIt) {
  const auto since = [](std::string_view id) {
    const auto resolved = resolve_baseline(id, Setting{});
    return resolved ? resolved->id + " " + resolved->since : resolved.error().text();
  };
  EXPECT_EQ(since("docker@24.0.9"), "docker@24.0.9 docker@24.0.3");
  EXPECT_EQ(since("docker@24.0.3"), "docker@24.0.3 docker@24.0.3");
  // Its own branch's last change, although 25.0.3 has the same.
  EXPECT_EQ(since("docker@26.1.0"), "docker@26.1.0 docker@26.1.0");
  EXPECT_EQ(since("docker@26.1"), "docker@26.1.5 docker@26.1.0");
  EXPECT_EQ(since("containerd@1.6.20~ds1-1+deb12u3"), "containerd@1.6.20 containerd@1.6.16");
  EXPECT_EQ(since("docker@20.10.24+dfsg1"), "docker@20.10.24 docker@20.10.23");
}

TEST(Baseline, ChangesAreThoseBetweenNeighbours) {
  const auto changes = baseline_changes("docker");
  ASSERT_FALSE(changes.empty());
  EXPECT_EQ(changes.front().after, "");
  const auto it = std::find_if(changes.begin(), changes.end(), [](const BaselineChange& change) {
    return change.id == "docker@25.0.0";
  });
  ASSERT_NE(it, changes.end());
  EXPECT_EQ(it->last, "docker@25.0.2");
  EXPECT_EQ(it->after, "docker@24.0.9");
  EXPECT_THAT(it->added, ElementsAre());
  EXPECT_THAT(it->dropped, ElementsAre("io_uring_enter", "io_uring_register", "io_uring_setup"));
  EXPECT_TRUE(baseline_changes("lxc").empty());
  for (const std::string& runtime : baseline_runtime_names()) {
    for (const BaselineChange& change : baseline_changes(runtime)) {
      const bool says = !change.added.empty() || !change.dropped.empty() ||
                        !change.changed.empty() || change.default_verdict;
      EXPECT_EQ(says, !change.after.empty()) << change.id;
    }
  }
}

TEST(Baseline, UnknownOnesNameTheNearest) {
  struct Case {
    const char* id;
    const char* hint;
  };
  for (const Case& bad :
       {Case{"docker@29.7.99", "docker@29.7.2"}, Case{"docker@30", "docker@29.7.2"},
        Case{"docker@18.9.1", "docker@19.3.0"}, Case{"docker@24.0.10", "docker@24.0.9"},
        Case{"docker@27.0.0", "docker@26.1.5"}, Case{"cri-o@1.30.0", "cri-o@1.32.0"},
        Case{"doker@29.4.3", "docker"}, Case{"", "known are containerd, cri-o, docker, podman"},
        Case{"docker@", "docker@29.7.2"}, Case{"docker@latest", "docker@29.7.2"},
        Case{"docker@1.2.3.4", "docker@29.7.2"}, Case{"docker@29.4.3-rc.1", "docker@29.7.2"},
        Case{"doker@29", "known are containerd"}}) {
    const auto profile = baseline(bad.id, Setting{});
    ASSERT_FALSE(profile.has_value()) << bad.id;
    EXPECT_EQ(profile.error().kind, ErrorKind::kInput) << bad.id;
    EXPECT_THAT(profile.error().hint, HasSubstr(bad.hint)) << bad.id;
  }
}

TEST(Baseline, IsOfAHost) {
  Setting setting;
  setting.arch = Arch::kX86;
  const auto profile = baseline("docker", setting);
  ASSERT_FALSE(profile.has_value());
  EXPECT_THAT(profile.error().hint, HasSubstr("x86_64"));
}

}  // namespace
}  // namespace whittle::profile
