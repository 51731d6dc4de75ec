#include "review/suppressions.h"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <span>

#include "base/text.h"
#include "base/yaml.h"

namespace whittle::review {

namespace {

using json::View;

constexpr std::size_t kMostBytes = 1U << 20U;
constexpr std::size_t kMostDepth = 8;
constexpr std::size_t kMostTextBytes = 1000;

const std::array<std::string, 1> kKeys = {"suppress"};
constexpr std::array<const char*, 6> kEntryKeys = {"rule", "file",   "pointer",
                                                   "call", "reason", "expires"};

Result<std::string> text_of(const View& entry, std::string_view key, bool needed,
                            std::string_view hint) {
  TRY_ASSIGN(const auto found, entry.find(key));
  if (!found && !needed) return std::string();
  if (!found) return entry.error(format("the key \"{}\" is missing", key), std::string(hint));
  TRY_ASSIGN(std::string text, found->string());
  if (trim(text).empty()) return found->error(format("\"{}\" is empty", key), std::string(hint));
  if (text.size() > kMostTextBytes) {
    return found->error(format("{} bytes are over the limit of {}", text.size(), kMostTextBytes));
  }
  return text;
}

// "2027-02-28"; that February has 28 days nobody has to know.
bool is_date(std::string_view text) {
  constexpr std::string_view kShape = "dddd-dd-dd";
  if (text.size() != kShape.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kShape[i] == 'd' ? !digit : text[i] != '-') return false;
  }
  const std::string_view month = text.substr(5, 2);
  const std::string_view day = text.substr(8, 2);
  return month >= "01" && month <= "12" && day >= "01" && day <= "31";
}

Result<void> check_rule(const View& entry, const std::string& rule, const SuppressionWords& words) {
  const std::vector<std::string>& ids = words.rules;
  if (std::find(ids.begin(), ids.end(), rule) != ids.end()) return {};
  TRY_ASSIGN(const View at, entry.at("rule"));
  const auto near = nearest(rule, ids);
  return at.error(format("there is no rule \"{}\"", printable(rule)),
                  near ? format("did you mean \"{}\"?", *near) : words.page + " lists the rules");
}

Result<Suppression> read_entry(const View& view, const SuppressionWords& words) {
  std::vector<std::string> keys(kEntryKeys.begin(), kEntryKeys.end());
  keys.insert(keys.end(), words.labels.begin(), words.labels.end());
  TRY(view.only(keys));
  Suppression entry;
  entry.at_pointer = view.pointer();
  entry.line = view.value().line();
  TRY_ASSIGN(entry.rule, text_of(view, "rule", true, "name the rule of " + words.page));
  TRY(check_rule(view, entry.rule, words));
  TRY_ASSIGN(entry.file, text_of(view, "file", false, ""));
  TRY_ASSIGN(entry.pointer, text_of(view, "pointer", false, ""));
  TRY_ASSIGN(entry.call, text_of(view, "call", false, ""));
  for (const std::string& label : words.labels) {
    TRY_ASSIGN(std::string glob, text_of(view, label, false, ""));
    if (!glob.empty()) entry.labels[label] = std::move(glob);
  }
  TRY_ASSIGN(entry.reason, text_of(view, "reason", true,
                                   "say why the finding is accepted: who reads it next year "
                                   "has to know"));
  TRY_ASSIGN(entry.expires, text_of(view, "expires", true,
                                    "say until when it is accepted, as in expires: 2027-03-01"));
  if (!is_date(entry.expires)) {
    TRY_ASSIGN(const View at, view.at("expires"));
    return at.error(format("\"{}\" is no date", printable(entry.expires)),
                    "write it as 2027-03-01");
  }
  return entry;
}

bool is_for_file(const Suppression& entry, const std::string& file) {
  if (entry.file.empty() || ::fnmatch(entry.file.c_str(), file.c_str(), 0) == 0) return true;
  if (entry.file.find('/') != std::string::npos) return false;
  const std::string last = file.substr(file.rfind('/') + 1);
  return ::fnmatch(entry.file.c_str(), last.c_str(), 0) == 0;
}

bool is_within(std::string_view pointer, std::string_view outer) {
  return pointer.starts_with(outer) &&
         (pointer.size() == outer.size() || pointer[outer.size()] == '/');
}

bool fits(const Labels& globs, const Labels& labels) {
  return std::all_of(globs.begin(), globs.end(), [&labels](const auto& glob) {
    const auto label = labels.find(glob.first);
    return label != labels.end() && ::fnmatch(glob.second.c_str(), label->second.c_str(), 0) == 0;
  });
}

bool covers(const Suppression& entry, const Finding& finding, const Labels& labels) {
  const auto& calls = finding.calls;
  return entry.rule == finding.rule && is_for_file(entry, finding.file) &&
         fits(entry.labels, labels) &&
         (entry.pointer.empty() || is_within(finding.pointer, entry.pointer)) &&
         (entry.call.empty() || std::find(calls.begin(), calls.end(), entry.call) != calls.end());
}

Finding about(const Suppressions& suppressions, const Suppression& entry, std::string_view rule,
              Severity severity, std::string message, std::string fix) {
  Finding finding;
  finding.rule = rule;
  finding.severity = severity;
  finding.file = suppressions.file;
  finding.pointer = entry.at_pointer;
  finding.line = entry.line;
  finding.message = std::move(message);
  finding.fix = std::move(fix);
  return finding;
}

}  // namespace

