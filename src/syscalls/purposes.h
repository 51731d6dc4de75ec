// What each system call is for, which calls do the same in another form, and what it has to do
// with: data/syscall-purposes.tsv and data/syscall-groups.tsv.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace whittle::syscalls {

// Texts live as long as the program.
struct Purpose {
  std::string_view name;
  std::string_view group;    // of groups()
  std::string_view family;   // calls that do the same have one; empty: the call stands alone
  std::string_view text;     // continues the name: "opens or creates a file"
  std::string_view exposes;  // what it opens beyond the subsystem of its group; may be empty
};
// nullptr for a name that is_known() does not know ("syscall_463").
const Purpose* purpose(std::string_view name);

// The calls of its family in the order of their names, itself among them; itself alone when it
// stands alone.
std::vector<std::string_view> family(std::string_view name);

struct Group {
  std::string_view name;       // "network"
  std::string_view title;      // "Network"
  std::string_view subsystem;  // the part of the kernel that its calls go into
};
// In the order of the table.
std::span<const Group> groups();
// nullptr for an unknown one.
const Group* group(std::string_view name);

}  // namespace whittle::syscalls
