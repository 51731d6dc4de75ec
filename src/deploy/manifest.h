// Kubernetes manifests: the objects of a file, and the pods that they make.
//
// A file is YAML of one or many documents, or JSON; the items of a List are objects of their own.
// Pods are found in every kind that has one: Pod, Deployment, CronJob and the other kinds of
// Kubernetes, and kinds that are not known but hold something that looks like a pod (`containers`,
// a list of objects with a name or an image).
//
//   TRY_ASSIGN(const Manifest manifest, read_manifest(text, "web.yaml"));
//   for (const Object& object : manifest.objects)
//     for (const Pod& pod : pods_of(object)) ...
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace whittle::deploy {

struct Object {
  std::size_t document = 0;  // counted from 1, as people do
  json::View view;           // its pointer is within the document
  // Empty when they are not there.
  std::string api_version;
  std::string kind;
  std::string name;
  std::string name_space;
};

struct Manifest {
  std::string file;
  std::string text;
  std::vector<json::Value> documents;
  std::vector<Object> objects;  // look into `documents`; documents that say nothing have none
};

// Errors, with line: no YAML or JSON, a document or an item that is no object, over the limits (64
// MiB, 2,000,000 values, 64 levels). `file` names the source in places.
Result<Manifest> read_manifest(std::string text, const std::string& file);

struct Container {
  enum class Kind : std::uint8_t { kInit, kNormal, kEphemeral };
  Kind kind = Kind::kNormal;
  json::View view;
  std::string name;  // empty when it has none
};
std::string_view container_kind_name(Container::Kind kind);  // "init", "container", "ephemeral"

struct Pod {
  json::View spec;
  std::optional<json::View> metadata;  // of the pod, not of the object that makes it
  std::vector<Container> containers;   // init, normal, ephemeral
  bool windows = false;                // spec.os.name
  bool host_users = true;              // false: in a user namespace of its own
};

// The object must outlive them. A place where a list of containers belongs and something else
// stands goes to `malformed`, when that is given.
std::vector<Pod> pods_of(const Object& object, std::vector<json::View>* malformed = nullptr);

// Kinds of Kubernetes that always have a pod template.
bool is_workload_kind(std::string_view kind);

// The member of that key; nullopt when it is not there, null, or this is no object.
std::optional<json::View> member(const json::View& view, std::string_view key);
// The same along "a.b.c".
std::optional<json::View> member_at(const json::View& view, std::string_view path);
// A member that is a string; empty when it is not there or none.
std::string text_of(const json::View& view, std::string_view path);

}  // namespace whittle::deploy
