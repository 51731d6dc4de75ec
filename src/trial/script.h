// What a script ends up in: the interpreter of its #! line, through env(1) and through interpreters
// that are scripts themselves (execve(2), "Interpreter scripts"; fs/binfmt_script.c).
//
//   const Place place = {"/proc/123/root", "/srv", "/usr/bin:/bin"};
//   program_of("./serve", place)  // {"/srv/serve", "/usr/bin/python3.11"}
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

namespace whittle::trial {

// Where a path is looked up.
struct Place {
  std::string root = "/";       // a root file system: no link leads out of it
  std::string directory = "/";  // of relative paths, below the root
  std::string search;           // PATH, for env(1)
};

// Both as they are in the root file system, links followed; empty where there is no such file.
struct ScriptedProgram {
  std::string script;   // empty: the file is none
  std::string program;  // what runs in the end. env(1) itself where what it starts is not known
};

ScriptedProgram program_of(const std::string& path, const Place& place);

// The script that a process was started as, by its arguments: the kernel puts the interpreter and
// what else stands in the #! line before the script's path. As program_of; both empty: it was
// started as no script, or that is not known. Reads at most 1 MiB of /proc.
ScriptedProgram script_of(pid_t pid);

// For tests: the interpreter and the rest of the line, trimmed, of a file that begins so; empty: no
// script. At most 256 bytes count, as in the kernel (BINPRM_BUF_SIZE).
std::vector<std::string> interpreter_line(std::string_view start);
// The program that `env ARGUMENT` starts; empty: none.
std::string env_target(std::string_view argument);

}  // namespace whittle::trial
