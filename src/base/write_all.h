// A whole text into a file that is open, however many writes it takes.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace whittle {

// `place` is for the error (kind environment), which says what to do about a full disk.
Result<void> write_all(int fd, std::string_view content, const std::string& place);

}  // namespace whittle
