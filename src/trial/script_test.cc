#include "trial/script.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>

#include "base/file_system.h"
#include "host/launch.h"

namespace whittle::trial {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Script : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::make_unique<TemporaryDirectory>(
        TemporaryDirectory::create("whittle-script-test.").value());
    place_.search = "/nonexistent:/usr/bin:/bin";
    shell_ = std::filesystem::canonical("/bin/sh").string();
  }
  std::string write(const std::string& name, const std::string& text) {
    const std::string path = directory_->path() + "/" + name;
    EXPECT_TRUE(write_file(path, text));
    EXPECT_EQ(::chmod(path.c_str(), 0755), 0);
    return path;
  }
  // What a process that was started as that file says of itself. The scripts stop themselves.
  static ScriptedProgram of_process(const std::string& program) {
    host::LaunchSpec spec;
    spec.program = program;
    spec.argv = {program};
    auto child = host::launch(spec);
    EXPECT_TRUE(child && child->release());
    const ScriptedProgram found = script_of(child->pid());
    ::kill(child->pid(), SIGKILL);
    child->wait();
    return found;
  }

  std::unique_ptr<TemporaryDirectory> directory_;
  Place place_;
  std::string shell_;
};

TEST_F(Script, LinesAreReadAsTheKernelDoes) {
  EXPECT_THAT(interpreter_line("#!/bin/sh\necho"), ElementsAre("/bin/sh"));
  EXPECT_THAT(interpreter_line("#! \t/bin/sh -e -x \t\n"), ElementsAre("/bin/sh", "-e -x"));
  EXPECT_THAT(interpreter_line("#!/usr/bin/env\tpython3"), ElementsAre("/usr/bin/env", "python3"));
  EXPECT_THAT(interpreter_line(std::string_view("#!/bin/sh\0x\n", 12)), ElementsAre("/bin/sh"));
  EXPECT_THAT(interpreter_line("#!" + std::string(300, 'a'))[0].size(), 254U);
  for (const char* none : {"", "#", "#!", "#! \t\n/bin/sh",
                           "\x7f"
                           "ELF",
                           " #!/bin/sh"}) {
    EXPECT_THAT(interpreter_line(none), IsEmpty()) << none;
  }
}

TEST_F(Script, EnvStartsWhatItsArgumentNames) {
  EXPECT_EQ(env_target("python3"), "python3");
  EXPECT_EQ(env_target("-S python3 -u"), "python3");
  EXPECT_EQ(env_target("-SA=b -u X -i node --flag"), "node");
  EXPECT_EQ(env_target("--split-string=ruby -w"), "ruby");
  EXPECT_EQ(env_target("-i"), "");
  EXPECT_EQ(env_target("A=b"), "");
  EXPECT_EQ(env_target("-S -u X"), "");
}

TEST_F(Script, EndsUpInItsInterpreter) {
  const std::string direct = write("direct", "#!/bin/sh\n");
  EXPECT_EQ(program_of(direct, place_).script, direct);
  EXPECT_EQ(program_of(direct, place_).program, shell_);
  const std::string by_env = write("by-env", "#!/usr/bin/env sh\n");
  EXPECT_EQ(program_of(by_env, place_).program, shell_);
  const std::string nested = write("nested", "#!" + by_env + " -x\n");
  EXPECT_EQ(program_of(nested, place_).script, nested);
  EXPECT_EQ(program_of(nested, place_).program, shell_);
  // Relative to where it starts.
  Place here = place_;
  here.directory = directory_->path();
  EXPECT_EQ(program_of("./direct", here).script, direct);
  EXPECT_EQ(program_of(shell_, place_).program, shell_);
  EXPECT_EQ(program_of(shell_, place_).script, "");
}

TEST_F(Script, WhatIsNotKnownIsNotGuessed) {
  const std::string lost = write("lost", "#!/usr/bin/env no-such-program-anywhere\n");
  EXPECT_EQ(program_of(lost, place_).program, std::filesystem::canonical("/usr/bin/env").string());
  const std::string circle = write("circle", "#!" + directory_->path() + "/circle\n");
  EXPECT_EQ(program_of(circle, place_).program, circle);
  EXPECT_EQ(program_of("/nonexistent/program", place_).program, "");
  EXPECT_EQ(program_of("/tmp", place_).program, "");
  const std::string fifo = directory_->path() + "/fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(program_of(fifo, place_).program, "");
}

// A link that is absolute means the other root, not ours.
TEST_F(Script, LinksStayInTheRoot) {
  std::filesystem::create_directories(directory_->path() + "/root/bin");
  std::filesystem::create_directories(directory_->path() + "/root/etc");
  write("root/bin/real",
        "\x7f"
        "ELF");
  std::filesystem::create_symlink("/bin/real", directory_->path() + "/root/etc/chosen");
  std::filesystem::create_symlink("../../../../../../etc/passwd", directory_->path() + "/root/out");
  write("root/run", "#!/etc/chosen\n");
  place_.root = directory_->path() + "/root";
  EXPECT_EQ(program_of("/run", place_).program, directory_->path() + "/root/bin/real");
  EXPECT_EQ(program_of("/out", place_).program, "");
}

TEST_F(Script, OfAProcess) {
  const std::string direct = write("direct", "#!/bin/sh -e\nkill -STOP $$\n");
  EXPECT_EQ(of_process(direct).script, direct);
  EXPECT_EQ(of_process(direct).program, shell_);
  const std::string by_env = write("by-env", "#!/usr/bin/env -S A=b sh -e\nkill -STOP $$\n");
  const std::string nested = write("nested", "#!" + direct + "\n");
  EXPECT_EQ(of_process(nested).script, nested);
  EXPECT_EQ(of_process(nested).program, shell_);
  // env(1) may still be there, or the shell that it has become: known as long as it is env.
  const ScriptedProgram env = of_process(by_env);
  EXPECT_TRUE(env.script.empty() || (env.script == by_env && env.program == shell_));
  EXPECT_EQ(of_process(shell_).script, "");
  EXPECT_EQ(script_of(::getpid()).script, "");
  EXPECT_EQ(script_of(-1).script, "");
}

}  // namespace
}  // namespace whittle::trial
