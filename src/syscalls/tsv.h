// The tables of data/*.tsv: lines of tab-separated columns, '#' lines are comments, the first other
// line names the columns.
#pragma once

#include <string_view>
#include <vector>

namespace whittle::syscalls {

// The rows below the line of column names, each as long as that line. The texts point into `text`.
// A row of another length, which a table of ours never has, ends the program: the data is part of
// the binary.
std::vector<std::vector<std::string_view>> tsv_rows(std::string_view text);

// What stands after "# KEY " in a comment line; empty when there is none.
std::string_view tsv_comment(std::string_view text, std::string_view key);

// The parts between commas, pointing into `text`.
std::vector<std::string_view> tsv_list(std::string_view text);

}  // namespace whittle::syscalls
