#include "review/lint_subject.h"

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "filter/library.h"
#include "filter/stub.h"
#include "generate/multiplex.h"
#include "syscalls/arguments.h"
#include "syscalls/table.h"

namespace whittle::review {

namespace {

using profile::Verdict;
using syscalls::Arch;

std::vector<Arch> natives_of(const profile::Profile& profile, const LintSettings& settings) {
  if (settings.family) return {*settings.family};
  // Without a list each host adds its own.
  if (profile.parts().architectures.empty()) return {Arch::kX86_64, Arch::kAarch64};
  std::vector<Arch> natives;
  for (const Arch arch : profile.arches()) {
    const Arch native = syscalls::native_of(arch);
    if (std::find(natives.begin(), natives.end(), native) == natives.end()) {
      natives.push_back(native);
    }
  }
  return natives;
}

// The value behind one step of a pointer; nullptr when there is none. The keys of a profile hold
// no '~' or '/'.
const json::Value* step(const json::Value& value, std::string_view key) {
  const json::Array* items = value.array();
  if (items == nullptr) return value.find(key);
  const auto index = parse_u64(key);
  return index && *index < items->size() ? &(*items)[*index] : nullptr;
}

constexpr std::size_t kNamesShown = 10;

// A document that is made to take for ever gets no more than this. A call costs some milliseconds,
// one that makes libseccomp loop most of a second.
constexpr std::size_t kMostJudged = 100;
constexpr std::size_t kMostLoops = 3;

// Of a build that the user gave nothing is known: it compiles every rule with conditions.
bool surely_as_written(std::span<const filter::HandedRule> rules) {
  const bool unknown_build = filter::libseccomp().source == filter::Library::Source::kFile;
  const auto has_conditions = [](const filter::HandedRule& rule) { return !rule.args.empty(); };
  if (unknown_build && std::any_of(rules.begin(), rules.end(), has_conditions)) return false;
  return filter::compiled_as_written(rules);
}

// `architectures`: those on which it counts.
Doubt judge(const filter::Handed& handed, std::string_view call,
            const std::vector<Arch>& architectures) {
  using Outcome = Doubt::Outcome;
  std::vector<std::string_view> calls = {call};
  // libseccomp adds a rule for the entry to each for such a call: they have to agree.
  if (const auto multiplexed = generate::multiplexed(call)) calls.push_back(multiplexed->entry);
  // A filter of one call is a case of its own (with x32 listed libseccomp 2.5.4 gives the default
  // action to all of it), so that it is judged in the company of another.
  const auto other =
      std::find_if(handed.calls().begin(), handed.calls().end(), [&](std::string_view candidate) {
        return candidate != call && !handed.rules(candidate).empty() &&
               handed.rules(candidate).front().args.empty() &&
               syscalls::number(Arch::kX86_64, candidate);
      });
  if (other != handed.calls().end()) calls.push_back(*other);
  profile::Profile::Parts parts = handed.only(calls).parts();
  parts.architectures.clear();
  for (const Arch arch : architectures) parts.architectures.emplace_back(syscalls::oci_arch(arch));
  const profile::Profile alone(std::move(parts));
  const auto compiled = filter::compile(alone, filter::Flavour::kNative);
  if (!compiled) {
    const bool looped = filter::compiler_looped(compiled.error());
    return {call, looped ? Outcome::kLoops : Outcome::kRefused, {}, compiled.error().message};
  }
  const auto& skipped = compiled->skipped;
  if (std::find(skipped.begin(), skipped.end(), call) != skipped.end()) {
    return {call, Outcome::kNone, {}, {}};
  }
  auto found = filter::differences(alone, compiled->program, filter::Flavour::kNative);
  if (!found) return {call, Outcome::kUntold, {}, found.error().message};
  // Rules for other calls than this one are what libseccomp adds: multiplexed-call.
  const auto at = std::find_if(found->begin(), found->end(), [call](const auto& difference) {
    return difference.syscall == call;
  });
  if (at == found->end()) return {call, Outcome::kNone, {}, {}};
  return {call, Outcome::kDiffers, *at, {}};
}

}  // namespace

LintSubject::LintSubject(const LintDocument& document, const LintSettings& settings)
    : document_(document),
      settings_(settings),
      handed_(document.profile, settings.runtime),
      natives_(natives_of(document.profile, settings)) {
  for (const Arch arch : syscalls::kAllArches) {
    const Arch native = syscalls::native_of(arch);
    if (std::find(natives_.begin(), natives_.end(), native) == natives_.end()) continue;
    if (arch == native || profile().lists(arch)) covered_.push_back(arch);
  }
  for (const Arch arch : covered_) {
    std::uint32_t newest = 0;
    for (const std::string_view call : handed_.calls()) {
      newest = std::max(newest, syscalls::number(arch, call).value_or(0));
    }
    newest_.push_back(newest);
  }
}

bool LintSubject::covers(Arch arch) const {
  return std::find(covered_.begin(), covered_.end(), arch) != covered_.end();
}

const generate::Meaning& LintSubject::meaning(Arch arch, std::string_view call) const {
  std::pair key(arch, std::string(call));
  const auto known = meanings_.find(key);
  if (known != meanings_.end()) return known->second;
  generate::Meaning made(handed_.only({&call, 1}), arch, call);
  return meanings_.emplace(std::move(key), std::move(made)).first->second;
}

bool LintSubject::can_allow(Arch arch, std::string_view call) const {
  if (const Verdict* constant = handed_.constant(call)) return constant->allows();
  const generate::Meaning& rules = meaning(arch, call);
  return !generate::refuses_all(rules, rules.everything());
}

bool LintSubject::can_allow(std::string_view call) const {
  return std::any_of(covered_.begin(), covered_.end(), [&](Arch arch) {
    return syscalls::number(arch, call) && can_allow(arch, call);
  });
}

bool LintSubject::allows_bits(Arch arch, std::string_view call, unsigned index,
                              std::uint64_t mask) const {
  if (const Verdict* constant = handed_.constant(call)) return constant->allows();
  const generate::Meaning& rules = meaning(arch, call);
  for (std::uint64_t bit = 1; bit != 0; bit <<= 1U) {
    if ((mask & bit) == 0) continue;
    generate::Region region{};
    region[index] = {bit, bit};
    if (!generate::refuses_all(rules, rules.seen(region))) return true;
  }
  return false;
}

bool LintSubject::allows_value(Arch arch, std::string_view call, unsigned index,
                               std::uint32_t value) const {
  if (const Verdict* constant = handed_.constant(call)) return constant->allows();
  const generate::Meaning& rules = meaning(arch, call);
  generate::Region region{};
  region[index] = {UINT64_MAX, value};
  return !generate::refuses_all(rules, rules.seen(region));
}

std::optional<Verdict> LintSubject::verdict(Arch arch, std::string_view call) const {
  const auto number = syscalls::number(arch, call);
  const auto at = std::find(covered_.begin(), covered_.end(), arch);
  if (!number || at == covered_.end()) return std::nullopt;
  const std::uint32_t newest = newest_[static_cast<std::size_t>(at - covered_.begin())];
  if (is_runc() && filter::has_stub(profile().default_verdict()) && *number > newest) {
    return Verdict{profile::Action::kErrno, ENOSYS};
  }
  const Verdict* constant = handed_.constant(call);
  return constant != nullptr ? std::optional(*constant) : std::nullopt;
}

const std::vector<Doubt>& LintSubject::doubts() const {
  if (doubts_) return *doubts_;
  doubts_.emplace();
  std::size_t loops = 0;
  for (const std::string_view call : handed_.calls()) {
    if (surely_as_written(handed_.rules(call))) continue;
    if (doubts_->size() >= kMostJudged || loops >= kMostLoops) {
      doubts_->push_back({call, Doubt::Outcome::kUntold, {}, "too many calls have such rules"});
      continue;
    }
    doubts_->push_back(judge(handed_, call, covered_));
    if (doubts_->back().outcome == Doubt::Outcome::kLoops) ++loops;
  }
  return *doubts_;
}

std::string LintSubject::at_rule(std::size_t rule) const {
  return format("/syscalls/{}", document_.origins.at(rule));
}

std::string LintSubject::at_name(std::size_t rule, std::size_t name) const {
  const json::Value* rules = document_.json.find("syscalls");
  const json::Value& written = rules->array()->at(document_.origins.at(rule));
  // Docker's dialect has rules of a single "name".
  if (written.find("names") == nullptr) return at_rule(rule) + "/name";
  return format("{}/names/{}", at_rule(rule), name);
}

std::string LintSubject::at_condition(std::size_t rule, std::size_t condition) const {
  return format("{}/args/{}", at_rule(rule), condition);
}

std::string LintSubject::at_call(std::string_view call) const {
  const auto rules = handed_.rules(call);
  return rules.empty() ? "/defaultAction" : at_name(rules.front().rule, rules.front().name);
}

std::uint32_t LintSubject::line(std::string_view pointer) const {
  const json::Value* value = &document_.json;
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const std::size_t end = std::min(pointer.find('/'), pointer.size());
    const json::Value* next = step(*value, pointer.substr(0, end));
    if (next == nullptr) break;
    value = next;
    pointer.remove_prefix(end);
  }
  return value->line();
}

std::string some_of(const std::vector<std::string>& names) {
  if (names.size() <= kNamesShown) return join(names, ", ");
  return format("{} and {} more", join(std::span(names).first(kNamesShown), ", "),
                names.size() - kNamesShown);
}

std::string call_text(std::string_view call, const filter::Arguments& args) {
  std::size_t count = args.size();
  while (count > 1 && args[count - 1] == 0) --count;
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < count; ++i) {
    texts.push_back(syscalls::value_text(call, static_cast<unsigned>(i), args[i]));
  }
  return format("{}({}{})", call, join(texts, ", "), count < args.size() ? ", ..." : "");
}

void Report::add(Severity severity, std::string pointer, std::vector<std::string> calls,
                 std::string message, std::string fix) {
  Finding finding;
  finding.rule = rule_;
  finding.severity = severity;
  finding.file = subject_.document().file;
  finding.line = subject_.line(pointer);
  finding.pointer = std::move(pointer);
  finding.calls = std::move(calls);
  finding.message = std::move(message);
  finding.fix = std::move(fix);
  findings_.push_back(std::move(finding));
}

}  // namespace whittle::review
