#include "record/import_strace_table.h"

#include <algorithm>

#include "base/text.h"

namespace whittle::record {

namespace {

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (std::string& word : split(text, ' ')) {
    if (!word.empty()) words.push_back(std::move(word));
  }
  return words;
}

std::vector<std::string> columns_of(std::string_view text) {
  std::vector<std::string> columns;
  for (std::string& word : words_of(text)) {
    if (word == "%") continue;  // "% time" is one column
    columns.push_back(std::move(word));
  }
  return columns;
}

bool has(const std::vector<std::string>& columns, std::string_view name) {
  return std::find(columns.begin(), columns.end(), name) != columns.end();
}

}  // namespace

bool is_strace_table(std::string_view line) {
  if (line.size() > 200 || line.find("syscall") == std::string_view::npos) return false;
  const std::vector<std::string> columns = columns_of(line);
  return has(columns, "calls") && has(columns, "syscall") && columns.size() <= 10 &&
         (has(columns, "time") || has(columns, "usecs/call") || has(columns, "seconds") ||
          columns.size() == 2);
}

StraceTable::StraceTable(ImportSink& sink, std::string_view columns, syscalls::Arch arch,
                         bool ignore)
    : sink_(sink), arch_(arch), ignore_(ignore), columns_(columns_of(columns)) {}

bool StraceTable::line(std::string_view text) {
  if (ended_) return false;
  if (text.find_first_not_of("- ") == std::string_view::npos) return true;
  std::vector<std::string> words = words_of(text);
  const bool no_errors = words.size() + 1 == columns_.size() && has(columns_, "errors");
  if (no_errors) {
    const auto errors = std::find(columns_.begin(), columns_.end(), "errors");
    words.insert(words.begin() + (errors - columns_.begin()), "0");
  }
  if (words.size() != columns_.size()) return false;
  row(words, text);
  return true;
}

void StraceTable::row(const std::vector<std::string>& words, std::string_view text) {
  Call call;
  call.arch = arch_;
  call.has_arguments = false;
  std::string_view name;
  std::optional<std::uint64_t> count;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (columns_[i] == "syscall") name = words[i];
    if (columns_[i] == "calls") count = parse_u64(words[i]);
  }
  if (name == "total") {
    ended_ = true;
    return;
  }
  if (ignore_) return;
  if (!count || *count == 0) {
    sink_.unread("there is no number of calls in it", text);
    return;
  }
  call.times = *count;
  if (!sink_.add_named(call, name)) {
    sink_.unread(format("{} has no such call", syscalls::arch_name(arch_)), text);
  }
}

}  // namespace whittle::record
