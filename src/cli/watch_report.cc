#include "cli/watch_report.h"

#include <string_view>
#include <vector>

#include "base/text.h"
#include "cli/output.h"
#include "cli/trial_report.h"
#include "profile/oci_words.h"
#include "review/dangerous.h"

namespace whittle::cli {

namespace {

json::Value rule_json(const profile::Rule& rule) {
  json::Value out;
  out.set("names", json::Array(rule.names.begin(), rule.names.end()));
  out.set("action", profile::oci_action(rule.verdict.action));
  if (rule.args.empty()) return out;
  json::Array conditions;
  for (const profile::Condition& condition : rule.args) {
    json::Value item;
    item.set("index", condition.index).set("value", condition.value);
    if (condition.op == profile::Operator::kMaskedEq) item.set("valueTwo", condition.value_two);
    item.set("op", profile::operator_name(condition.op));
    conditions.push_back(std::move(item));
  }
  out.set("args", std::move(conditions));
  return out;
}

// RFC 6902.
json::Value patch_json(const trial::Allowance& allowance) {
  json::Array patch;
  for (const trial::RuleName& taken : allowance.taken_away) {
    const std::string rule = format("/syscalls/{}", taken.rule);
    json::Value step;
    step.set("op", "remove");
    step.set("path", taken.whole ? rule : format("{}/names/{}", rule, taken.name));
    patch.push_back(std::move(step));
  }
  if (allowance.rule) {
    json::Value step;
    step.set("op", "add").set("path", "/syscalls/-").set("value", rule_json(*allowance.rule));
    patch.push_back(std::move(step));
  }
  return patch;
}

// What became of the call, in words.
std::string verdict_words(const trial::Sighting& sighting) {
  using trial::SightingAgainst;
  const std::string verdict = profile::verdict_text(sighting.call.verdict);
  if (sighting.kind == trial::SightingKind::kDenial) {
    return sighting.against == SightingAgainst::kFilter ? verdict
                                                        : verdict + ", by the profile's answer";
  }
  if (sighting.against == SightingAgainst::kEvidence) return "new: " + printable(sighting.why);
  return format("the profile would answer {}", verdict);
}

std::string who(const trial::Sighting& sighting) {
  const trial::Denial& call = sighting.call;
  std::string text = call.comm.empty() ? "" : "by " + printable(call.comm);
  if (call.first.thread != 0) text += format(" ({})", call.first.thread);
  if (!call.first.executable.empty()) text += " running " + printable(call.first.executable);
  if (sighting.entered) text += " executed in the container later";
  return std::string(trim(text));
}

std::string patch_words(const trial::Sighting& sighting) {
  const trial::Allowance& allowance = sighting.allowance;
  if (!allowance.is_one()) return "no rule allows it: " + allowance.none;
  std::string text =
      "allow: " + json::dump_compact(allowance.taken_away.empty() ? rule_json(*allowance.rule)
                                                                  : patch_json(allowance));
  if (const review::Dangerous* dangerous = review::dangerous_call(sighting.call.syscall)) {
    text += format(" (dangerous: {})", dangerous->why);
  }
  return text;
}

std::string totals_text(const trial::SightingLog::Totals& totals, std::string_view one,
                        std::string_view many) {
  if (totals.calls == 0) return format("no {}", one);
  const std::string kinds = totals.kinds > 1 ? format(" of {} kinds", totals.kinds) : "";
  return format("{} {}{}", totals.calls, totals.calls == 1 ? one : many, kinds);
}

}  // namespace

std::string sighting_text(const trial::Sighting& sighting, const std::string& time) {
  const trial::Denial& call = sighting.call;
  const bool denied = sighting.kind == trial::SightingKind::kDenial;
  std::vector<std::string> parts = {
      format("{} {} {} {}", time, denied ? bad("denied") : bold("drift"),
             syscalls::arch_name(call.arch), trial::call_text(call)),
      verdict_words(sighting)};
  if (const std::string text = who(sighting); !text.empty()) parts.push_back(text);
  if (const evidence::Frame* frame = trial::origin(call)) {
    parts.push_back("from " + printable(trial::frame_text(*frame)));
  }
  parts.push_back(plural(call.count, "time"));
  parts.push_back(patch_words(sighting));
  return join(parts, "  ");
}

json::Value sighting_json(const trial::Sighting& sighting, const std::string& time) {
  json::Value out;
  out.set("time", time);
  out.set("kind", trial::kind_name(sighting.kind));
  out.set("against", trial::against_name(sighting.against));
  const json::Value call = denial_json(sighting.call);
  for (const auto& [key, value] : *call.object()) {
    if (key != "time" && key != "phase") out.set(key, value);
  }
  out.set("why", sighting.why.empty() ? json::Value() : json::Value(sighting.why));
  out.set("part", sighting.entered ? "exec" : "");
  const trial::Allowance& allowance = sighting.allowance;
  out.set("allow", allowance.rule ? rule_json(*allowance.rule) : json::Value());
  out.set("patch", allowance.is_one() ? patch_json(allowance) : json::Value());
  out.set("no_rule", allowance.none.empty() ? json::Value() : json::Value(allowance.none));
  const review::Dangerous* dangerous = review::dangerous_call(sighting.call.syscall);
  out.set("dangerous", dangerous == nullptr ? json::Value() : json::Value(dangerous->why));
  return out;
}

std::string watch_summary(const trial::WatchReport& report) {
  std::string text = format("{}, {}", totals_text(report.denials, "denial", "denials"),
                            totals_text(report.drifts, "drift", "calls that are drift"));
  if (report.fallbacks.calls != 0) {
    std::vector<std::string> names;
    for (const auto& [name, count] : report.fallback_calls) names.push_back(name);
    text += format(", {} ({})", plural(report.fallbacks.calls, "fallback"), join(names, ", "));
  }
  if (report.lives > 1) text += format(", {} starts", report.lives);
  return text + format(" in {:.1f} s", report.seconds);
}

}  // namespace whittle::cli
