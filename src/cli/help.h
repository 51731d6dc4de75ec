// All that tells a user what the verbs are, made from their table: help texts, the manual page and
// the completion script.
#pragma once

#include <string>
#include <string_view>

#include "cli/verb.h"

namespace whittle::cli {

std::string_view version();  // "0.1.0"

std::string overview();
std::string verb_help(const Verb& verb);

// Plain text as groff_man(7) input: nothing in it is an escape or, at the start of a line, a
// request.
std::string roff(std::string_view text);

// whittle(1), in the man macros of groff_man(7): the same bytes for the same version.
std::string man_page();
// For bash with or without the bash-completion package.
std::string bash_completion();

// Words of `text` in lines of at most `width` bytes, each after `indent` blanks; blank lines stay.
// A word that is longer stands on a line of its own. Ends with a newline.
std::string wrap(std::string_view text, std::size_t width, std::size_t indent);

}  // namespace whittle::cli
