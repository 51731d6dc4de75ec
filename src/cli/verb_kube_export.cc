#include "base/file_system.h"
#include "base/text.h"
#include "base/yaml.h"
#include "cli/compiled_profile.h"
#include "cli/kube_export.h"
#include "cli/output.h"
#include "cli/verb_kube.h"

namespace whittle::cli {

namespace {

using json::Value;

// What comes out ---------------------------------------------------------------------------------

// The objects as one text, which is read again first: the same values, each small enough for a
// cluster to keep.
Result<std::string> text_of(Exported& made) {
  std::string text;
  bool large = false;
  for (const Value& object : made.objects) {
    const std::size_t size = json::dump_compact(object).size();
    if (size > deploy::kMostObject) {
      return input_error(format(
          "{} {} would have {} bytes, and a cluster keeps {}", *object.find("kind")->string(),
          *object.find("metadata")->find("name")->string(), size, deploy::kMostObject));
    }
    large = large || size > deploy::kMostAnnotations;
    if (!text.empty()) text += "---\n";
    text += yaml::dump(object);
  }
  if (large) {
    made.notes.emplace_back(
        "too large for the annotation that `kubectl apply` adds: use `kubectl apply "
        "--server-side`");
  }
  auto again = yaml::parse_all(text, "the exported objects");
  if (!again || again->size() != made.objects.size()) return bug("the export can't be read again");
  for (std::size_t i = 0; i < again->size(); ++i) {
    if (json::dump_compact((*again)[i]) != json::dump_compact(made.objects[i])) {
      return bug("the export is read otherwise than it was meant");
    }
  }
  return text;
}

Value lost_json(const std::vector<Item>& items) {
  json::Array lost;
  for (const Item& item : items) {
    for (const profile::Loss& loss : item.lost) {
      Value each;
      each.set("file", item.p).set("pointer", loss.pointer).set("what", loss.what);
      lost.push_back(std::move(each));
    }
  }
  return lost;
}

Value to_json(const Export& wanted, Exported made, bool written) {
  Value value;
  value.set("kind", wanted.kind());
  Value lost = lost_json(wanted.items());
  value.set("lossless", lost.array()->empty());
  value.set("lost", std::move(lost));
  value.set("notes", json::Array(made.notes.begin(), made.notes.end()));
  value.set("objects", written ? Value(json::Array(std::move(made.objects))) : Value());
  return value;
}

Result<int> run_export(const Arguments& arguments) {
  const std::string output = arguments.value_or("--output", "-");
  if (output != "-") TRY(check_writable(output));
  Export wanted(arguments);
  TRY_ASSIGN(Exported made, wanted.run());
  TRY_ASSIGN(const std::string text, text_of(made));
  std::size_t lost = 0;
  for (const Item& item : wanted.items()) {
    for (const profile::Loss& loss : item.lost) {
      print_note(format("lost: {} {}: {}", printable(item.p, 1000), printable(loss.pointer, 1000),
                        printable(loss.what, 2000)));
    }
    lost += item.lost.size();
  }
  const bool written = lost == 0 || arguments.flag("--lossy");
  if (!written) {
    print_note(format("{} can't be said in it: nothing is written (--lossy writes the rest)",
                      plural(lost, "thing")));
  }
  if (written && output != "-") TRY(write_file(output, text));
  if (arguments.flag("--json")) {
    TRY(print_json(to_json(wanted, std::move(made), written)));
    return written ? 0 : 1;
  }
  if (!written) return 1;
  for (const std::string& note : made.notes) print_note(note);
  if (output == "-") TRY(print_result(text));
  return 0;
}

std::vector<Option> options() {
  std::vector<Option> all = {
      {"--as",
       0,
       "KIND",
       "what to write",
       {kSeccompProfile, kConfigMap, kDaemonSet, kPatch, kNamespace, kPolicy}},
      {"--output", 'o', "FILE", "where to write it; - is standard output (default)"},
      {"--lossy", 0, "", "write what can be said, and list the rest"},
      {"--name", 0, "NAME", "the object's name"},
      {"--namespace", 0, "NAME", "the object's namespace"},
      {"--api-version",
       0,
       "V",
       "of a SeccompProfile (default v1beta1) or a policy (v1)",
       {"v1", "v1beta1"}},
      {"--into", 0, "DIR", "directory below /var/lib/kubelet/seccomp (default profiles)"},
      {"--image", 0, "IMAGE", "with whittle in it as /whittle; with --plain any with a shell"},
      {"--pause-image", 0, "IMAGE", format("what runs on (default {})", kPauseImage)},
      {"--plain", 0, "", "the DaemonSet copies the files with busybox"},
      {"--kind", 0, "KIND", "what a patch is for (default Deployment)", deploy::patch_kinds()},
      {"--container", 0, "NAME", "patch this container, not the pod", {}, true},
      {"--localhost-profile",
       0,
       "PATH",
       "a profile by its path on the node, in place of P",
       {},
       true},
      {"--pss", 0, "LEVEL", "restricted (default), baseline or privileged, and :VERSION"}};
  for (Option& option : setting_options()) all.push_back(std::move(option));
  all.push_back(runtime_option());
  all.push_back({"--json", 0, "", "print JSON"});
  return all;
}

}  // namespace

const Verb& kube_export_verb() {
  static const Verb verb = {
      .name = "export",
      .synopsis = "[P|DIR...] --as KIND [-o FILE] [--name NAME] [--namespace NAME] [--json]",
      .description =
          "export writes the Kubernetes objects that bring profiles to nodes and pods, as YAML. P "
          "is a file, -, or baseline:ID; of a directory its *.json files are taken. KIND is "
          "SeccompProfile (for the Security Profiles Operator), ConfigMap, DaemonSet (ConfigMaps, "
          "and what installs them on every node), patch (a strategic merge patch that gives a "
          "workload the profile), Namespace (labels of Pod Security Admission) or "
          "ValidatingAdmissionPolicy (a pod needs RuntimeDefault or one of these profiles).\n\n"
          "What the objects can't say of a profile is listed, as by convert; then nothing is "
          "written and the exit status is 1, unless --lossy is given. Each profile in them is "
          "proven to be the same for every call and all argument values. docs/kube-export.md "
          "describes the objects.",
      .examples =
          {"whittle kube export profiles/ --as DaemonSet --namespace kube-system -o install.yaml",
           "whittle kube export profiles/ --as ConfigMap --name seccomp-profiles",
           "whittle kube export nginx.profile.json --as SeccompProfile --api-version v1",
           "whittle kube export nginx.profile.json --as patch --kind StatefulSet --name web",
           "whittle kube export profiles/ --as ValidatingAdmissionPolicy",
           "whittle kube export --as Namespace --name web --pss restricted:v1.34"},
      .options = options(),
      .operand = "P",
      .least_operands = 0,
      .most_operands = SIZE_MAX,
      .run = run_export,
  };
  return verb;
}

}  // namespace whittle::cli
