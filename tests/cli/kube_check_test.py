"""whittle kube check: widely copied examples, a finding for each mistake, inputs of every kind, the contract of its output."""

import json
import os

from harness import SOURCE, temporary_directory, whittle

directory = temporary_directory()
EXAMPLES = os.path.join(SOURCE, "tests", "kube", "examples")


def example(name):
    return os.path.join(EXAMPLES, name + ".yaml")


def write(name, content):
    path = os.path.join(directory, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(content if isinstance(content, str) else json.dumps(content, indent=1))
    return path


def check(*args, expect=1, **kwargs):
    return json.loads(whittle("kube", "check", *args, "--json", expect=expect, **kwargs).stdout)


def findings(*args, **kwargs):
    return check(*args, **kwargs)["findings"]


def rules(*args, **kwargs):
    return sorted(one["rule"] for one in findings(*args, **kwargs))


def pod(spec, name="p", **metadata):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **metadata}, "spec": spec}


def container(name="c", profile=None, **context):
    one = {"name": name, "image": "registry.example.com:5000/a/" + name + ":1"}
    if profile is not None:
        context["seccompProfile"] = profile
    if context:
        one["securityContext"] = context
    return one


def line_of(path, text):
    with open(path, encoding="utf-8") as file:
        return 1 + next(number for number, line in enumerate(file) if text in line)


DEFAULT = {"type": "RuntimeDefault"}

print("a Pod with RuntimeDefault: good, and not enough for restricted, which says what is missing")
whittle("kube", "check", example("runtime-default"), expect=0)
found = findings(example("runtime-default"), "--pss", "restricted")
assert {one["rule"] for one in found} == {"pss-capabilities-restricted", "pss-run-as-non-root"}, found
drop = next(one for one in found if one["rule"] == "pss-capabilities-restricted")
assert "drop" in drop["message"] and "ALL" in drop["message"] and "drop: [ALL]" in drop["fix"], drop
assert (drop["kind"], drop["name"], drop["container"], drop["document"]) == ("Pod", "default-pod", "test-container", 1), drop
whittle("kube", "check", example("runtime-default"), "--pss", "baseline", expect=0)

print("a labelled Namespace counts for the pods beside it")
whittle("kube", "check", example("namespace-restricted"), expect=0)
beside = write("beside.json", pod({"containers": [container()], "securityContext": {"seccompProfile": DEFAULT}},
                                  namespace="my-restricted-namespace"))
assert "pss-capabilities-restricted" in rules(example("namespace-restricted"), beside)
whittle("kube", "check", example("namespace-restricted"), example("runtime-default"), expect=0)  # in another namespace
assert "pss-privilege-escalation" in rules(example("namespace-restricted"), write("none.json", pod(
    {"containers": [container()]})), "--namespace", "my-restricted-namespace")

print("its labels are checked")
labels = write("labels.yaml", """apiVersion: v1
kind: Namespace
metadata:
  name: a
  labels:
    pod-security.kubernetes.io/enforce: strict
    pod-security.kubernetes.io/enforce-version: "1.29"
    pod-security.kubernetes.io/warning: baseline
    pod-security.kubernetes.io/audit-version: v1.29
    pod-security.kubernetes.io/warn: baseline
    pod-security.kubernetes.io/warn-version: v1.9999
""")
found = {one["line"]: one for one in findings(labels)}
assert {line: one["severity"] for line, one in found.items()} == {6: "error", 7: "error", 8: "warning", 9: "note", 11: "note"}, found
assert "pod-security.kubernetes.io/warn" in found[8]["fix"], found[8]

print("modes: audit and warn are warnings, and the version counts")
modes = write("modes.yaml", """apiVersion: v1
kind: Namespace
metadata: {name: a, labels: {pod-security.kubernetes.io/warn: baseline, pod-security.kubernetes.io/warn-version: v1.33}}
---
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: a}
spec:
  hostNetwork: true
  securityContext: {seccompProfile: {type: RuntimeDefault}}
  containers: [{name: c, image: i, livenessProbe: {httpGet: {host: example.com, port: 1}}}]
""")
assert [(one["rule"], one["severity"], one["pointer"]) for one in findings(modes)] == [
    ("pss-host-namespaces", "warning", "/spec/hostNetwork")], findings(modes)

