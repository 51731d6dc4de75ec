// Messages for people go to standard error through these; results go to standard output.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace whittle::cli {

// "whittle: error: PLACE: MESSAGE" and, when there is one, "  hint: HINT".
void print_error(const Error& error);
void print_warning(std::string_view text);  // "whittle: warning: TEXT"
void print_note(std::string_view text);     // "whittle: TEXT"

// Standard output, whole and flushed; a closed pipe ends the program quietly, a full disk is an error.
Result<void> print_result(std::string_view text);
Result<void> print_json(const json::Value& value);  // with a newline at the end

// True when standard output is a terminal and NO_COLOR is not set.
bool use_colour();
// The text in bold, green, red or dim when use_colour(), else as it is.
std::string bold(std::string_view text);
std::string good(std::string_view text);
std::string bad(std::string_view text);
std::string dim(std::string_view text);

}  // namespace whittle::cli
