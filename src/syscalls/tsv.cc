#include "syscalls/tsv.h"

#include <cstdio>
#include <cstdlib>

namespace whittle::syscalls {

namespace {

std::vector<std::string_view> split_views(std::string_view text, char separator,
                                          std::size_t expected = 0) {
  std::vector<std::string_view> parts;
  parts.reserve(expected);
  std::size_t start = 0;
  while (true) {
    const std::size_t end = text.find(separator, start);
    parts.push_back(text.substr(start, end - start));
    if (end == std::string_view::npos) return parts;
    start = end + 1;
  }
}

}  // namespace

std::vector<std::vector<std::string_view>> tsv_rows(std::string_view text) {
  std::vector<std::vector<std::string_view>> rows;
  std::size_t columns = 0;
  for (const std::string_view line : split_views(text, '\n')) {
    if (line.empty() || line.front() == '#') continue;
    std::vector<std::string_view> row = split_views(line, '\t', columns);
    if (columns == 0) {
      columns = row.size();
      continue;
    }
    if (row.size() != columns) {
      std::fprintf(stderr, "whittle: bug: built-in table row '%.*s' has %zu columns, not %zu\n",
                   static_cast<int>(line.size()), line.data(), row.size(), columns);
      std::abort();
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string_view tsv_comment(std::string_view text, std::string_view key) {
  for (std::string_view line : split_views(text, '\n')) {
    if (!line.starts_with("# ")) continue;
    line.remove_prefix(2);
    if (!line.starts_with(key)) continue;
    line.remove_prefix(key.size());
    if (line.starts_with(' ')) return line.substr(1);
  }
  return {};
}

std::vector<std::string_view> tsv_list(std::string_view text) { return split_views(text, ','); }

}  // namespace whittle::syscalls
