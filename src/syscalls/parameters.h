// How many parameters a system call has: data/parameters.tsv, made by tools/generate-parameters.
#pragma once

#include <optional>
#include <string_view>

namespace whittle::syscalls {

// Where it is entered as on x86_64 and aarch64; 32-bit ABIs split 64-bit parameters in two.
// nullopt: not known.
std::optional<unsigned> parameter_count(std::string_view name);

}  // namespace whittle::syscalls