print("SeccompProfile objects: v1alpha1 with a recording annotation, v1beta1 with 33 names that does not start under runc")
found = findings(example("spo-v1alpha1-recording"))
assert [one["line"] for one in found if one["rule"] == "spo-version"] == [2], found
found = findings(example("spo-v1beta1-33-names"))
missing = {call for one in found if one["rule"] == "missing-for-runtime" and one["severity"] == "error" for call in one["calls"]}
assert {"execve", "fstatfs"} <= missing, missing
assert any(one["rule"] == "missing-for-runtime" and one["calls"] == ["clone"] for one in found), found
assert all(one["kind"] == "SeccompProfile" and one["name"] == "nginx" and one["namespace"] == "my-namespace" for one in found)
names = [one for one in found if one["rule"] == "missing-counterpart" and one["calls"] == ["dup2"]]
assert names[0]["line"] == line_of(example("spo-v1beta1-33-names"), "- dup2"), names
assert names[0]["pointer"] == "/spec/syscalls/0/names/8", names

print("a DaemonSet that copies from a ConfigMap: its profile goes through lint, at its lines")
path = example("daemonset-copies-configmap")
found = findings(path)
assert {one["container"] for one in found if one["rule"] == "seccomp-unset"} == {"copy", "pause"}, found
log = next(one for one in found if one["rule"] == "log-by-default")
assert log["line"] == line_of(path, '"defaultAction"') and log["pointer"] == "/data/audit.json/defaultAction", log
assert log["kind"] == "ConfigMap", log

print("Docker's dialect, which a kubelet passes over silently")
docker = {"defaultAction": "SCMP_ACT_ERRNO", "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": []}],
          "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}}]}
for carrier in ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"a.json": json.dumps(docker)}},
                {"apiVersion": "security-profiles-operator.x-k8s.io/v1beta1", "kind": "SeccompProfile", "metadata": {"name": "m"},
                 "spec": docker}, docker):
    found = [one for one in findings(write("docker.json", carrier)) if one["rule"] == "docker-only-key"]
    assert len(found) == 2 and all(one["severity"] == "error" for one in found), found
    assert any(one["pointer"].endswith("/syscalls/0/includes") for one in found), found

print("Localhost paths: given, brought by an object, unknown, absolute, escaping, missing; a path with another type")
profiles = os.path.join(directory, "profiles")
write("profiles/audit.json", {"defaultAction": "SCMP_ACT_LOG"})
write("profiles/deep/web.json", {"defaultAction": "SCMP_ACT_LOG"})


def localhost(path):
    return write("localhost.json", pod({"containers": [container()], "securityContext": {
        "seccompProfile": {"type": "Localhost", **({"localhostProfile": path} if path is not None else {})}}}))


whittle("kube", "check", localhost("profiles/audit.json"), expect=0)
for path in ("profiles/audit.json", "deep/web.json"):  # there, and linted
    found = findings(localhost(path), "--profiles", profiles, "--fail-on", "error", expect=0)
    assert {one["file"] for one in found} == {os.path.join(directory, "profiles", path.removeprefix("profiles/"))}, found
    assert "log-by-default" in {one["rule"] for one in found}, found
for path, rule in (("profiles/web.json", "localhost-unknown-file"), ("/var/lib/kubelet/seccomp/a.json", "localhost-absolute-path"),
                   ("../a.json", "localhost-escaping-path"), ("a/../../b.json", "localhost-escaping-path"),
                   (None, "localhost-without-path"), ("", "localhost-without-path"), ("operator/ns/p.json", "spo-old-path")):
    found = findings(localhost(path), *(["--profiles", profiles] if rule == "localhost-unknown-file" else []))
    assert [one["rule"] for one in found] == [rule], (path, found)
    assert found[0]["fix"], found
assert "deep/web.json" in findings(localhost("profiles/web.json"), "--profiles", profiles)[0]["fix"]
operator = {"apiVersion": "v1", "kind": "List", "items": [
    {"apiVersion": "security-profiles-operator.x-k8s.io/v1", "kind": "SeccompProfile", "metadata": {"name": "p"},
     "spec": {"defaultAction": "SCMP_ACT_LOG"}},
    pod({"containers": [container()], "securityContext": {"seccompProfile": {
        "type": "Localhost", "localhostProfile": "operator/p.json"}}})]}
