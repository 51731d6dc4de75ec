#include "cli/comparison_report.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "cli/output.h"
#include "filter/change_text.h"
#include "syscalls/table.h"

namespace whittle::cli {

namespace {

using filter::Change;
using filter::Direction;
using syscalls::Arch;

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

}  // namespace

json::Value comparison_json(const filter::Comparison& comparison) {
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

namespace {

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

}  // namespace

std::string comparison_text(const filter::Comparison& comparison, const std::vector<Arch>& arches) {
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

}  // namespace whittle::cli
