// A program as bytes: the array of struct sock_filter that seccomp(2) takes, in little-endian
// order, 8 bytes an instruction (include/uapi/linux/filter.h). Nothing stands before or after it.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "filter/program.h"

namespace whittle::filter {

std::string write_bytes(const Program& program);

// Whether these bytes can be nothing but a program, good or bad: the high byte of the first code is
// 0, and no text has such a byte there.
bool looks_like_program(std::string_view bytes);

// Input errors, with the instruction: no whole number of instructions, more than 4096 of them, and
// those of check().
Result<Program> read_bytes(std::string_view bytes, std::string_view place);

}  // namespace whittle::filter
