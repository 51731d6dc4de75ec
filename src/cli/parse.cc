#include "cli/parse.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>

#include "base/text.h"

namespace whittle::cli {

namespace {

using Words = std::vector<std::string>;

std::string see_help(const Verb& verb) { return format("see `whittle {} --help`", verb.name); }

tl::unexpected<Error> usage_error(const Verb& verb, const std::string& message,
                                  const std::string& hint = {}) {
  return input_error(format("{}: {}", verb.name, message), {},
                     hint.empty() ? see_help(verb) : hint);
}

bool same_letters(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char one, unsigned char other) {
                      return std::tolower(one) == std::tolower(other);
                    });
}

std::string shown(std::string_view word) { return "\"" + printable(word) + "\""; }

Words option_names(const Verb& verb) {
  Words names = {"--help"};
  for (const Option& option : verb.options) names.push_back(option.name);
  return names;
}

tl::unexpected<Error> unknown_option(const Verb& verb, const std::string& word) {
  const std::string name = word.substr(0, word.find('='));
  const auto meant = nearest(name, option_names(verb));
  return usage_error(verb, "unknown option " + shown(name),
                     meant ? format("did you mean {}? {}", *meant, see_help(verb)) : "");
}

tl::unexpected<Error> needs_value(const Verb& verb, const Option& option) {
  return usage_error(verb, format("{} needs a value", option.name),
                     format("write {} {}", option.name, option.metavar));
}

const Option* find_option(const Verb& verb, std::string_view name) {
  const auto at = std::find_if(verb.options.begin(), verb.options.end(),
                               [&](const Option& option) { return option.name == name; });
  return at == verb.options.end() ? nullptr : &*at;
}

// One of the option's choices is put into value as it is written there, in whatever letters it was
// given.
Result<void> check_value(const Verb& verb, const Option& option, std::string& value) {
  // "-o --json" is a forgotten value, not a file of that name.
  if (value.empty() || find_option(verb, value) != nullptr) return needs_value(verb, option);
  if (option.choices.empty()) return {};
  const auto same = std::find_if(option.choices.begin(), option.choices.end(),
                                 [&](const std::string& one) { return same_letters(one, value); });
  if (same != option.choices.end()) {
    value = *same;
    return {};
  }
  const auto meant = nearest(value, option.choices);
  const std::string all = "one of " + join(option.choices, ", ");
  return usage_error(verb, format("{} does not take {}", option.name, shown(value)),
                     meant ? format("did you mean {}? {}", *meant, all) : all);
}

// CLI11's message starts with the name of the option: "--output: 1 required TEXT missing", "json
// was given a disallowed flag override".
tl::unexpected<Error> usage_error_of(const Verb& verb, const std::string& message) {
  std::string name = message.substr(0, message.find_first_of(": "));
  if (!name.starts_with('-')) name = "--" + name;
  const Option* option = find_option(verb, name);
  if (option != nullptr && !option->metavar.empty()) return needs_value(verb, *option);
  return usage_error(verb, name + " takes no value");
}

// What CLI11 found, as plain data: options with their values, and all other words in order.
struct Split {
  std::map<std::string, Words, std::less<>> options;
  Words others;
};

// CLI11 knows the verb's options only. It gets no operands, because it takes a word in brackets
// apart when it fills a list of them.
Result<Split> split_words(const Verb& verb, std::span<const std::string> words) {
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  app.add_flag("-h,--help")->disable_flag_override();
  for (const Option& option : verb.options) {
    const std::string names =
        option.letter == 0 ? option.name : format("-{},{}", option.letter, option.name);
    if (option.metavar.empty()) {
      app.add_flag(names)->disable_flag_override();
    } else {
      app.add_option(names)
          ->expected(1)
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
          ->allow_extra_args(false);
    }
  }
  try {
    app.parse(Words(words.rbegin(), words.rend()));
  } catch (const CLI::ParseError& error) {
    return usage_error_of(verb, error.what());
  }
  Split split;
  for (const std::string& name : option_names(verb)) {
    const CLI::Option* option = app.get_option(name);
    if (option->count() > 0) split.options[name] = option->results();
  }
  split.others = app.remaining();
  return split;
}

