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

bool has_option(const Verb& verb, std::string_view name) {
  return std::any_of(verb.options.begin(), verb.options.end(),
                     [name](const Option& option) { return option.name == name; });
}

// The options of all sub-commands; what each is for says which of them take it.
std::vector<Option> all_options() {
  std::vector<Option> all;
  for (const Verb* command : commands()) {
    for (const Option& option : command->options) {
      const auto at = std::find_if(all.begin(), all.end(),
                                   [&](const Option& other) { return other.name == option.name; });
      if (at != all.end()) continue;
      std::vector<std::string> takers;
      for (const Verb* taker : commands()) {
        if (has_option(*taker, option.name)) takers.push_back(taker->name);
      }
      all.push_back(option);
      if (takers.size() != commands().size()) {
        all.back().help = join(takers, ", ") + ": " + option.help;
      }
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
    if (has_option(command, option)) continue;
    return input_error(format("kube {}: the option {} is not one of it", name, option), {},
                       "see `whittle kube --help`");
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
      .operand = join(names(), ", "),
      .least_operands = 1,
      .most_operands = SIZE_MAX,
      .run = run_kube,
  };
  return verb;
}

}  // namespace whittle::cli
