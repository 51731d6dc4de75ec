// What the filters of a process, taken together, answer for every call that has a name.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "filter/decide.h"
#include "filter/program.h"
#include "syscalls/arch.h"

namespace whittle::filter {

// The decision of a stack of filters: the most severe answer of all for every argument vector, of
// equal ones the newest's. `filters` is newest first; none of them: everything is allowed.
Decision decide_all(std::span<const Program> filters, syscalls::Arch arch, std::uint32_t nr);

// Whether some argument vector gets through. True when it can't be told.
bool can_allow(const Decision& decision);

struct SurveyedCall {
  std::string_view name;
  std::uint32_t nr = 0;
  Decision decision;
};

// All named calls of one ABI, by number.
std::vector<SurveyedCall> survey(std::span<const Program> filters, syscalls::Arch arch);

}  // namespace whittle::filter
