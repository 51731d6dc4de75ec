// The versions that the outcome of a trial depends on: with another one of them it may come out
// otherwise.
#pragma once

#include <sys/types.h>

#include <string>

#include "host/runtime.h"

namespace whittle::trial {

// Each is empty where it is not known, or there is none.
struct Versions {
  std::string kernel;
  std::string runtime;     // "runc 1.1.5+ds1"
  std::string libseccomp;  // that made the filter: the runtime's own, natively ours
  std::string script;      // the path of what was started, when it is a script
  std::string program;     // the path of the program: of a script the interpreter it ends up in
  std::string package;     // "nginx 1.22.1-9+deb12u3"
  std::string build_id;    // of the program
  std::string libc;        // "Debian GLIBC 2.36-9+deb12u10", "musl 1.2.3", "none (static)"
};

// All but those of the program. `runtime`: nullptr natively.
Versions versions_here(const host::Runtime* runtime);
// Of the program that the process runs, or, still at the start of a script, will; libc: asks the
// process's own root file system. Quick: the process may be held meanwhile.
void add_program_versions(pid_t pid, Versions& versions);
// Of a program file of ours, or a script, for which `search` is the PATH.
void add_program_versions(const std::string& path, const std::string& search, Versions& versions);
// The package that the program is of, by dpkg's database below `root` ("": ours). May take a while.
void add_package_version(const std::string& root, Versions& versions);

}  // namespace whittle::trial
