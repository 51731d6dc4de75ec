// From the words of the command line to a verb and its checked arguments.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "cli/verb.h"

namespace whittle::cli {

// The verb of that name. Unknown: an input error that suggests the nearest.
Result<const Verb*> find_verb(const std::string& name);

// Parses what follows the verb's name. Every verb also takes -h and --help, and with it nothing
// else is checked. What stands after `--` is the command, word for word, when the verb takes one,
// and operands when it does not. Options may stand before, between and after operands; "-" is an
// operand. Errors (kind input) name the verb and suggest what was meant.
Result<Arguments> parse_arguments(const Verb& verb, std::span<const std::string> words);

}  // namespace whittle::cli
