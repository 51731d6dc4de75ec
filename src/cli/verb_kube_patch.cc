// `whittle kube patch`: see verb_kube.cc.
#include <algorithm>

#include "base/file_system.h"
#include "base/text.h"
#include "cli/kube_inputs.h"
#include "cli/output.h"
#include "cli/verb_kube.h"
#include "deploy/yaml_edit.h"

namespace whittle::cli {

namespace {

using deploy::EditTarget;

bool has(const std::vector<std::string>& names, const std::string& name) {
  return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
}

// The pods, or the named containers, of the chosen workloads. With pods come their containers that
// have a profile of their own, which would undo the pod's.
std::vector<EditTarget> targets_of(const deploy::Manifest& manifest, const Arguments& arguments) {
  const std::vector<std::string> workloads = arguments.values("--workload");
  const std::vector<std::string> containers = arguments.values("--container");
  std::vector<EditTarget> targets;
  for (const deploy::Object& object : manifest.objects) {
    if (!has(workloads, object.name) && !has(workloads, object.kind + "/" + object.name)) continue;
    for (const deploy::Pod& pod : deploy::pods_of(object)) {
      if (pod.windows) continue;
      if (containers.empty()) targets.push_back({object.document, pod.spec.pointer()});
      for (const deploy::Container& container : pod.containers) {
        const bool own =
            deploy::member_at(container.view, "securityContext.seccompProfile").has_value();
        if (containers.empty() ? own : has(containers, container.name)) {
          targets.push_back({object.document, container.view.pointer()});
        }
      }
    }
  }
  return targets;
}

Result<int> run_patch(const Arguments& arguments) {
  const auto set = arguments.value("--set");
  if (!set) {
    return input_error("kube patch: --set is missing", {},
                       "write --set RuntimeDefault or --set localhost/PATH");
  }
  TRY_ASSIGN(const deploy::SeccompChoice choice, deploy::read_choice(*set));
  auto output = arguments.value("--output");
  if (!output && arguments.operands() == std::vector<std::string>{"-"}) output = "-";
  TRY_ASSIGN(const KubeInputs inputs, read_kube_inputs(arguments.operands(), output.has_value()));
  if (inputs.unreadable != 0) return 2;
  if (output && inputs.manifests.size() != 1) {
    return input_error(format("kube patch: -o takes one manifest, not {}", inputs.manifests.size()),
                       {}, "without it each is edited in its place");
  }
  // Nothing is written before all are edited.
  std::vector<std::string> edited;
  std::size_t targets = 0;
  for (const deploy::Manifest& manifest : inputs.manifests) {
    const std::vector<EditTarget> chosen = targets_of(manifest, arguments);
    targets += chosen.size();
    TRY_ASSIGN(std::string text, deploy::set_seccomp(manifest, chosen, choice));
    edited.push_back(std::move(text));
  }
  if (targets == 0) {
    return input_error(
        "kube patch: there is nothing to set a profile in", {},
        arguments.options_.contains("--workload") || arguments.options_.contains("--container")
            ? "no pod has that name"
            : "the manifests have no pods");
  }
  for (std::size_t i = 0; i < edited.size(); ++i) {
    if (output) {
      TRY(write_file(*output, edited[i]));
    } else {
      TRY(write_edited(inputs.manifests[i], edited[i]));
    }
  }
  return 0;
}

}  // namespace

const Verb& kube_patch_verb() {
  static const Verb verb = {
      .name = "patch",
      .summary = "set a profile in manifests",
      .synopsis = "MANIFEST... --set PROFILE [--workload NAME] [--container NAME] [-o FILE]",
      .description =
          "`kube patch` sets RuntimeDefault or a Localhost profile in the pods of manifests, in "
          "their files or with -o in another one (of -, on standard output). Comments, order and "
          "layout stay: lines are added "
          "or changed, the result is read again, and when it would say anything else than what "
          "was asked for, nothing is written. Containers with a profile of their own get the new "
          "one, too; --container sets it in the named containers alone.",
      .examples = {"whittle kube patch web.yaml --set RuntimeDefault",
                   "whittle kube patch web.yaml --set localhost/profiles/nginx.json --container "
                   "nginx -o -"},
      .options = {{"--set", 0, "PROFILE", "what to set: RuntimeDefault or localhost/PATH"},
                  {"--workload", 0, "NAME", "only in the object NAME or KIND/NAME", {}, true},
                  {"--container", 0, "NAME", "in this container, not in the pod", {}, true},
                  {"--output", 'o', "FILE", "where to write the result (default: in place)"}},
      .operand = "MANIFEST",
      .least_operands = 1,
      .most_operands = SIZE_MAX,
      .run = run_patch,
  };
  return verb;
}

}  // namespace whittle::cli
