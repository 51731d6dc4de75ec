#include <algorithm>

#include "base/text.h"
#include "cli/compiled_profile.h"
#include "cli/load_profile.h"
#include "cli/output.h"
#include "cli/verbs_list.h"
#include "filter/change_text.h"
#include "filter/compare.h"
#include "syscalls/table.h"

namespace whittle::cli {

namespace {

using filter::Change;
using filter::Direction;
using syscalls::Arch;

// Both profiles as filters, and the ABIs to compare.
struct Pair {
  filter::Program before;
  filter::Program after;
  std::vector<Arch> arches;
};

// What --arch names, in the order of syscalls::kAllArches; empty without it.
Result<std::vector<Arch>> asked_arches(const Arguments& arguments) {
  std::vector<Arch> asked;
  const auto list = arguments.value("--arch");
  if (!list) return asked;
  for (const std::string& word : split(*list, ',')) {
    const auto arch =
        std::find_if(syscalls::kAllArches.begin(), syscalls::kAllArches.end(), [&word](Arch a) {
          return word == syscalls::arch_name(a) || word == syscalls::docker_arch(a);
        });
    if (arch == syscalls::kAllArches.end()) {
      return input_error(format("--arch: unknown architecture \"{}\"", printable(word)), {},
                         "known are x86_64 (amd64), x86, x32, aarch64 (arm64) and arm; several as "
                         "in x86_64,x32");
    }
    asked.push_back(*arch);
  }
  std::sort(asked.begin(), asked.end());
  asked.erase(std::unique(asked.begin(), asked.end()), asked.end());
  const auto other_family = [&asked](Arch arch) {
    return syscalls::native_of(arch) != syscalls::native_of(asked.front());
  };
  if (std::any_of(asked.begin(), asked.end(), other_family)) {
    return input_error("--arch: these architectures are not of one machine", {},
                       "compare x86_64, x86 and x32 in one run, aarch64 and arm in another");
  }
  return asked;
}

// All that one of the two covers.
std::vector<Arch> united(std::vector<Arch> arches, const std::vector<Arch>& more) {
  arches.insert(arches.end(), more.begin(), more.end());
  std::sort(arches.begin(), arches.end());
  arches.erase(std::unique(arches.begin(), arches.end()), arches.end());
  return arches;
}

Result<Pair> read_pair(const Arguments& arguments) {
  const std::string& first = arguments.operands().at(0);
  const std::string& second = arguments.operands().at(1);
  if (first == "-" && second == "-") {
    return input_error("diff: standard input can be one of the two profiles only");
  }
  TRY_ASSIGN(std::vector<Arch> asked, asked_arches(arguments));
  Arguments rest = arguments;
  rest.options_.erase("--arch");
  TRY_ASSIGN(profile::Setting setting, setting_of(rest));
  if (!asked.empty()) setting.arch = syscalls::native_of(asked.front());
  TRY_ASSIGN(FilterInput before, FilterInput::start(first, setting, arguments));
  TRY_ASSIGN(FilterInput after, FilterInput::start(second, setting, arguments));
  Pair pair;
  pair.arches = asked.empty() ? united(before.arches(), after.arches()) : std::move(asked);
  TRY_ASSIGN(filter::Compiled compiled_before, before.finish());
  TRY_ASSIGN(filter::Compiled compiled_after, after.finish());
  if (compiled_before.skipped == compiled_after.skipped) {
    warn_of_skipped(compiled_after.skipped, "both profiles");
  } else {
    warn_of_skipped(compiled_before.skipped, first);
    warn_of_skipped(compiled_after.skipped, second);
  }
  warn_of_untold(compiled_before.untold, first);
  warn_of_untold(compiled_after.untold, second);
  pair.before = std::move(compiled_before.program);
  pair.after = std::move(compiled_after.program);
  return pair;
}

json::Value to_json(const profile::Verdict& verdict) {
  json::Value value;
  value.set("action", profile::action_name(verdict.action));
  value.set("data", static_cast<unsigned>(verdict.data));
  return value;
}

void set_numbers(json::Value& value, const filter::Numbers& numbers) {
  value.set("nr_from", numbers.first).set("nr_to", numbers.last);
}

json::Value to_json(const Change& change) {
  json::Value witness;
  if (change.scope != Change::Scope::kCall) witness.set("nr", change.nr);
  json::Array numbers;
  json::Array hex;
  for (const std::uint64_t arg : change.args) {
    numbers.emplace_back(arg);
    hex.emplace_back(format("{:#x}", arg));
  }
  witness.set("args", std::move(numbers)).set("hex", std::move(hex));
  witness.set("before", to_json(change.verdict_before));
  witness.set("after", to_json(change.verdict_after));

  json::Value value;
  value.set("arch", syscalls::arch_name(change.arch));
  if (change.scope == Change::Scope::kCall) {
    value.set("syscall", change.name).set("nr", change.nr);
  } else {
    value.set("syscall", nullptr).set("nr", nullptr);
    set_numbers(value, change.numbers);
  }
  if (change.scope == Change::Scope::kArchitecture) value.set("whole_arch", true);
  value.set("direction", filter::direction_name(change.direction));
  value.set("text", filter::headline(change));
  value.set("before", filter::before_text(change));
  value.set("after", filter::after_text(change));
  value.set("witness", std::move(witness));
  return value;
}

json::Value to_json(const filter::Comparison& comparison) {
  json::Array changes;
  for (const Change& change : comparison.changes) changes.push_back(to_json(change));
  json::Value value;
  value.set("equivalent", comparison.equivalent());
  value.set("decided", comparison.undecided.empty());
  value.set("changes", std::move(changes));
  json::Array undecided;
  for (const filter::Undecided& each : comparison.undecided) {
    json::Value item;
    item.set("arch", syscalls::arch_name(each.arch));
    set_numbers(item, each.numbers);
    undecided.push_back(std::move(item));
  }
  value.set("undecided", std::move(undecided));
  return value;
}

constexpr std::size_t kMostRunsShown = 3;

// What changed, and on which ABIs.
struct Subject {
  std::string text;
  bool unnamed = false;
  std::vector<std::string> arches;
};

// Changes of one direction that read alike: one line of the text for many calls and ABIs.
struct Entry {
  std::string headline;
  std::string before;
  std::string after;
  std::string example;            // of the first call; empty where the headline says it all
  std::vector<Subject> subjects;  // in the order in which they were found
};

std::string example_of(const Change& change) {
  if (change.before->constant() && change.after->constant()) return {};
  std::vector<std::string> args;
  for (const std::uint64_t arg : change.args) args.push_back(format("{:#x}", arg));
  while (args.size() > 1 && args.back() == "0x0") args.pop_back();
  return format("{}({}) on {}: {}, now {}", syscalls::display_name(change.arch, change.nr),
                join(args, ", "), syscalls::arch_name(change.arch),
                profile::verdict_text(change.verdict_before),
                profile::verdict_text(change.verdict_after));
}

// On ABIs of 32 bits only the low half of an argument counts, which is no difference to a reader.
std::string without_halves(std::string text) {
  constexpr std::string_view kLow = "low ";
  for (std::size_t at = 0; (at = text.find(kLow, at)) != std::string::npos;) {
    text.erase(at, kLow.size());
  }
  return text;
}

bool read_alike(const Entry& a, const Entry& b) {
  return without_halves(a.headline) == without_halves(b.headline) &&
         without_halves(a.before) == without_halves(b.before) &&
         without_halves(a.after) == without_halves(b.after);
}

void add(std::vector<Entry>& entries, const Change& change) {
  const Subject subject{filter::subject_text(change), change.scope == Change::Scope::kUnnamed, {}};
  const Entry made{filter::headline(change),
                   filter::before_text(change),
                   filter::after_text(change),
                   example_of(change),
                   {}};
  auto entry = std::find_if(entries.begin(), entries.end(), [&](const Entry& e) {
    // Conditions are told call by call, even when they are the same.
    return read_alike(e, made) && (made.example.empty() || e.subjects.front().text == subject.text);
  });
  if (entry == entries.end()) entry = entries.insert(entry, made);
  auto known = std::find_if(entry->subjects.begin(), entry->subjects.end(),
                            [&subject](const Subject& s) { return s.text == subject.text; });
  if (known == entry->subjects.end()) known = entry->subjects.insert(known, subject);
  known->arches.emplace_back(syscalls::arch_name(change.arch));
}

// Names in alphabetical order, then numbers; many of those are only counted.
std::string list_text(std::vector<const Subject*> subjects) {
  std::vector<std::string> names;
  std::vector<std::string> numbers;
  for (const Subject* subject : subjects) {
    (subject->unnamed ? numbers : names).push_back(subject->text);
  }
  std::sort(names.begin(), names.end());
  if (numbers.size() > kMostRunsShown) {
    numbers = {format("{} runs of numbers without a name", numbers.size())};
  }
  names.insert(names.end(), numbers.begin(), numbers.end());
  return join(names, ", ");
}

// "io_uring_enter, io_uring_setup (x86_64, x86); socketcall (x86)".
std::string subjects_text(const Entry& entry) {
  std::vector<std::pair<std::string, std::vector<const Subject*>>> by_arches;
  for (const Subject& subject : entry.subjects) {
    const std::string where = join(subject.arches, ", ");
    auto group = std::find_if(by_arches.begin(), by_arches.end(),
                              [&where](const auto& g) { return g.first == where; });
    if (group == by_arches.end()) group = by_arches.insert(group, {where, {}});
    group->second.push_back(&subject);
  }
  std::vector<std::string> texts;
  for (const auto& [where, subjects] : by_arches) {
    texts.push_back(format("{} ({})", list_text(subjects), where));
  }
  return join(texts, "; ");
}

std::string to_text(const Entry& entry) {
  std::string text = format("  {}: {}\n", subjects_text(entry), entry.headline);
  if (entry.example.empty()) return text;
  text += dim(format("    before:  {}\n    after:   {}\n    example: {}\n", entry.before,
                     entry.after, entry.example));
  return text;
}

std::string title(Direction direction) {
  const std::string name(filter::direction_name(direction));
  if (direction == Direction::kLooser) return bad(name);
  return direction == Direction::kTighter ? good(name) : bold(name);
}

std::string to_text(const filter::Comparison& comparison, const std::vector<Arch>& arches) {
  std::vector<std::string> names;
  for (const Arch arch : arches) names.emplace_back(syscalls::arch_name(arch));
  if (comparison.equivalent()) {
    return format("{}: no call is answered otherwise on {}\n", good("equivalent"),
                  join(names, ", "));
  }
  std::string text;
  for (const Direction direction : {Direction::kLooser, Direction::kTighter, Direction::kOther}) {
    std::vector<Entry> entries;
    for (const Change& change : comparison.changes) {
      if (change.direction == direction) add(entries, change);
    }
    if (entries.empty()) continue;
    text += title(direction) + "\n";
    for (const Entry& entry : entries) text += to_text(entry);
  }
  if (!comparison.undecided.empty()) text += bad("not decided") + "\n";
  for (const filter::Undecided& each : comparison.undecided) {
    text += format("  numbers {} to {} ({}): the filters can't be compared exactly\n",
                   each.numbers.first, each.numbers.last, syscalls::arch_name(each.arch));
  }
  return text;
}

bool fails(const filter::Comparison& comparison, bool on_looser_only) {
  if (!on_looser_only) return !comparison.equivalent();
  return !comparison.undecided.empty() ||
         std::any_of(comparison.changes.begin(), comparison.changes.end(),
                     [](const Change& c) { return c.direction == Direction::kLooser; });
}

Result<int> run_diff(const Arguments& arguments) {
  TRY(choose_libseccomp(arguments));
  TRY_ASSIGN(const Pair pair, read_pair(arguments));
  TRY_ASSIGN(const filter::Comparison comparison,
             filter::compare(pair.before, pair.after, pair.arches));
  if (arguments.flag("--json")) {
    json::Value value = to_json(comparison);
    set_libseccomp(value);
    TRY(print_json(value));
  } else {
    TRY(print_result(to_text(comparison, pair.arches)));
  }
  return fails(comparison, arguments.value_or("--fail-on", "any") == "looser") ? 1 : 0;
}

}  // namespace

const Verb& diff_verb() {
  static const Verb verb = {
      .name = "diff",
      .summary = "what changes between two profiles, over all calls and all argument values",
      .synopsis = "P P [--fail-on any|looser] [--arch A,B] [--runtime runc|crun|none] [--json]",
      .description =
          "Compiles both profiles as the runtime does and compares the filters that come out: "
          "every architecture, every number, every argument value. A change is `looser` when the "
          "second lets arguments through that the first does not, `tighter` the other way round, "
          "and `other` when the same gets through and something is refused otherwise, with "
          "another errno for example. Each comes with a call that shows it, tried in both "
          "filters.\n\n"
          "P is a file, - for standard input, or baseline:ID. All architectures that one of the "
          "two lists are compared, unless --arch names some.\n\n"
          "The exit status is 0 when nothing changes, and 1 when something does, or with "
          "--fail-on looser when something gets looser; also when a filter is made so that the "
          "answer can't be told.",
      .examples = {"whittle diff old.profile.json new.profile.json",
                   "whittle diff baseline:docker@29.4.2 baseline:docker@29.4.3 --arch x86",
                   "git show HEAD:nginx.profile.json | whittle diff - nginx.profile.json "
                   "--fail-on looser"},
      .options = {{"--fail-on",
                   0,
                   "WHAT",
                   "which change gives exit status 1: any (default), or looser only",
                   {"any", "looser"}},
                  {"--arch", 0, "LIST", "compare these architectures only, as in x86_64,x32"},
                  {"--caps", 0, "LIST",
                   "for a baseline: the container's capabilities, as in docker,SYS_ADMIN"},
                  {"--kernel", 0, "VERSION", "for a baseline: the kernel of the host, as in 6.18"},
                  runtime_option(),
                  libseccomp_option(),
                  {"--json", 0, "", "print JSON"}},
      .operand = "P and P",
      .least_operands = 2,
      .most_operands = 2,
      .run = run_diff,
  };
  return verb;
}

}  // namespace whittle::cli
