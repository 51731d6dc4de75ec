#include "profile/document.h"

#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "profile/kubernetes.h"
#include "profile/oci_reader.h"
#include "profile/systemd.h"

namespace whittle::profile {

namespace {

bool says_something_docker(const json::Value& object) {
  const auto* members = object.object();
  return members != nullptr &&
         std::any_of(members->begin(), members->end(), [](const json::Member& member) {
           return is_docker_key(member.first) && !says_nothing(member.second);
         });
}

}  // namespace

bool has_docker_keys(const json::Value& object) {
  if (says_something_docker(object)) return true;
  const json::Value* rules = object.find("syscalls");
  const auto* array = rules == nullptr ? nullptr : rules->array();
  return array != nullptr && std::any_of(array->begin(), array->end(), says_something_docker);
}

Result<Document> read_json(std::string_view text, std::string_view place,
                           const ReadOptions& options) {
  Document document;
  TRY_ASSIGN(document.object, parse_document(text, place));
  const bool docker = options.dialect == Dialect::kDocker && has_docker_keys(document.object);
  document.form = docker ? Form::kDocker : Form::kOci;
  TRY_ASSIGN(document.profile, read_document(document.object, place, options.dialect,
                                             &options.setting, &document.origins));
  for (const std::size_t origin : document.origins) {
    document.rule_pointers.push_back(format("/syscalls/{}", origin));
  }
  return document;
}

Result<Document> read_any(std::string_view text, std::string_view place,
                          const ReadOptions& options) {
  if (looks_like_kubernetes(text)) return read_kubernetes(text, place, options);
  if (looks_like_systemd(text)) return read_systemd(text, place, options);
  return read_json(text, place, options);
}

}  // namespace whittle::profile