assert "localhost-unknown-file" not in rules(write("operator.json", operator), "--profiles", profiles)
empty = os.path.join(directory, "empty")
os.makedirs(empty)
assert rules(localhost("profiles/audit.json"), "--profiles", empty) == ["localhost-unknown-file"]
assert "localhost-unknown-file" not in rules(localhost("profiles/audit.json"), example("daemonset-copies-configmap"), "--profiles", empty)
assert rules(write("other.json", pod({"containers": [container()], "securityContext": {"seccompProfile": {
    "type": "RuntimeDefault", "localhostProfile": "a.json"}}}))) == ["path-without-localhost"]
assert rules(write("type.json", pod({"containers": [container()], "securityContext": {"seccompProfile": {
    "type": "runtime/default"}}}))) == ["seccomp-unknown-type"]
assert rules(example("localhost-operator")) == ["spo-old-path"]
whittle("kube", "check", example("localhost-profiles"), expect=0)

print("what counts for a container: its own setting, then the pod's; init and ephemeral ones likewise")
several = write("several.json", pod({
    "initContainers": [container("init", {"type": "Unconfined"})],
    "containers": [container("plain"), container("own", {"type": "Localhost", "localhostProfile": "a.json"}),
                   container("power", privileged=True)],
    "ephemeralContainers": [container("debug", {"type": "Unconfined"})],
    "securityContext": {"seccompProfile": DEFAULT}}))
result = check(several)
assert {one["container"]: (one["profile"], one["type"], one["from"]) for one in result["containers"]} == {
    "init": ("Unconfined", "init", "container"), "plain": ("RuntimeDefault", "container", "pod"),
    "own": ("Localhost a.json", "container", "container"), "power": ("Unconfined (privileged)", "container", "pod"),
    "debug": ("Unconfined", "ephemeral", "container")}, result["containers"]
assert {(one["rule"], one["container"]) for one in result["findings"]} == {
    ("container-undoes-pod", "init"), ("privileged", "power"), ("container-undoes-pod", "debug")}, result["findings"]
loose = write("loose.json", pod({"containers": [container(profile=DEFAULT)], "securityContext": {
    "seccompProfile": {"type": "Localhost", "localhostProfile": "a.json"}}}))
assert [(one["rule"], one["severity"]) for one in findings(loose)] == [("container-undoes-pod", "warning")]
unset = findings(write("unset.json", pod({"containers": [container()]})))
assert [one["rule"] for one in unset] == ["seccomp-unset"] and "SeccompDefault" in unset[0]["message"], unset
assert rules(write("unconfined.json", pod({"containers": [container()], "securityContext": {
    "seccompProfile": {"type": "Unconfined"}}}))) == ["seccomp-unconfined"]
whittle("kube", "check", write("windows.json", pod({"os": {"name": "windows"}, "containers": [container()]})), expect=0)

print("annotations of old: an error when nothing else is set")
ANNOTATION = {"annotations": {"seccomp.security.alpha.kubernetes.io/pod": "runtime/default"}}
found = findings(write("old.json", pod({"containers": [container()]}, **ANNOTATION)))
assert {(one["rule"], one["severity"]) for one in found} == {("deprecated-annotation", "error"), ("seccomp-unset", "warning")}, found
found = findings(write("old.json", pod({"containers": [container(profile=DEFAULT)]}, **ANNOTATION)))
assert [(one["rule"], one["severity"]) for one in found] == [("deprecated-annotation", "warning")], found

print("RuntimeDefault where a profile is given, by the name of the container, the workload or the image")
write("given/nginx.json", {"defaultAction": "SCMP_ACT_LOG"})
for name, image in (("nginx", "x"), ("c", "docker.io/library/nginx:1.25@sha256:00")):
    manifest = pod({"containers": [{"name": name, "image": image}], "securityContext": {"seccompProfile": DEFAULT}})
    found = findings(write("tighter.json", manifest), "--profiles", os.path.join(directory, "given"))
    assert [one["rule"] for one in found] == ["tighter-profile-given"] and "localhost/nginx.json" in found[0]["fix"], found

