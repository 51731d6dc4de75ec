#include "syscalls/arguments.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/embedded.h"
#include "base/text.h"
#include "syscalls/tsv.h"

WHITTLE_EMBEDDED(arguments_tsv)
WHITTLE_EMBEDDED(constants_tsv)
WHITTLE_EMBEDDED(legacy_tsv)

namespace whittle::syscalls {

namespace {

constexpr std::array<std::pair<std::string_view, ArgumentKind>, 3> kKinds = {{
    {"flags", ArgumentKind::kFlags},
    {"enum", ArgumentKind::kEnum},
    {"mode", ArgumentKind::kMode},
}};

constexpr std::uint64_t kWhole = UINT64_MAX;

// data/constants.tsv: by set, in the order of the file, and by symbol.
struct Constants {
  std::map<std::string_view, std::vector<Symbol>> sets;
  std::map<std::string_view, std::uint64_t> symbols;
};

// data/arguments.tsv: the specs and, beside each, the sets that name its values, one an index.
struct ArgumentTable {
  std::vector<ArgumentSpec> specs;  // sorted by call
  std::vector<std::vector<std::string_view>> sets;
};

Constants load_constants() {
  Constants constants;
  for (const auto& row : tsv_rows(embedded_constants_tsv())) {
    const std::uint64_t mask = row[1] == "all" ? kWhole : parse_u64(row[1]).value_or(0);
    const Symbol constant = {mask, row[2], parse_u64(row[3]).value_or(0)};
    for (const std::string_view set : tsv_list(row[0])) constants.sets[set].push_back(constant);
    constants.symbols.emplace(constant.name, constant.value);
  }
  return constants;
}

std::vector<std::uint8_t> small_numbers(std::string_view list) {
  std::vector<std::uint8_t> out;
  for (const std::string_view part : tsv_list(list)) {
    out.push_back(static_cast<std::uint8_t>(parse_u64(part).value_or(0)));
  }
  return out;
}

Level level_from_name(std::string_view name) {
  if (name == "base") return Level::kBase;
  return name == "safe" ? Level::kSafe : Level::kAll;
}

ArgumentTable load_arguments() {
  ArgumentTable table;
  for (const auto& row : tsv_rows(embedded_arguments_tsv())) {
    ArgumentSpec spec;
    spec.syscall = row[0];
    spec.indexes = small_numbers(row[1]);
    spec.kind = kind_from_name(row[2]).value_or(ArgumentKind::kEnum);
    spec.widths = small_numbers(row[3]);
    spec.level = level_from_name(row[4]);
    spec.per_architecture = row[5] == "yes";
    spec.in_struct = row[6] == "yes";
    for (const std::string_view name : tsv_list(row[7])) {
      if (const auto arch = arch_from_name(name)) spec.not_on.push_back(*arch);
    }
    spec.source = row[9];
    table.specs.push_back(std::move(spec));
    table.sets.push_back(tsv_list(row[8]));
  }
  return table;
}

const Constants& constants() {
  static const Constants loaded = load_constants();
  return loaded;
}

const ArgumentTable& arguments() {
  static const ArgumentTable loaded = load_arguments();
  return loaded;
}

std::string hex(std::uint64_t value) { return value == 0 ? "0" : format("{:#x}", value); }

// The value in the symbols of one set; what they do not cover is left as a number.
std::string in_words(std::string_view set, std::uint64_t value) {
  const auto found = constants().sets.find(set);
  // -1 is no set of flags: personality(2) takes it for "only tell".
  if (found == constants().sets.end() || value == UINT32_MAX || value == UINT64_MAX) {
    return hex(value);
  }
  std::vector<std::string> parts;
  std::uint64_t rest = value;
  for (const Symbol& c : found->second) {
    if (c.mask == kWhole ? value == c.value : value == 0 && c.value == 0) {
      return std::string(c.name);
    }
    if (c.mask == kWhole || c.value == 0 || (rest & c.mask) != c.value) continue;
    parts.emplace_back(c.name);
    rest &= ~c.mask;
  }
  if (rest != 0 || parts.empty()) parts.push_back(hex(rest));
  return join(parts, "|");
}

// The name of the set that holds for one index of a unit, given the words of the values before it:
// "option:0" is "option:SOL_TCP" when value 0 is SOL_TCP.
std::string set_name(std::string_view set, std::span<const std::string> before) {
  const std::size_t colon = set.find(':');
  if (colon == std::string_view::npos) return std::string(set);
  const auto position = parse_u64(set.substr(colon + 1));
  if (!position || *position >= before.size()) return {};
  return format("{}:{}", set.substr(0, colon), before[*position]);
}

// The set of one argument, whatever the arguments before it are; empty when it has none.
std::string set_of(std::string_view syscall, unsigned index) {
  const ArgumentTable& table = arguments();
  for (std::size_t i = 0; i < table.specs.size(); ++i) {
    const ArgumentSpec& spec = table.specs[i];
    if (spec.syscall != syscall) continue;
    for (std::size_t k = 0; k < spec.indexes.size(); ++k) {
      if (spec.indexes[k] == index) return set_name(table.sets[i][k], {});
    }
  }
  return {};
}

}  // namespace

std::span<const ArgumentSpec> argument_table() { return arguments().specs; }

std::span<const ArgumentSpec> argument_specs(std::string_view syscall) {
  const std::vector<ArgumentSpec>& specs = arguments().specs;
  const auto first =
      std::lower_bound(specs.begin(), specs.end(), syscall,
                       [](const ArgumentSpec& s, std::string_view n) { return s.syscall < n; });
  const auto last =
      std::upper_bound(first, specs.end(), syscall,
                       [](std::string_view n, const ArgumentSpec& s) { return n < s.syscall; });
  return {first, last};
}

std::span<const ArgumentSpec> argument_specs(Arch arch, std::string_view syscall) {
  const std::span<const ArgumentSpec> specs = argument_specs(syscall);
  if (specs.empty()) return {};
  const std::vector<Arch>& not_on = specs.front().not_on;
  return std::find(not_on.begin(), not_on.end(), arch) == not_on.end()
             ? specs
             : std::span<const ArgumentSpec>();
}

std::string_view kind_name(ArgumentKind kind) {
  return kKinds[static_cast<std::size_t>(kind)].first;
}

std::optional<ArgumentKind> kind_from_name(std::string_view name) {
  for (const auto& [text, kind] : kKinds) {
    if (text == name) return kind;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> constant(std::string_view symbol) {
  const auto it = constants().symbols.find(symbol);
  if (it == constants().symbols.end()) return std::nullopt;
  return it->second;
}

std::span<const Symbol> symbols(std::string_view syscall, unsigned index) {
  const auto found = constants().sets.find(set_of(syscall, index));
  if (found == constants().sets.end()) return {};
  return found->second;
}

std::string value_text(std::string_view syscall, unsigned index, std::uint64_t value) {
  const std::string set = set_of(syscall, index);
  return set.empty() ? hex(value) : in_words(set, value);
}

std::vector<std::string> tuple_text(std::string_view syscall, std::span<const unsigned> indexes,
                                    std::span<const std::uint64_t> values) {
  const ArgumentTable& table = arguments();
  const std::vector<std::string_view>* sets = nullptr;
  for (std::size_t i = 0; i < table.specs.size(); ++i) {
    const ArgumentSpec& spec = table.specs[i];
    if (spec.syscall == syscall &&
        std::equal(spec.indexes.begin(), spec.indexes.end(), indexes.begin(), indexes.end())) {
      sets = &table.sets[i];
    }
  }
  std::vector<std::string> words;
  for (std::size_t k = 0; k < values.size(); ++k) {
    words.push_back(sets == nullptr ? hex(values[k])
                                    : in_words(set_name((*sets)[k], words), values[k]));
  }
  return words;
}

std::vector<std::string> arguments_text(std::string_view syscall,
                                        std::span<const std::uint64_t> arguments) {
  std::vector<std::string> words;
  for (const std::uint64_t argument : arguments) words.push_back(hex(argument));
  for (const ArgumentSpec& spec : argument_specs(syscall)) {
    if (spec.in_struct || spec.indexes.back() >= arguments.size()) continue;
    std::vector<std::uint64_t> values;
    for (const std::uint8_t index : spec.indexes) values.push_back(arguments[index]);
    const std::vector<unsigned> indexes(spec.indexes.begin(), spec.indexes.end());
    const std::vector<std::string> texts = tuple_text(syscall, indexes, values);
    for (std::size_t i = 0; i < texts.size(); ++i) words[spec.indexes[i]] = texts[i];
  }
  return words;
}

std::span<const LegacyCall> legacy_calls() {
  static const std::vector<LegacyCall> loaded = [] {
    std::vector<LegacyCall> calls;
    for (const auto& row : tsv_rows(embedded_legacy_tsv())) {
      const std::vector<std::string_view> modern = tsv_list(row[1]);
      calls.push_back({std::string(row[0]), {modern.begin(), modern.end()}});
    }
    return calls;
  }();
  return loaded;
}

}  // namespace whittle::syscalls
