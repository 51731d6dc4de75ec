#include "cli/sarif.h"

#include <algorithm>

#include "base/sha256.h"
#include "base/text.h"
#include "cli/help.h"

namespace whittle::cli {

namespace {

using json::Array;
using json::Value;

// A path as a URI reference (RFC 3986): what is not unreserved, and no slash, is written as %XX.
std::string uri_of(const std::string& file) {
  if (file == "-") return "stdin";
  std::string uri = file.starts_with('/') ? "file://" : "";
  for (const char c : file) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~/").find(c) != std::string_view::npos;
    // The first part of a relative reference may hold no colon, but of "baseline:docker@29" the
    // colon ends the scheme.
    const bool scheme = (c == ':' || c == '@') && file.starts_with("baseline:");
    uri += plain || scheme ? std::string(1, c) : format("%{:02X}", static_cast<unsigned char>(c));
  }
  return uri;
}

Value text(const std::string& words) { return Value().set("text", words); }

Value rule_value(const SarifRule& rule) {
  Value configuration;
  configuration.set("level", rule.level);
  Value value;
  value.set("id", rule.id);
  value.set("shortDescription", text(rule.summary));
  value.set("help", text("See " + rule.help));
  value.set("defaultConfiguration", std::move(configuration));
  return value;
}

Value location(const SarifResult& result) {
  Value physical;
  physical.set("artifactLocation", Value().set("uri", uri_of(result.file)));
  if (result.line != 0) {
    physical.set("region", Value().set("startLine", result.line));
  }
  Value value;
  value.set("physicalLocation", std::move(physical));
  if (!result.pointer.empty()) {
    Value logical;
    logical.set("fullyQualifiedName", result.pointer);
    value.set("logicalLocations", Array{std::move(logical)});
  }
  return value;
}

Value result_value(const std::vector<SarifRule>& rules, const SarifResult& result) {
  Value value;
  value.set("ruleId", result.rule);
  const auto at = std::find_if(rules.begin(), rules.end(),
                               [&](const SarifRule& rule) { return rule.id == result.rule; });
  if (at != rules.end()) value.set("ruleIndex", static_cast<std::uint64_t>(at - rules.begin()));
  value.set("level", result.level);
  value.set("message", text(result.message));
  value.set("locations", Array{location(result)});
  if (!result.identity.empty()) {
    // The name under which GitHub looks for it.
    value.set("partialFingerprints",
              Value().set("primaryLocationLineHash",
                          sha256(format("{}\n{}\n{}", result.rule, result.file, result.identity))));
  }
  if (result.suppressed) {
    Value suppression;
    suppression.set("kind", "external");
    suppression.set("justification", *result.suppressed);
    value.set("suppressions", Array{std::move(suppression)});
  }
  return value;
}

}  // namespace

Value sarif(const std::vector<SarifRule>& rules, const std::vector<SarifResult>& results) {
  Array rule_values;
  for (const SarifRule& rule : rules) rule_values.push_back(rule_value(rule));
  Array result_values;
  for (const SarifResult& result : results) result_values.push_back(result_value(rules, result));
  Value driver;
  driver.set("name", "whittle");
  driver.set("version", version());
  driver.set("rules", std::move(rule_values));
  Value run;
  run.set("tool", Value().set("driver", std::move(driver)));
  run.set("results", std::move(result_values));
  Value log;
  log.set("$schema", "https://json.schemastore.org/sarif-2.1.0.json");
  log.set("version", "2.1.0");
  log.set("runs", Array{std::move(run)});
  return log;
}

}  // namespace whittle::cli
