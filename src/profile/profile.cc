#include "profile/profile.h"

#include <algorithm>

#include "syscalls/table.h"

namespace whittle::profile {

bool Condition::holds(std::uint64_t argument) const {
  switch (op) {
    case Operator::kNe:
      return argument != value;
    case Operator::kLt:
      return argument < value;
    case Operator::kLe:
      return argument <= value;
    case Operator::kEq:
      return argument == value;
    case Operator::kGe:
      return argument >= value;
    case Operator::kGt:
      return argument > value;
    case Operator::kMaskedEq:
      return (argument & value) == value_two;
  }
  return false;
}

Profile::Profile(Parts parts) : parts_(std::move(parts)) {
  for (const std::string& name : parts_.architectures) {
    const auto arch = syscalls::arch_from_oci(name);
    if (arch && !lists(*arch)) arches_.push_back(*arch);
  }
}

bool Profile::lists(syscalls::Arch arch) const {
  return std::find(arches_.begin(), arches_.end(), arch) != arches_.end();
}

std::vector<std::string> unknown_names(const Profile& profile) {
  std::vector<std::string> unknown;
  for (const Rule& rule : profile.rules()) {
    std::copy_if(rule.names.begin(), rule.names.end(), std::back_inserter(unknown),
                 [](const std::string& name) { return !syscalls::is_known(name); });
  }
  std::sort(unknown.begin(), unknown.end());
  unknown.erase(std::unique(unknown.begin(), unknown.end()), unknown.end());
  return unknown;
}

}  // namespace whittle::profile
