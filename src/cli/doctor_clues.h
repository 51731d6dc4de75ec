// What doctor goes by when it is asked about a failure, and the diagnosis that it makes of it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/verb.h"
#include "deploy/known_failures.h"
#include "deploy/suspects.h"
#include "deploy/symptoms.h"
#include "filter/compare.h"
#include "host/containers.h"

namespace whittle::cli {

// Calls that a filter refused, alike.
struct Refused {
  std::string call;
  std::string text;      // "mkdir: refused 12 times with EPERM, by app"
  std::string by;        // "recorder", "audit"
  bool foreign = false;  // of an ABI that is not the machine's own, and killed
};

// Everything that was asked for and found, before it is weighed.
struct Clues {
  deploy::Symptoms symptoms;
  std::vector<Refused> refused;               // by the recorder first, then by audit
  std::vector<deploy::Suspicion> suspicions;  // of files
  std::vector<std::string> default_changes;   // a line for each: looser, tighter, other
  std::vector<std::string> facts;             // what else is worth saying
  std::string root;                           // where the kubelet looks for profiles
};

// Reads the operand (a file, "-", the id or name of a container that runs) and what the options
// name. Errors, kind input: neither a file nor a container, a file that can't be read.
Result<Clues> gather_clues(const Arguments& arguments);

struct Cause {
  const deploy::KnownFailure* failure = nullptr;
  std::string by;                  // "text", "recorder", "audit", "profile", "capture"
  std::vector<std::string> shown;  // one line each
  std::vector<std::string> calls;
  std::vector<std::string> found;  // where a file is, and what else was looked up
};

// The most likely one first; empty: nothing is known. `known` must live as long.
std::vector<Cause> diagnose(const Clues& clues, std::span<const deploy::KnownFailure> known);

}  // namespace whittle::cli
