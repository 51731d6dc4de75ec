// Profiles: OCI JSON, as the OCI hook, Podman, slim and whittle write it, and as `advise seccomp`
// of Inspektor Gadget prints it (a comment with the container, then a profile, for each container).
#include "record/import_format.h"
#include "record/import_json.h"
#include "record/import_rules.h"

namespace whittle::record {

namespace {

class ProfileParser : public JsonParser {
 public:
  using JsonParser::JsonParser;

 protected:
  void object(const json::Value& value, std::string_view text) override {
    if (value.find("defaultAction") == nullptr) {
      return sink().unread("it is no OCI profile: it has no defaultAction", text);
    }
    add_rules(value, sink());
  }
};

bool fits(std::string_view head) {
  const char first = first_character(head);
  return (first == '{' || first == '/') && has_key(head, "defaultAction") &&
         !has_key(head, "apiVersion");
}

}  // namespace

const ImportFormat kProfileFormat = {
    "oci",
    "profile",
    "native",
    "OCI profiles, as recorders of profiles write them",
    fits,
    [](ImportSink& sink) -> std::unique_ptr<ImportParser> {
      return std::make_unique<ProfileParser>(sink);
    },
};

}  // namespace whittle::record
