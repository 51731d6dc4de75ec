#include "cli/verb_kube.h"

#include <algorithm>

#include "base/text.h"
#include "cli/verbs_list.h"

namespace whittle::cli {

namespace {

// The one place where a sub-command is added.
const std::vector<const Verb*>& commands() {
  static const std::vector<const Verb*> all = {&kube_check_verb(), &kube_export_verb(),
                                               &kube_patch_verb()};
  return all;
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const Verb* command : commands()) all.push_back(command->name);
  return all;
}

const Option* find_option(const Verb& verb, std::string_view name) {
  const auto at = std::find_if(verb.options.begin(), verb.options.end(),
                               [name](const Option& option) { return option.name == name; });
  return at == verb.options.end() ? nullptr : &*at;
}

// "check, patch: what to set": who takes an option, and for what.
std::string help_of(std::string_view option) {
  std::vector<std::pair<std::string, std::vector<std::string>>> texts;  // with who says so
  for (const Verb* command : commands()) {
    const Option* own = find_option(*command, option);
    if (own == nullptr) continue;
    const auto same = std::find_if(texts.begin(), texts.end(),
                                   [own](const auto& one) { return one.first == own->help; });
    if (same == texts.end()) {
      texts.push_back({own->help, {command->name}});
    } else {
      same->second.push_back(command->name);
    }
  }
  if (texts.size() == 1 && texts[0].second.size() == commands().size()) return texts[0].first;
  std::string help;
  for (const auto& [text, takers] : texts) {
    help += format("{}{}: {}", help.empty() ? "" : "; ", join(takers, ", "), text);
  }
  return help;
}

// The options of all sub-commands.
std::vector<Option> all_options() {
  std::vector<Option> all;
  for (const Verb* command : commands()) {
    for (const Option& option : command->options) {
      const bool there = std::any_of(all.begin(), all.end(), [&option](const Option& other) {
        return other.name == option.name;
      });
      if (there) continue;
      all.push_back(option);
      all.back().help = help_of(option.name);
    }
  }
  return all;
}

std::string synopsis() {
  std::string text;
  for (const Verb* command : commands()) {
    text += (text.empty() ? "" : " | ") + command->name + " " + command->synopsis;
  }
  return text;
}

std::string description() {
  std::string text;
  for (const Verb* command : commands()) {
    text += (text.empty() ? "" : "\n\n") + command->description;
  }
  return text;
}

std::vector<std::string> examples() {
  std::vector<std::string> all;
  for (const Verb* command : commands()) {
    all.insert(all.end(), command->examples.begin(), command->examples.end());
  }
  return all;
}

Result<int> run_kube(const Arguments& arguments) {
  const std::string& name = arguments.operands().at(0);
  const auto at = std::find_if(commands().begin(), commands().end(),
                               [&](const Verb* command) { return command->name == name; });
  if (at == commands().end()) {
    const auto near = nearest(name, names());
    return input_error(format("kube: unknown argument \"{}\"", printable(name)), {},
                       near ? format("did you mean `whittle kube {}`?", *near)
                            : "it is one of " + join(names(), ", "));
  }
  const Verb& command = **at;
  for (const auto& [option, values] : arguments.options_) {
    if (find_option(command, option) != nullptr) continue;
    return input_error(format("kube {}: {} is an option of another command of kube", name, option),
                       {}, "see `whittle kube --help`");
  }
  Arguments own = arguments;
  own.operands_.erase(own.operands_.begin());
  if (own.operands_.size() < command.least_operands) {
    return input_error(format("kube {}: {} is missing", name, command.operand), {},
                       format("whittle kube {} {}", name, command.synopsis));
  }
  if (own.operands_.size() > command.most_operands) {
    return input_error(format("kube {}: unexpected argument \"{}\"", name,
                              printable(own.operands_[command.most_operands])),
                       {}, format("whittle kube {} {}", name, command.synopsis));
  }
  return command.run(own);
}

}  // namespace

const Verb& kube_verb() {
  static const Verb verb = {
      .name = "kube",
      .summary = "Kubernetes: manifests checked and put right, objects that bring profiles to pods",
      .synopsis = synopsis(),
      .description = description(),
      .examples = examples(),
      .options = all_options(),
      .operand = join(names(), " or "),
      .least_operands = 1,
      .most_operands = SIZE_MAX,
      .run = run_kube,
  };
  return verb;
}

}  // namespace whittle::cli