SuppressionWords lint_words() {
  SuppressionWords words;
  for (const LintRuleInfo& info : lint_rules()) words.rules.emplace_back(info.id);
  words.page = "docs/lint.md";
  return words;
}

Result<Suppressions> read_suppressions(std::string_view text, std::string_view file,
                                       const SuppressionWords& words) {
  json::Limits limits;
  limits.bytes = kMostBytes;
  limits.depth = kMostDepth;
  TRY_ASSIGN(const json::Value document, yaml::parse(text, file, limits));
  Suppressions suppressions;
  suppressions.file = file;
  if (document.is_null()) return suppressions;
  const View root(document, std::string(file));
  TRY(root.only(kKeys));
  TRY_ASSIGN(const View list, root.at("suppress"));
  TRY_ASSIGN(const auto items, list.items());
  for (const View& item : items) {
    TRY_ASSIGN(Suppression entry, read_entry(item, words));
    suppressions.entries.push_back(std::move(entry));
  }
  return suppressions;
}

Sifter::Sifter(const Suppressions& suppressions, std::string_view today)
    : suppressions_(suppressions), today_(today), used_(suppressions.entries.size()) {}

std::optional<std::size_t> Sifter::suppresses(const Finding& finding, const Labels& labels) {
  for (std::size_t i = 0; i < suppressions_.entries.size(); ++i) {
    if (!covers(suppressions_.entries[i], finding, labels)) continue;
    used_[i] = true;
    if (suppressions_.entries[i].expires >= today_) return i;
  }
  return std::nullopt;
}

std::vector<Finding> Sifter::about_suppressions(const std::vector<std::string>& files) const {
  std::vector<Finding> findings;
  for (std::size_t i = 0; i < suppressions_.entries.size(); ++i) {
    const Suppression& entry = suppressions_.entries[i];
    if (used_[i] && entry.expires < today_) {
      findings.push_back(
          about(suppressions_, entry, "suppression-expired", Severity::kWarning,
                format("this suppression of {} expired on {} ({})", entry.rule, entry.expires,
                       printable(entry.reason)),
                "mend what it suppressed, or decide again and give it a later date"));
    } else if (!used_[i] && std::any_of(files.begin(), files.end(), [&](const std::string& file) {
                 return is_for_file(entry, file);
               })) {
      findings.push_back(about(suppressions_, entry, "suppression-unused", Severity::kNote,
                               format("this suppression of {} suppresses nothing", entry.rule),
                               "remove it"));
    }
  }
  return findings;
}

Sifted sift(std::vector<Finding> findings, const Suppressions& suppressions,
            const std::vector<std::string>& files, std::string_view today) {
  Sifter sifter(suppressions, today);
  Sifted sifted;
  for (Finding& finding : findings) {
    if (const auto entry = sifter.suppresses(finding)) {
      sifted.suppressed.push_back({std::move(finding), *entry});
    } else {
      sifted.findings.push_back(std::move(finding));
    }
  }
  for (Finding& finding : sifter.about_suppressions(files)) {
    sifted.findings.push_back(std::move(finding));
  }
  return sifted;
}

}  // namespace whittle::review
