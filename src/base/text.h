// Small text helpers and the one way to format: fmt::format, from <fmt/core.h>.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace whittle {

using fmt::format;

std::vector<std::string> split(std::string_view text, char separator);
std::string join(std::span<const std::string> parts, std::string_view separator);
std::string_view trim(std::string_view text);

// A whole number: decimal, 0x hex or 0 octal is NOT taken (a leading 0 is decimal). The whole text
// must be the number. No sign.
std::optional<std::uint64_t> parse_u64(std::string_view text);

// "1 run", "2 runs", "0 runs".
std::string plural(std::uint64_t count, std::string_view noun);

// The candidate nearest to `word` by edit distance, when it is near enough to be a likely typo.
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);

// Cuts control characters and bytes that are not printable ASCII or valid UTF-8 out of text that
// comes from elsewhere (names, paths, comm) before it goes to a terminal; `limit` is in bytes.
std::string printable(std::string_view text, std::size_t limit = 200);

// A duration in seconds: "10", "10s", "500ms", "2m", "1h", "7d". Nothing else.
std::optional<double> parse_duration(std::string_view text);

}  // namespace whittle
