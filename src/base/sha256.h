// SHA-256 (FIPS 180-4), for telling contents apart.
#pragma once

#include <string>
#include <string_view>

namespace whittle {

// 64 lower-case hexadecimal digits.
std::string sha256(std::string_view content);

}  // namespace whittle
