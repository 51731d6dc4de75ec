// What this machine has, and lacks, for each command of whittle.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace whittle::deploy {

enum class Have : std::uint8_t { kYes, kNo, kUnknown };
std::string have_name(Have have);  // "yes", "no", "unknown"

struct MachineItem {
  std::string id;    // "btf", "user-notif", "runc"
  std::string name;  // for people
  Have have = Have::kYes;
  std::string value;                  // "6.18.44", "1.1.5 with libseccomp 2.5.4"; may be empty
  std::vector<std::string> commands;  // of whittle, that use it: "record", "verify --runtime runc"
  bool needed = false;                // those can't work without it, not even in part
  std::string costs;                  // when it is not there: one line
  std::string fix;
  // Of the commands, those that can\'t work without it although the others can.
  std::vector<std::string> needed_by = {};
};

// Asks the kernel, /proc, /sys and `RUNTIME --version`. Changes nothing. In a fixed order.
std::vector<MachineItem> look_at_machine();

struct CommandState {
  std::string command;
  enum class State : std::uint8_t { kWorks, kLimited, kMissing } state = State::kWorks;
  std::vector<std::string> lacks;  // ids of items
};
std::string command_state_name(CommandState::State state);  // "works", "limited", "missing"
// Each command of any item, in the order of their first mention. What is not known counts as there.
std::vector<CommandState> command_states(const std::vector<MachineItem>& items);

}  // namespace whittle::deploy