Result<void> check_operands(const Verb& verb, const Arguments& arguments) {
  const Words& operands = arguments.operands();
  if (operands.size() > verb.most_operands) {
    const std::string extra = shown(operands[verb.most_operands]);
    return usage_error(verb, "unexpected argument " + extra,
                       verb.takes_command && arguments.command_.empty()
                           ? format("a command stands after --: whittle {} -- CMD...", verb.name)
                           : format("usage: whittle {} {}", verb.name, verb.synopsis));
  }
  if (operands.size() < verb.least_operands) {
    const std::string message = operands.empty() ? format("{} is missing", verb.operand)
                                                 : format("{} of at least {} arguments given",
                                                          operands.size(), verb.least_operands);
    return usage_error(verb, message, format("usage: whittle {} {}", verb.name, verb.synopsis));
  }
  return {};
}

}  // namespace

Result<const Verb*> find_verb(const std::string& name) {
  Words names = {"help", "--help", "--version"};
  for (const Verb& verb : verbs()) {
    if (verb.name == name) return &verb;
    names.push_back(verb.name);
  }
  const auto meant = nearest(name, names);
  constexpr std::string_view kList = "`whittle --help` lists the commands";
  return input_error(
      format("unknown {} {}", name.starts_with('-') ? "option" : "command", shown(name)), {},
      meant ? format("did you mean `whittle {}`? {}", *meant, kList) : std::string(kList));
}

Result<Arguments> parse_arguments(const Verb& verb, std::span<const std::string> words) {
  const auto mark = std::find(words.begin(), words.end(), "--");
  const auto before = words.first(static_cast<std::size_t>(mark - words.begin()));
  const auto after = words.subspan(before.size() + (mark == words.end() ? 0 : 1));
  TRY_ASSIGN(Split split, split_words(verb, before));
  Arguments arguments;
  arguments.options_ = std::move(split.options);
  if (arguments.flag("--help")) return arguments;
  for (const std::string& word : split.others) {
    const bool number = word.size() > 1 && word[1] >= '0' && word[1] <= '9';
    if (word.size() > 1 && word[0] == '-' && !number) return unknown_option(verb, word);
    arguments.operands_.push_back(word);
  }
  Words& rest = verb.takes_command ? arguments.command_ : arguments.operands_;
  rest.insert(rest.end(), after.begin(), after.end());
  for (const Option& option : verb.options) {
    if (option.metavar.empty()) continue;
    const auto given = arguments.options_.find(option.name);
    if (given == arguments.options_.end()) continue;
    for (std::string& value : given->second) TRY(check_value(verb, option, value));
  }
  if (verb.takes_command && mark != words.end() && arguments.command_.empty()) {
    return usage_error(verb, "no command after --",
                       format("usage: whittle {} {}", verb.name, verb.synopsis));
  }
  TRY(check_operands(verb, arguments));
  const bool needs_command =
      verb.takes_command && !verb.command_optional && verb.most_operands == 0;
  if (needs_command && arguments.command_.empty()) {
    return usage_error(verb, "no command given",
                       format("usage: whittle {} {}", verb.name, verb.synopsis));
  }
  return arguments;
}

bool Arguments::flag(std::string_view option) const { return options_.contains(option); }

std::optional<std::string> Arguments::value(std::string_view option) const {
  const auto at = options_.find(option);
  if (at == options_.end() || at->second.empty()) return std::nullopt;
  return at->second.back();
}

std::string Arguments::value_or(std::string_view option, std::string fallback) const {
  return value(option).value_or(std::move(fallback));
}

std::vector<std::string> Arguments::values(std::string_view option) const {
  const auto at = options_.find(option);
  return at == options_.end() ? Words{} : at->second;
}

}  // namespace whittle::cli
