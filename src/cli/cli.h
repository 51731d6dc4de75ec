// The program: from the command line to the exit code.
#pragma once

namespace whittle::cli {

// Finds the verb, parses its arguments, runs it, prints its error if it has one. Returns the exit
// code: the verb's own (0 good, 1 findings), that of its error (2 usage or input, 3 environment),
// or 4 for a bug in whittle. SIGPIPE is ignored from here on; see print_result() in cli/output.h.
int run(int argc, char** argv);

}  // namespace whittle::cli
