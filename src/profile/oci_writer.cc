// Writes a profile in one order, without changing what it means or what runtimes make of it.
//
// For one call order matters in two ways. Among unconditional rules the first wins, but a runtime
// drops a rule equal to the default before that, so a shadowed rule may come to light and must keep
// its place behind. Among conditional rules of different verdicts the first match wins. So:
//   - unconditional rules stand in layers: layer 0 holds the first verdict of each call, layer 1
//   the
//     second different one, and so on. A call stands once in a layer, so its rules may be grouped
//     by verdict there. Most profiles have one layer.
//   - conditional rules come after them (no runtime and no reading of the standard minds), sorted
//   by
//     call; those of one call are sorted too when all have one verdict, else they keep their order.
//   - an exact repetition is dropped.
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/json.h"
#include "base/text.h"
#include "profile/oci_words.h"
#include "profile/profile.h"

namespace whittle::profile {

namespace {

constexpr std::size_t kColumns = 100;
// crun looks at the first six conditions of a rule only: more than those keep their order.
constexpr std::size_t kCrunConditions = 6;

using Conditions = std::vector<Condition>;
// From the most permissive action down, then by data.
using GroupKey = std::pair<int, std::uint16_t>;

GroupKey group_key(const Verdict& verdict) {
  return {-static_cast<int>(verdict.action), verdict.data};
}

struct CallRules {
  std::vector<Verdict> unconditional;                       // different ones, in order
  std::vector<std::pair<Conditions, Verdict>> conditional;  // different ones, in order
  std::set<std::pair<Conditions, GroupKey>> seen;
};

Conditions canonical(Conditions conditions) {
  for (Condition& condition : conditions) {
    if (condition.op != Operator::kMaskedEq) condition.value_two = 0;
  }
  if (conditions.size() <= kCrunConditions) std::sort(conditions.begin(), conditions.end());
  return conditions;
}

std::map<std::string, CallRules> rules_by_call(const std::vector<Rule>& rules) {
  std::map<std::string, CallRules> calls;
  for (const Rule& rule : rules) {
    const Conditions conditions = canonical(rule.args);
    for (const std::string& name : rule.names) {
      CallRules& call = calls[name];
      if (!call.seen.emplace(conditions, group_key(rule.verdict)).second) continue;
      if (conditions.empty()) {
        call.unconditional.push_back(rule.verdict);
      } else {
        call.conditional.emplace_back(conditions, rule.verdict);
      }
    }
  }
  for (auto& entry : calls) {
    CallRules& call = entry.second;
    const bool one_verdict = std::all_of(
        call.conditional.begin(), call.conditional.end(),
        [&call](const auto& rule) { return rule.second == call.conditional.front().second; });
    if (!one_verdict) continue;
    std::sort(call.conditional.begin(), call.conditional.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
  }
  return calls;
}

std::string quoted_list(const std::vector<std::string>& words) {
  std::vector<std::string> quoted;
  quoted.reserve(words.size());
  for (const std::string& word : words) quoted.push_back(json::quote(word));
  return join(quoted, ", ");
}

std::string verdict_members(const Verdict& verdict) {
  std::string out = format("\"action\": \"{}\"", oci_action(verdict.action));
  if (takes_errno(verdict.action)) out += format(", \"errnoRet\": {}", verdict.data);
  return out;
}

std::string conditions_list(const Conditions& conditions) {
  std::vector<std::string> items;
  for (const Condition& c : conditions) {
    std::string item = format("{{\"index\": {}, \"value\": {}", c.index, c.value);
    if (c.op == Operator::kMaskedEq) item += format(", \"valueTwo\": {}", c.value_two);
    items.push_back(item + format(", \"op\": \"{}\"}}", operator_name(c.op)));
  }
  return join(items, ", ");
}

// One line; past kColumns a line for the names of each first letter, so that adding a name changes
// one line and moves no other.
std::string group_text(const std::vector<std::string>& names, const Verdict& verdict) {
  std::string line =
      format("    {{\"names\": [{}], {}}}", quoted_list(names), verdict_members(verdict));
  if (line.size() <= kColumns) return line;
  std::vector<std::string> lines;
  for (auto begin = names.begin(); begin != names.end();) {
    const auto end = std::find_if(begin, names.end(),
                                  [&](const std::string& name) { return name[0] != (*begin)[0]; });
    lines.push_back("      " + quoted_list({begin, end}));
    begin = end;
  }
  return format("    {{\"names\": [\n{}\n    ], {}}}", join(lines, ",\n"),
                verdict_members(verdict));
}

std::vector<std::string> rule_texts(const std::vector<Rule>& rules) {
  const auto calls = rules_by_call(rules);
  std::vector<std::map<GroupKey, std::pair<Verdict, std::vector<std::string>>>> layers;
  for (const auto& [name, call] : calls) {
    if (layers.size() < call.unconditional.size()) layers.resize(call.unconditional.size());
    for (std::size_t i = 0; i < call.unconditional.size(); ++i) {
      auto& [verdict, names] = layers[i][group_key(call.unconditional[i])];
      verdict = call.unconditional[i];
      names.push_back(name);
    }
  }
  std::vector<std::string> texts;
  for (const auto& layer : layers) {
    for (const auto& [key, group] : layer) texts.push_back(group_text(group.second, group.first));
  }
  for (const auto& [name, call] : calls) {
    for (const auto& [conditions, verdict] : call.conditional) {
      texts.push_back(format("    {{\"names\": [{}], {}, \"args\": [{}]}}", json::quote(name),
                             verdict_members(verdict), conditions_list(conditions)));
    }
  }
  return texts;
}

std::vector<std::string> sorted(std::vector<std::string> words) {
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  return words;
}

}  // namespace

std::string write_oci(const Profile& profile) {
  const Profile::Parts& parts = profile.parts();
  std::vector<std::string> members;
  const Verdict& verdict = parts.default_verdict;
  members.push_back(format("  \"defaultAction\": \"{}\"", oci_action(verdict.action)));
  if (takes_errno(verdict.action)) {
    members.push_back(format("  \"defaultErrnoRet\": {}", verdict.data));
  }
  if (!parts.architectures.empty()) {
    members.push_back(
        format("  \"architectures\": [{}]", quoted_list(sorted(parts.architectures))));
  }
  if (!parts.flags.empty() || parts.no_flags) {
    members.push_back(format("  \"flags\": [{}]", quoted_list(sorted(parts.flags))));
  }
  if (!parts.listener_path.empty()) {
    members.push_back("  \"listenerPath\": " + json::quote(parts.listener_path));
  }
  if (!parts.listener_metadata.empty()) {
    members.push_back("  \"listenerMetadata\": " + json::quote(parts.listener_metadata));
  }
  const auto texts = rule_texts(parts.rules);
  members.push_back(texts.empty() ? "  \"syscalls\": []"
                                  : "  \"syscalls\": [\n" + join(texts, ",\n") + "\n  ]");
  return "{\n" + join(members, ",\n") + "\n}\n";
}

}  // namespace whittle::profile
