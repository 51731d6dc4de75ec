#include "cli/doctor_report.h"

#include <algorithm>

#include "base/text.h"
#include "cli/output.h"

namespace whittle::cli {

namespace {

using deploy::CommandState;
using deploy::Have;
using deploy::MachineItem;

// What can be done when nothing is known of a failure.
const std::vector<std::string>& things_to_try() {
  static const std::vector<std::string> all = {
      "give more of it: `kubectl describe pod`, the events, and the last lines of the kubelet's, "
      "containerd's or CRI-O's log",
      "give the profile, too: whittle doctor TEXT --profile FILE",
      "ask about the container while it runs: whittle doctor --container ID --for 30s",
      "see whether the kernel wrote records: whittle audit",
      "try it without a profile (seccompProfile.type: Unconfined): when it fails all the same, no "
      "profile is at fault"};
  return all;
}

json::Value strings(const std::vector<std::string>& texts) {
  return json::Array(texts.begin(), texts.end());
}

std::string mark(Have have) {
  const std::string word = format("{:<8}", deploy::have_name(have));
  return have == Have::kYes ? good(word) : have == Have::kNo ? bad(word) : dim(word);
}

std::string state_text(CommandState::State state) {
  const std::string word = format("{:<8}", deploy::command_state_name(state));
  using State = CommandState::State;
  return state == State::kWorks ? good(word) : state == State::kMissing ? bad(word) : bold(word);
}

json::Value cause_json(const Cause& cause) {
  json::Value value;
  value.set("id", cause.failure->id).set("title", cause.failure->title);
  value.set("by", cause.by).set("general", cause.failure->general);
  value.set("shown", strings(cause.shown)).set("calls", strings(cause.calls));
  value.set("found", strings(cause.found)).set("why", cause.failure->why);
  value.set("fix", strings(cause.failure->fix)).set("sources", strings(cause.failure->sources));
  return value;
}

std::string list_text(std::string_view title, const std::vector<std::string>& lines) {
  if (lines.empty()) return {};
  std::string text = format("  {}\n", title);
  for (const std::string& line : lines) text += format("    {}\n", line);
  return text;
}

std::string cause_text(const Cause& cause) {
  std::string text = format("{}: {}\n", bold(cause.failure->id), cause.failure->title);
  text += list_text("what shows it", cause.shown);
  if (!cause.calls.empty()) text += format("  calls: {}\n", join(cause.calls, " "));
  text += list_text("looked up", cause.found);
  text += format("  why\n    {}\n", cause.failure->why);
  return text + list_text("fix", cause.failure->fix);
}

}  // namespace

std::string machine_text(const std::vector<MachineItem>& items,
                         const std::vector<CommandState>& commands) {
  std::string text;
  for (const MachineItem& item : items) {
    text += format("{}{}{}\n", mark(item.have), item.name,
                   item.value.empty() ? "" : ": " + printable(item.value));
    if (item.have == Have::kYes) continue;
    text += format("        for {}\n", join(item.commands, ", "));
    if (item.have == Have::kUnknown) continue;
    text += format("        costs: {}\n        fix: {}\n", item.costs, item.fix);
  }
  text += "\n";
  for (const CommandState& command : commands) {
    text += format("{}{}{}\n", state_text(command.state), command.command,
                   command.lacks.empty() ? "" : ", lacks " + join(command.lacks, ", "));
  }
  return text;
}

json::Value machine_json(const std::vector<MachineItem>& items,
                         const std::vector<CommandState>& commands) {
  json::Array all;
  for (const MachineItem& item : items) {
    json::Value value;
    value.set("id", item.id).set("name", item.name).set("have", deploy::have_name(item.have));
    value.set("value", item.value).set("commands", strings(item.commands));
    value.set("needed", item.needed).set("costs", item.costs).set("fix", item.fix);
    all.push_back(std::move(value));
  }
  json::Array states;
  for (const CommandState& command : commands) {
    json::Value value;
    value.set("command", command.command);
    value.set("state", deploy::command_state_name(command.state));
    value.set("lacks", strings(command.lacks));
    states.push_back(std::move(value));
  }
  json::Value result;
  result.set("machine", std::move(all)).set("commands", std::move(states));
  return result;
}

std::string causes_text(std::span<const Cause> causes, const Clues& clues) {
  std::string text;
  if (causes.empty()) {
    text += "not known: none of the failures that whittle knows is shown\n";
    text += list_text("what to try", things_to_try());
  } else {
    text += cause_text(causes.front());
  }
  for (const Cause& cause : causes.subspan(causes.empty() ? 0 : 1)) {
    text += format("  also: {}: {}{}\n", cause.failure->id, cause.failure->title,
                   cause.shown.empty() ? "" : format(" ({})", cause.shown.front()));
  }
  for (const std::string& fact : clues.facts) text += format("  note: {}\n", printable(fact, 400));
  return text;
}

json::Value causes_json(std::span<const Cause> causes, const Clues& clues) {
  json::Value value;
  value.set("known", !causes.empty());
  value.set("id", causes.empty() ? json::Value() : json::Value(causes.front().failure->id));
  json::Array all;
  for (const Cause& cause : causes) all.push_back(cause_json(cause));
  value.set("causes", std::move(all));
  value.set("notes", strings(clues.facts));
  value.set("try", causes.empty() ? strings(things_to_try()) : json::Value(json::Array()));
  return value;
}

}  // namespace whittle::cli
