// The decision table of a filter written back as a program: shorter and quicker than what
// libseccomp makes, for programs that load their filter themselves. Architectures and numbers are
// found by binary search, arguments are tested in trees, and what is the same stands there once.
//
//   TRY_ASSIGN(const Program small, compact(program));
//   small.size() < program.size();      // mostly
#pragma once

#include "base/result.h"
#include "filter/program.h"

namespace whittle::filter {

// A program with the same answer to every call of every architecture of syscalls::kAllArches,
// proven with compare() before it is returned; other values of `arch` get what an unknown one (0)
// gets from `program`. It begins with the load of an architecture or a number and needs no memory
// slot. Errors: those of check(); answers that can't be told exactly (decide.h), or for an unknown
// architecture depend on the call; more than 4096 instructions.
Result<Program> compact(const Program& program);

}  // namespace whittle::filter
