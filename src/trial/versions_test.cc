#include "trial/versions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <filesystem>

#include "base/file_system.h"
#include "base/process.h"

namespace whittle::trial {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::StartsWith;

TEST(Versions, OfThisMachine) {
  const Versions versions = versions_here(nullptr);
  utsname names = {};
  ::uname(&names);
  EXPECT_EQ(versions.kernel, std::string(names.release) + " " + names.machine);
  EXPECT_THAT(versions.runtime, IsEmpty());
  EXPECT_THAT(versions.libseccomp, MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+.*"));
}

TEST(Versions, OfARuntime) {
  host::Runtime runtime;
  runtime.kind = host::RuntimeKind::kRunc;
  runtime.version = "1.1.5";
  runtime.libseccomp = "2.5.4";
  const Versions versions = versions_here(&runtime);
  EXPECT_EQ(versions.runtime, "runc 1.1.5");
  EXPECT_EQ(versions.libseccomp, "2.5.4");
}

TEST(Versions, OfAProgramFile) {
  Versions versions;
  add_program_versions("/bin/sh", "", versions);
  EXPECT_EQ(versions.program, std::filesystem::canonical("/bin/sh").string());
  EXPECT_THAT(versions.script, IsEmpty());
  EXPECT_THAT(versions.build_id, MatchesRegex("[0-9a-f]{40}"));
  EXPECT_THAT(versions.libc, testing::AnyOf(HasSubstr("GLIBC"), StartsWith("musl")));
}

TEST(Versions, OfAProcess) {
  Versions versions;
  add_program_versions(::getpid(), versions);
  EXPECT_EQ(versions.program, std::filesystem::read_symlink("/proc/self/exe").string());
  EXPECT_THAT(versions.libc, testing::Not(IsEmpty()));
}

TEST(Versions, OfAScriptAreThoseOfItsInterpreter) {
  const auto directory = TemporaryDirectory::create("whittle-versions-test.");
  ASSERT_TRUE(directory);
  const std::string script = directory->path() + "/script";
  ASSERT_TRUE(write_file(script, "#!/usr/bin/env sh\n"));
  Versions versions;
  add_program_versions(script, "/usr/bin:/bin", versions);
  EXPECT_EQ(versions.script, std::filesystem::canonical(script).string());
  EXPECT_EQ(versions.program, std::filesystem::canonical("/bin/sh").string());
  EXPECT_THAT(versions.libc, testing::Not(IsEmpty()));
  EXPECT_THAT(versions.build_id, testing::Not(IsEmpty()));
}

TEST(Versions, WhatIsNotKnownIsEmpty) {
  const auto directory = TemporaryDirectory::create("whittle-versions-test.");
  ASSERT_TRUE(directory);
  const std::string file = directory->path() + "/file";
  ASSERT_TRUE(write_file(file, "no program\n"));
  Versions versions;
  add_program_versions(file, "", versions);
  EXPECT_EQ(versions.program, std::filesystem::canonical(file).string());
  EXPECT_THAT(versions.libc, IsEmpty());
  EXPECT_THAT(versions.build_id, IsEmpty());
  add_package_version("", versions);
  EXPECT_THAT(versions.package, IsEmpty());
  Versions gone;
  add_program_versions("/nonexistent/program", "", gone);
  EXPECT_EQ(gone.program, "/nonexistent/program");
  EXPECT_THAT(gone.libc, IsEmpty());
}

// The package of the shell, when this is a system of dpkg's.
TEST(Versions, OfAPackage) {
  Versions versions;
  add_program_versions("/bin/sh", "", versions);
  add_package_version("", versions);
  if (find_program("dpkg-query")) {
    EXPECT_THAT(versions.package, MatchesRegex("[a-z0-9.+-]+ [0-9].*"));
  } else {
    EXPECT_THAT(versions.package, IsEmpty());
  }
  // A root without such a database.
  Versions elsewhere;
  elsewhere.program = versions.program;
  add_package_version("/nonexistent", elsewhere);
  EXPECT_THAT(elsewhere.package, IsEmpty());
}

}  // namespace
}  // namespace whittle::trial
