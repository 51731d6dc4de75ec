#include "syscalls/purposes.h"

#include <algorithm>

#include "base/embedded.h"
#include "syscalls/tsv.h"

WHITTLE_EMBEDDED(syscall_purposes_tsv)
WHITTLE_EMBEDDED(syscall_groups_tsv)

namespace whittle::syscalls {

namespace {

std::string_view unless_dash(std::string_view text) {
  return text == "-" ? std::string_view() : text;
}

const std::vector<Purpose>& purposes() {
  static const std::vector<Purpose> sorted = [] {
    std::vector<Purpose> read;
    for (const auto& row : tsv_rows(embedded_syscall_purposes_tsv())) {
      read.push_back({row[0], row[1], unless_dash(row[2]), row[3], unless_dash(row[4])});
    }
    std::sort(read.begin(), read.end(),
              [](const Purpose& a, const Purpose& b) { return a.name < b.name; });
    return read;
  }();
  return sorted;
}

}  // namespace

const Purpose* purpose(std::string_view name) {
  const auto& all = purposes();
  const auto found = std::lower_bound(
      all.begin(), all.end(), name,
      [](const Purpose& one, std::string_view wanted) { return one.name < wanted; });
  return found != all.end() && found->name == name ? &*found : nullptr;
}

std::vector<std::string_view> family(std::string_view name) {
  const Purpose* self = purpose(name);
  if (self == nullptr || self->family.empty()) return {name};
  std::vector<std::string_view> names;
  for (const Purpose& other : purposes()) {
    if (other.family == self->family) names.push_back(other.name);
  }
  return names;
}

std::span<const Group> groups() {
  static const std::vector<Group> all = [] {
    std::vector<Group> read;
    for (const auto& row : tsv_rows(embedded_syscall_groups_tsv())) {
      read.push_back({row[0], row[1], row[2]});
    }
    return read;
  }();
  return all;
}

const Group* group(std::string_view name) {
  const auto all = groups();
  const auto found =
      std::find_if(all.begin(), all.end(), [name](const Group& one) { return one.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace whittle::syscalls
