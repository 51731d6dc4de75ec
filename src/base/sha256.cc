#include "base/sha256.h"

#include <sha2.h>
#include <sys/types.h>

#include <array>

namespace whittle {

std::string sha256(std::string_view content) {
  std::array<char, SHA256_DIGEST_STRING_LENGTH> text{};
  SHA256Data(reinterpret_cast<const std::uint8_t*>(content.data()), content.size(), text.data());
  return text.data();
}

}  // namespace whittle
