// SeccompProfile objects of Kubernetes: those of the security-profiles-operator (rules in `spec`)
// and of Kubescape (rules in the `spec` of each container), in YAML or JSON, alone, several in a
// file, or in the List that `kubectl get -o yaml` prints.
#include "base/text.h"
#include "base/yaml.h"
#include "record/import_format.h"
#include "record/import_json.h"
#include "record/import_rules.h"

namespace whittle::record {

namespace {

constexpr json::Limits kLimits = {std::size_t{64} << 20U, 32, 4'000'000};

class SpoParser : public DocumentParser {
 public:
  using DocumentParser::DocumentParser;

 protected:
  void document(const std::string& text) override {
    // JSON is YAML, but for tabs and duplicate keys, and has its own reader.
    if (first_character(text) == '{') {
      if (const auto value = json::parse(text, "the document", kLimits)) return object(*value);
    }
    const auto values = yaml::parse_all(text, "the document", kLimits);
    if (!values) return sink().unread(values.error().text(), "");
    for (const json::Value& value : *values) {
      if (!value.is_null()) object(value);
    }
  }

 private:
  void object(const json::Value& value) {
    sink().at_line(value.line());
    const std::string kind = member_string(value, "kind");
    if (kind.ends_with("List")) {
      const json::Value* items = value.find("items");
      if (items != nullptr && items->array() != nullptr) {
        for (const json::Value& item : *items->array()) {
          if (!member_string(item, "kind").ends_with("List")) object(item);
        }
      }
      return;
    }
    if (kind != "SeccompProfile") {
      return sink().unread(format("an object of kind \"{}\" is no SeccompProfile", kind), "");
    }
    if (sink().workload.empty()) sink().workload = printable(member_string(value, "metadata.name"));
    if (const std::string base = member_string(value, "spec.baseProfileName"); !base.empty()) {
      sink().lose("base");
      sink().note(format("the calls of the base profile {} are not in it", base));
    }
    if (const json::Value* spec = value.find("spec")) rules(*spec);
  }

  void rules(const json::Value& spec) {
    if (spec.find("defaultAction") != nullptr) add_rules(spec, sink());
    for (const std::string_view list : {"containers", "initContainers", "ephemeralContainers"}) {
      const json::Value* containers = spec.find(list);
      if (containers == nullptr || containers->array() == nullptr) continue;
      for (const json::Value& container : *containers->array()) {
        if (const json::Value* own = container.find("spec")) add_rules(*own, sink());
      }
    }
  }
};

bool fits(std::string_view head) {
  if (first_character(head) == '{') {
    return has_key(head, "kind") && head.find("\"SeccompProfile\"") != std::string_view::npos;
  }
  return head.find("kind: SeccompProfile") != std::string_view::npos &&
         head.find("apiVersion:") != std::string_view::npos;
}

}  // namespace

const ImportFormat kSpoFormat = {
    "spo",
    "profile",
    "native",
    "SeccompProfile objects of the security-profiles-operator and of Kubescape",
    fits,
    [](ImportSink& sink) -> std::unique_ptr<ImportParser> {
      return std::make_unique<SpoParser>(sink);
    },
};

}  // namespace whittle::record