print("every kind with a pod template, and unknown kinds that embed one")
SPEC = {"containers": [container()]}
TEMPLATE = {"template": {"metadata": {"labels": {"a": "b"}}, "spec": SPEC}}
kinds = {kind: {"spec": TEMPLATE} for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job")}
kinds |= {"Pod": {"spec": SPEC}, "CronJob": {"spec": {"jobTemplate": {"spec": TEMPLATE}}}, "PodTemplate": TEMPLATE,
          "Service.serving.knative.dev": {"spec": TEMPLATE}, "Rollout": {"spec": {"workloads": [{"pod": {"spec": SPEC}}]}}}
for kind, body in kinds.items():
    found = findings(write("kind.json", {"apiVersion": "example.com/v1", "kind": kind, "metadata": {"name": "n"}, **body}))
    assert [(one["rule"], one["kind"], one["container"]) for one in found] == [("seccomp-unset", kind, "c")], (kind, found)
whittle("kube", "check", write("crd.json", {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {
    "name": "n"}, "spec": {"schema": {"containers": {"type": "array", "items": {"type": "object"}}}}}), expect=0)
for broken in ({"spec": {"template": {}}}, {"spec": {"template": {"spec": {"containers": "c"}}}}):
    assert "malformed-pod" in rules(write("broken.json", {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "n"}, **broken}))

print("several documents, List objects, a directory with other files, standard input, what helm prints")
stream = """# Source: chart/templates/a.yaml
apiVersion: v1
kind: Pod
metadata: {name: a}
spec: {containers: [{name: c, image: i}]}
---
# Source: chart/templates/nothing.yaml
---
apiVersion: v1
kind: PodList
items:
- metadata: {name: b}
  kind: Pod
  apiVersion: v1
  spec: {containers: [{name: d, image: i}]}
"""
found = findings("-", stdin=stream)
assert [(one["document"], one["line"], one["name"], one["file"]) for one in found] == [
    (1, 5, "a", "standard input"), (3, 15, "b", "standard input")], found
assert found[1]["pointer"] == "/items/0/spec/containers/0", found
write("tree/app/pod.yaml", stream)
write("tree/app/values.yaml", "replicas: 1\n")
write("tree/app/.hidden.yaml", "a: [\n")
done = whittle("kube", "check", os.path.join(directory, "tree"), expect=1)
assert "values.yaml: passed over" in done.stderr and "2 objects" in done.stdout, (done.stdout, done.stderr)

print("text with a place for each finding; --containers; --fail-on")
text = whittle("kube", "check", several, "--containers", expect=1).stdout
assert f"{several}:" in text and "ephemeral debug: Unconfined" in text and "init init: Unconfined" in text, text
assert "container-undoes-pod: Pod p: container init sets Unconfined" in text and "\x1b" not in text, text
assert text.splitlines()[-1] == "3 errors, 0 warnings, 0 notes in 1 object and 5 containers", text
whittle("kube", "check", write("unset.json", pod({"containers": [container()]})), "--fail-on", "error", expect=0)

print("SARIF: the same findings, each with a rule that has a page")
log = json.loads(whittle("kube", "check", several, "--sarif", expect=1).stdout)
run = log["runs"][0]
described = {rule["id"]: rule["help"]["text"].removeprefix("See ") for rule in run["tool"]["driver"]["rules"]}
assert len(run["results"]) == 3 and log["version"] == "2.1.0"
for one in run["results"]:
    assert described[one["ruleId"]] == "docs/kube-check.md#" + one["ruleId"], one
    assert one["locations"][0]["physicalLocation"]["region"]["startLine"] > 0, one
with open(os.path.join(SOURCE, "docs", "kube-check.md"), encoding="utf-8") as file:
    page = file.read()
for rule, uri in described.items():
    if uri.startswith("docs/kube-check.md"):
        assert f"\n### {rule}\n" in page, f"docs/kube-check.md has no section {rule}"

print("bad input: one clear error, and the other files are looked at all the same")
for name, content, words in (("bad.yaml", "a: [", "not valid YAML"), ("template.yaml", "a: {{ .Values.x }}\nb: {{ c", "helm template"),
                             ("text.yaml", "just text\n", "an object of Kubernetes"), ("nokind.yaml", "a: 1\n", "no apiVersion and kind")):
    done = whittle("kube", "check", write(name, content), several, expect=2)
    assert words in done.stderr and "5 containers; 1 not readable" in done.stdout, (name, done.stderr)
