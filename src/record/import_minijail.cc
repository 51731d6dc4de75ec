// Policies of minijail, also as its generate_seccomp_policy.py writes them, and its frequency files
// (minijail0(5)):
//
//   read: 1
//   ioctl: arg1 == 0x5401 || arg1 == TIOCGWINSZ
//   mmap: arg2 in ~PROT_EXEC || arg2 in ~PROT_WRITE
//   ptrace: return EPERM
#include <algorithm>
#include <cctype>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "record/import_format.h"
#include "record/import_values.h"
#include "syscalls/table.h"

namespace whittle::record {

namespace {

// The parts of the text between a separator of two characters, trimmed.
std::vector<std::string_view> parts_of(std::string_view text, std::string_view separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t at = text.find(separator);
    parts.push_back(trim(text.substr(0, at)));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + separator.size());
  }
}

bool is_refusal(std::string_view word) {
  return word.starts_with("return ") || word == "trap" || word == "trace" ||
         word == "user-notify" || word.starts_with("kill");
}

struct Rule {
  std::string_view name;
  std::string_view value;
};

// "NAME: VALUE"; nullopt: it is none.
std::optional<Rule> split_rule(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  Rule rule = {trim(text.substr(0, colon)), trim(text.substr(colon + 1))};
  // Conditions on the program behind the name, "ioctl[arch=x86_64]", are passed over.
  rule.name = trim(rule.name.substr(0, rule.name.find('[')));
  if (rule.name.empty() || rule.value.empty() || rule.name.size() > 64) return std::nullopt;
  const bool word = std::all_of(rule.name.begin(), rule.name.end(), [](unsigned char c) {
    return std::islower(c) != 0 || std::isdigit(c) != 0 || c == '_';
  });
  return word ? std::optional<Rule>(rule) : std::nullopt;
}

class MinijailParser : public ImportParser {
 public:
  explicit MinijailParser(ImportSink& sink) : sink_(sink) {}

  void line(std::string_view text) override {
    text = trim(text.substr(0, text.find('#')));
    if (text.ends_with('\\')) {
      if (joined_.size() < kLongestLine)
        joined_ += std::string(text.substr(0, text.size() - 1)) + ' ';
      return;
    }
    const std::string whole = std::exchange(joined_, {}) + std::string(text);
    if (!trim(whole).empty()) statement(trim(whole));
  }

  void end() override {
    if (!trim(joined_).empty()) statement(trim(joined_));
    sink_.note(
        "a policy says what was allowed, not how often it was used, nor what its recording missed");
  }

 private:
  void statement(std::string_view text) {
    if (text.starts_with("@include")) {
      sink_.lose("base");
      return sink_.note(format("the calls of another policy are not in it: {}", text));
    }
    if (text.starts_with("@frequency") || text.starts_with("@default")) return;
    if (text.starts_with("@denylist")) denylist_ = true;
    if (denylist_) return sink_.unread("a deny list says nothing of what is used", text);
    const auto rule = split_rule(text);
    if (!rule) return sink_.unread("it is no rule of a policy", text);
    add(*rule, text);
  }

  void add(const Rule& rule, std::string_view text) {
    Call call;
    call.arch = sink_.native();
    call.any = 0x3f;
    const std::string_view value = rule.value;
    if (is_refusal(value)) return;
    if (const auto number = parse_u64(value)) {
      call.times = *number;  // 1: allowed; another one: how often, in a frequency file
      return put(call, rule.name, text);
    }
    if (value == "allow" || value == "log") return put(call, rule.name, text);
    // "EXPRESSION; return EPERM": what holds else.
    const std::string_view expression = trim(value.substr(0, value.find(';')));
    for (const std::string_view way : parts_of(expression, "||")) {
      if (is_refusal(way)) continue;
      call.args = {};
      call.any = 0x3f;
      if (!conditions(call, way)) {
        return sink_.unread("the expression cannot be read", text);
      }
      put(call, rule.name, text);
    }
  }

  // "arg0 == 2 && arg1 in ~PROT_EXEC": those that pin a value do so in the call.
  static bool conditions(Call& call, std::string_view way) {
    for (const std::string_view atom : parts_of(way, "&&")) {
      if (atom == "1" || atom == "allow") continue;
      if (atom.size() < 8 || !atom.starts_with("arg") || atom[3] < '0' || atom[3] > '5')
        return false;
      const auto index = static_cast<unsigned>(atom[3] - '0');
      const std::string_view rest = trim(atom.substr(4));
      if (!rest.starts_with("==")) {
        const bool other = rest.starts_with("!=") || rest.starts_with("in ") ||
                           rest.starts_with('&') || rest.starts_with('<') || rest.starts_with('>');
        if (!other) return false;
        continue;
      }
      const auto bit = static_cast<std::uint8_t>(1U << index);
      call.any = static_cast<std::uint8_t>(call.any & ~bit);
      if (const auto value = read_value(rest.substr(2))) {
        call.args.at(index) = *value;
      } else {
        call.unread |= bit;
      }
    }
    return true;
  }

  void put(Call call, std::string_view name, std::string_view text) {
    if (call.unread != 0) sink_.unread_argument("a value is not known", text);
    if (const auto number = parse_u64(name); number && *number < UINT32_MAX) {
      call.nr = static_cast<std::uint32_t>(*number);
      return sink_.add(call);
    }
    if (!sink_.add_named(call, name)) {
      sink_.unread(format("{} has no such call", syscalls::arch_name(call.arch)), text);
    }
  }

  ImportSink& sink_;
  std::string joined_;
  bool denylist_ = false;
};

bool fits(std::string_view head) {
  std::size_t rules = 0;
  for (std::size_t seen = 0; !head.empty() && seen < 100;) {
    const std::string_view line = head.substr(0, head.find('\n'));
    head.remove_prefix(std::min(line.size() + 1, head.size()));
    const std::string_view text = trim(line.substr(0, line.find('#')));
    if (text.empty()) continue;
    ++seen;
    if (text.starts_with("@include ") || text.starts_with("@frequency ") ||
        text.starts_with("@default ") || text == "@denylist") {
      return true;
    }
    const auto rule = split_rule(text);
    if (rule && syscalls::is_known(rule->name) &&
        (parse_u64(rule->value) || rule->value.starts_with("arg") || is_refusal(rule->value) ||
         rule->value == "allow" || rule->value == "log")) {
      ++rules;
    } else if (rules == 0) {
      return false;
    }
  }
  return rules > 0;
}

}  // namespace

const ImportFormat kMinijailFormat = {
    "minijail",
    "minijail",
    "native",
    "policies and frequency files of minijail",
    fits,
    [](ImportSink& sink) -> std::unique_ptr<ImportParser> {
      return std::make_unique<MinijailParser>(sink);
    },
};

}  // namespace whittle::record
