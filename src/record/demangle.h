// C++ names as people write them.
#pragma once

#include <string>

namespace whittle::record {

// The demangled form of an Itanium C++ ABI name; any other text as it is. The name is hostile: one
// whose demangled form could be out of all proportion (a few substitutions double it again and
// again) stays as it is, and the result is printable and of bounded length.
std::string demangle(const std::string& name);

}  // namespace whittle::record
