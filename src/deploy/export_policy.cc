#include "base/text.h"
#include "deploy/export.h"

namespace whittle::deploy {

namespace {

using json::Array;
using json::Object;
using json::Value;

// The part of CEL (cel.dev, and Kubernetes' admission variables) that is needed. JSON's strings are
// strings of CEL. Each list of containers is asked by itself, as CEL types them apart.

// Whether `context`, a securityContext, has a profile of its own; and whether that is allowed.
std::string has_profile(std::string_view owner) {
  return format("has({0}.securityContext) && has({0}.securityContext.seccompProfile)", owner);
}

std::string is_allowed(std::string_view owner) {
  const std::string profile = format("{}.securityContext.seccompProfile", owner);
  return format(
      "({0}.type == \"RuntimeDefault\" || ({0}.type == \"Localhost\" && "
      "has({0}.localhostProfile) && {0}.localhostProfile in variables.profiles))",
      profile);
}

// What must hold of every container: `condition` with c for it. Of a pod that is there only
// ephemeral containers can still change.
std::string of_all(const std::string& condition) {
  std::string all = format(
      "(!has(object.spec.ephemeralContainers) || object.spec.ephemeralContainers.all(c, {0}))",
      condition);
  for (const char* list : {"initContainers", "containers"}) {
    all += format(
        " && (request.operation == \"UPDATE\" || !has(object.spec.{0}) || "
        "object.spec.{0}.all(c, {1}))",
        list, condition);
  }
  return all;
}

Value variable(const char* name, std::string expression) {
  return Object{{"name", name}, {"expression", std::move(expression)}};
}

Value validation(std::string expression, const char* message) {
  return Object{
      {"expression", std::move(expression)}, {"message", message}, {"reason", "Forbidden"}};
}

Value rule(const char* resource, const char* operation) {
  return Object{{"apiGroups", Array{""}},
                {"apiVersions", Array{"v1"}},
                {"operations", Array{operation}},
                {"resources", Array{resource}},
                {"scope", "Namespaced"}};
}

Value binding_namespaces(const ExportTarget& target) {
  const bool one = !target.name_space.empty();
  return Object{{"matchExpressions",
                 Array{Object{{"key", "kubernetes.io/metadata.name"},
                              {"operator", one ? "In" : "NotIn"},
                              {"values", Array{one ? target.name_space : "kube-system"}}}}}};
}

}  // namespace

std::vector<Value> admission_policy(std::span<const std::string> localhost_profiles,
                                    std::string_view version, const ExportTarget& target) {
  const std::string api = format("admissionregistration.k8s.io/{}", version);
  std::vector<std::string> quoted;
  for (const std::string& path : localhost_profiles) quoted.push_back(json::quote(path));
  const std::string pod = format("{} && {}", has_profile("object.spec"), is_allowed("object.spec"));
  const std::string profiles =
      of_all(format("{} ? {} : variables.pod", has_profile("c"), is_allowed("c")));
  const std::string privileged = of_all(
      "!has(c.securityContext) || !has(c.securityContext.privileged) || "
      "!c.securityContext.privileged");
  Value policy;
  policy.set("apiVersion", api).set("kind", "ValidatingAdmissionPolicy");
  policy.set("metadata", Object{{"name", target.name}});
  policy.set(
      "spec",
      Object{
          {"failurePolicy", "Fail"},
          {"matchConstraints",
           Object{{"resourceRules",
                   Array{rule("pods", "CREATE"), rule("pods/ephemeralcontainers", "UPDATE")}}}},
          {"matchConditions",
           Array{Object{
               {"name", "not-windows"},
               {"expression", "!has(object.spec.os) || object.spec.os.name != \"windows\""}}}},
          {"variables",
           Array{variable("profiles", format("[{}]", join(quoted, ", "))), variable("pod", pod)}},
          {"validations",
           Array{validation(profiles,
                            "every container must run under the seccomp profile RuntimeDefault or "
                            "a Localhost profile that this policy lists"),
                 validation(privileged,
                            "a privileged container runs without its seccomp profile")}}});
  Value binding;
  binding.set("apiVersion", api).set("kind", "ValidatingAdmissionPolicyBinding");
  binding.set("metadata", Object{{"name", target.name}});
  binding.set("spec", Object{{"policyName", target.name},
                             {"validationActions", Array{"Deny"}},
                             {"matchResources",
                              Object{{"namespaceSelector", binding_namespaces(target)}}}});
  return {std::move(policy), std::move(binding)};
}

}  // namespace whittle::deploy