whittle("kube", "check", os.path.join(directory, "missing.yaml"), expect=2)
whittle("kube", "check", several, "--json", "--sarif", expect=2)
assert "did you mean `whittle kube check`" in whittle("kube", "chekc", several, expect=2).stderr
assert "--set" in whittle("kube", "check", several, "--set", "RuntimeDefault", expect=2).stderr

print("suppressions: by object and container, with a reason and a date; expired and unused ones are findings")
agents = write("agents.json", {"apiVersion": "v1", "kind": "List", "items": [
    pod({"containers": [container("agent", privileged=True), container("other", privileged=True)]}, "node-a", namespace="system"),
    pod({"containers": [container("agent", privileged=True)]}, "node-b")]})
everything = findings(agents)
accepted = {"rule": "privileged", "kind": "Pod", "namespace": "system", "name": "node-*", "container": "agent",
            "reason": "it mounts the host's file systems", "expires": "2999-12-31"}


def suppressing(*entries, **kwargs):
    return check(agents, "--suppress", write("accepted.json", {"suppress": list(entries)}), **kwargs)


def privileged(result):
    return sorted((one["name"], one["container"]) for one in result if one["rule"] == "privileged")


assert privileged(everything) == [("node-a", "agent"), ("node-a", "other"), ("node-b", "agent")], everything
result = suppressing(accepted)
assert privileged(result["findings"]) == [("node-a", "other"), ("node-b", "agent")], result
assert privileged(result["suppressed"]) == [("node-a", "agent")], result
assert result["suppressed"][0]["reason"] == accepted["reason"] and result["suppressed"][0]["expires"] == "2999-12-31"
assert len(result["findings"]) + 1 == len(everything), result
# An object without a namespace is in the one that --namespace names.
result = suppressing(dict(accepted, namespace="default", name="*"))
assert privileged(result["suppressed"]) == [("node-b", "agent")], result
for rule in {one["rule"] for one in everything}:
    assert rule not in {one["rule"] for one in suppressing(dict({key: accepted[key] for key in ("reason", "expires")}, rule=rule),
                                                           expect=None)["findings"]}, rule
whole = [dict({key: accepted[key] for key in ("reason", "expires")}, rule=rule) for rule in {one["rule"] for one in everything}]
assert suppressing(*whole, expect=0)["findings"] == []
expired = suppressing(dict(accepted, expires="2020-01-31"))["findings"]
assert len(privileged(expired)) == 3, expired
told = [one for one in expired if one["rule"] == "suppression-expired"]
assert [(one["pointer"], one["severity"], one["kind"]) for one in told] == [("/suppress/0", "warning", "")], told
unused = suppressing(dict(accepted, container="none"), dict(accepted, file="elsewhere.yaml"))["findings"]
assert [one["pointer"] for one in unused if one["rule"] == "suppression-unused"] == ["/suppress/0"], unused
text = whittle("kube", "check", agents, "--suppress", write("accepted.json", {"suppress": [accepted]}), expect=1).stdout
assert text.rstrip().endswith("; 1 suppressed"), text
log = json.loads(whittle("kube", "check", agents, "--suppress", os.path.join(directory, "accepted.json"), "--sarif", expect=1).stdout)
assert [one["suppressions"][0]["justification"] for one in log["runs"][0]["results"] if "suppressions" in one] == [accepted["reason"]]
for change, said in (({"reason": " "}, '"reason" is empty'), ({"expires": "soon"}, '"soon" is no date'),
                     ({"rule": "privilege"}, 'did you mean "privileged"'), ({"pod": "x"}, 'unknown key "pod"')):
    path = write("bad.yaml", {"suppress": [dict(accepted, **change)]})
    assert said in whittle("kube", "check", agents, "--suppress", path, expect=2).stderr, said
whittle("kube", "check", agents, "--suppress", os.path.join(directory, "none.yaml"), expect=2)
write("here/.whittle-kube.yaml", {"suppress": whole})
whittle("kube", "check", agents, cwd=os.path.join(directory, "here"), expect=0)
# lint has no objects.
assert 'unknown key "kind"' in whittle("lint", agents, "--suppress", os.path.join(directory, "accepted.json"), expect=2).stderr
