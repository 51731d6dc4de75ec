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
// The last lines of what a workload wrote, each as a note; nothing when it wrote nothing.
void print_tail(std::string_view output);

// Standard output, whole and flushed. A full disk is an error (kind environment). A pipe whose
// reader has gone is none: the text is dropped, so that the verb ends with its own exit code; a
// verb that goes on printing gets an error from the second time on, which ends the program quietly
// with 0.
Result<void> print_result(std::string_view text);
Result<void> print_json(const json::Value& value);  // with a newline at the end

// The place of an error from writing to standard output; and whether its reader has gone.
inline constexpr std::string_view kStandardOutput = "standard output";
bool output_closed();

// A line on standard error that replaces itself, when standard error is a terminal; else nothing.
// Nothing either while somebody else uses the terminal: another process group (a shell), or a
// program that reads single keys (an editor, a prompt with a history).
void show_progress(std::string_view text);
bool errors_on_terminal();
void end_progress();  // takes that line away

// True when standard output is a terminal and NO_COLOR is not set.
bool use_colour();
// The text in bold, green, red or dim when use_colour(), else as it is.
std::string bold(std::string_view text);
std::string good(std::string_view text);
std::string bad(std::string_view text);
std::string dim(std::string_view text);

}  // namespace whittle::cli
