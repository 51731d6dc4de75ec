// What doctor prints: docs/doctor.md.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/doctor_clues.h"
#include "deploy/machine.h"

namespace whittle::cli {

std::string machine_text(const std::vector<deploy::MachineItem>& items,
                         const std::vector<deploy::CommandState>& commands);
json::Value machine_json(const std::vector<deploy::MachineItem>& items,
                         const std::vector<deploy::CommandState>& commands);

std::string causes_text(std::span<const Cause> causes, const Clues& clues);
json::Value causes_json(std::span<const Cause> causes, const Clues& clues);

}  // namespace whittle::cli
