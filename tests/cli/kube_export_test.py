"""whittle kube export: what comes out is strict YAML, fits the schemas of Kubernetes 1.29 and 1.34 and the
limits of a cluster, and is the same profile when it is read back."""

import copy
import json
import os
import random
import re
import sys

from harness import SOURCE, load, temporary_directory, whittle

sys.path.insert(0, os.path.join(SOURCE, "tests", "kube"))
import schema  # noqa: E402  (beside the schemas)

os.chdir(temporary_directory())
SCHEMAS = {version: schema.Schemas(version) for version in schema.VERSIONS}
NGINX = os.path.join(SOURCE, "tests", "fixtures", "nginx-74-names.json")
SPO = "security-profiles-operator.x-k8s.io/"
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def write(name, content):
    with open(name, "w", encoding="utf-8") as file:
        file.write(content if isinstance(content, str) else json.dumps(content))
    return name


def export(*arguments, versions=schema.VERSIONS, partial=False, **kwargs):
    """The objects, checked, and what was said."""
    done = whittle("kube", "export", *arguments, **kwargs)
    objects = schema.read(done.stdout)
    for value in objects:
        name = value["metadata"]["name"]
        assert SUBDOMAIN.fullmatch(name) and len(name) <= 253, name
        if not value["apiVersion"].startswith(SPO):
            for version in versions:
                SCHEMAS[version].check(value, partial)
    return objects, done.stderr


def same(p, q):
    assert json.loads(whittle("diff", p, q, "--json").stdout)["equivalent"] is True, (p, q)


print("the schemas refuse what a cluster would")
pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
for version in schema.VERSIONS:
    SCHEMAS[version].check(pod)
    for path, value in ((("spec", "containers"), {}), (("spec", "securitycontext"), {}), (("spec", "containers"), [{"image": "i"}]),
                        (("spec", "hostNetwork"), "yes")):
        wrong = copy.deepcopy(pod)
        wrong[path[0]][path[1]] = value
        try:
            SCHEMAS[version].check(wrong)
        except AssertionError:
            continue
        raise SystemExit(f"the schema of {version} takes {wrong}")

RANDOM = random.Random(7)
NAMES = ["read", "write", "openat", "socket", "clone", "ioctl", "prctl", "mount", "ptrace", "futex", "kill", "execve", "dup3",
         "personality", "no_such_call"]


def random_profile():
    def rule():
        made = {"names": RANDOM.sample(NAMES, RANDOM.randint(1, 4)),
                "action": RANDOM.choice(["SCMP_ACT_ALLOW", "SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS"])}
        if made["action"] == "SCMP_ACT_ERRNO":
            made["errnoRet"] = RANDOM.choice([1, 38, 13])
        return made
    rules, seen = [], set()
    for _ in range(RANDOM.randint(1, 6)):
        made = rule()
        made["names"] = [name for name in made["names"] if name not in seen]
        seen.update(made["names"])
        if made["names"]:
            if RANDOM.random() < 0.5:
                made["args"] = [{"index": RANDOM.randrange(6), "op": RANDOM.choice(["SCMP_CMP_EQ", "SCMP_CMP_NE", "SCMP_CMP_LE"]),
                                 "value": RANDOM.randrange(1 << RANDOM.choice([3, 31, 62]))}]
            rules.append(made)
    return {"defaultAction": RANDOM.choice(["SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS"]), "syscalls": rules,
            "architectures": RANDOM.sample(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_AARCH64"], RANDOM.randint(1, 3))}


print("random profiles come back as they were, from every object that carries them")
os.mkdir("random")
COUNT = 12
for i in range(COUNT):
    write(f"random/r{i:02}.json", random_profile())
for arguments in (("--as", "ConfigMap"), ("--as", "DaemonSet", "--namespace", "kube-system"), ("--as", "SeccompProfile"),
                  ("--as", "SeccompProfile", "--api-version", "v1")):
    objects, _ = export("random", *arguments, "-o", "-")
    whittle("kube", "export", "random/", *arguments, "-o", "made.yaml")
    assert schema.read(open("made.yaml", encoding="utf-8").read()) == objects
    for i in range(COUNT):
        name = f"r{i:02}" + ("" if "SeccompProfile" in arguments else ".json")
        whittle("convert", "made.yaml", "--to", "oci", "--name", name, "-o", "back.json")
        same(f"random/r{i:02}.json", "back.json")

print("a baseline, with all its conditions; standard input")
for kind in ("ConfigMap", "DaemonSet", "SeccompProfile"):
    whittle("kube", "export", "baseline:docker@29.4.3", "--as", kind, "-o", "one.yaml", "--lossy")
    whittle("convert", "one.yaml", "--to", "oci", "-o", "back.json")
    same("baseline:docker@29.4.3", "back.json")
objects, _ = export("-", "--as", "ConfigMap", "--name", "web", stdin=open(NGINX, encoding="utf-8").read())
assert list(objects[0]["data"]) == ["web.json"] and objects[0]["metadata"]["name"] == "web"

print("the installer asks for nothing but its directory")
for plain in (False, True):
    (config_map, daemon_set), said = export(NGINX, "--as", "DaemonSet", "--namespace", "kube-system", "--name", "seccomp",
                                            *(["--plain"] if plain else ["--image", "registry.test/whittle@sha256:" + "0" * 64]))
    assert config_map["metadata"]["name"] == daemon_set["metadata"]["name"] == "seccomp"
    assert config_map["metadata"]["namespace"] == daemon_set["metadata"]["namespace"] == "kube-system"
    template = daemon_set["spec"]["template"]
    assert daemon_set["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    spec = template["spec"]
    assert spec["automountServiceAccountToken"] is False and not {"hostNetwork", "hostPID", "hostIPC", "serviceAccountName"} & set(spec)
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (init,), (main,) = spec["initContainers"], spec["containers"]
    for container, user in ((init, 0), (main, 65535)):
        assert container["securityContext"] == {
            "runAsUser": user, "runAsGroup": user, "runAsNonRoot": user != 0, "privileged": False,
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}, container
    assert "volumeMounts" not in main and "command" not in main
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    host = [volume for volume in spec["volumes"] if "hostPath" in volume]
    assert [volume["hostPath"] for volume in host] == [{"path": "/var/lib/kubelet/seccomp", "type": "DirectoryOrCreate"}]
    mounts = {mount["mountPath"]: mount for mount in init["volumeMounts"]}
    assert mounts["/profiles"]["readOnly"] is True and set(volumes) == {mount["name"] for mount in mounts.values()}
    if plain:
        assert init["image"] == "busybox:1.36" and init["command"][:2] == ["/bin/sh", "-c"]
        assert "compiles nothing" in said
    else:
        assert init["command"] == ["/whittle", "install", "/profiles", "--root", "/host/seccomp", "--into", "profiles"]
    assert "user 0" in said and "Pod Security level is privileged" in said, said
    assert "localhostProfile: profiles/nginx-74-names.json" in said
whittle("kube", "export", NGINX, "--as", "DaemonSet", "-o", "installer.yaml")
for level, wanted in (("baseline", {"pss-host-path-volumes"}),
                      ("restricted", {"pss-volume-types", "pss-run-as-user", "pss-run-as-non-root"})):
    found = json.loads(whittle("kube", "check", "--pss", level, "installer.yaml", "--json", expect=1).stdout)["findings"]
    assert {finding["rule"] for finding in found if finding["kind"] == "DaemonSet"} == wanted, found
(_, first), _ = export(NGINX, "--as", "DaemonSet")
(_, second), _ = export("random/r00.json", "--as", "DaemonSet", "--name", first["metadata"]["name"])
hashes = [each["spec"]["template"]["metadata"]["annotations"]["whittle/profiles-sha256"] for each in (first, second)]
assert hashes[0] != hashes[1]  # so that new profiles make new pods

print("a patch for every kind of workload")
POD = {"containers": [{"name": "app", "image": "i"}, {"name": "side", "image": "i"}], "restartPolicy": "Never"}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": POD}


def merged(original, patch):
    """As a strategic merge patch: maps are merged, containers by their name."""
    if isinstance(original, dict) and isinstance(patch, dict):
        return {**original, **{key: merged(original.get(key), value) for key, value in patch.items()}}
    if isinstance(original, list) and isinstance(patch, list) and all("name" in each for each in patch):
        names = {each["name"]: each for each in patch}
        return [merged(each, names[each["name"]]) if each["name"] in names else each for each in original]
    return patch


for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob", "Pod", "PodTemplate"):
    (patch,), said = export(NGINX, "--as", "patch", "--kind", kind, "--name", "web", partial=True)
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE, "serviceName": "s"}
    if kind != "StatefulSet":
        del spec["serviceName"]
    if kind == "ReplicationController":
        spec["selector"] = {"a": "b"}
    spec = {"CronJob": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": TEMPLATE}}}, "Pod": POD}.get(kind, spec)
    original = {"apiVersion": patch["apiVersion"], "kind": kind, "metadata": {"name": "web"}, "spec": spec}
    if kind == "PodTemplate":
        original["template"] = TEMPLATE
        del original["spec"]
    (narrow,), _ = export(NGINX, "--as", "patch", "--kind", kind, "--name", "web", "--container", "side", partial=True)
    for each, owners in ((patch, 1), (narrow, 1)):
        whole = merged(original, each)
        for version in schema.VERSIONS:
            SCHEMAS[version].check(whole)
        assert json.dumps(whole).count('{"type": "Localhost", "localhostProfile": "profiles/nginx-74-names.json"}') == owners
    assert "seccompProfile of its own" in said
(patch,), _ = export("--as", "patch", "--localhost-profile", "operator/web.json", partial=True)
assert patch["spec"]["template"]["spec"]["securityContext"]["seccompProfile"]["localhostProfile"] == "operator/web.json"

print("labels and policies")
(labelled,), _ = export("--as", "Namespace", "--name", "web", "--pss", "baseline:v1.30")
assert labelled["metadata"]["labels"] == {f"pod-security.kubernetes.io/{mode}{end}": value for mode in ("enforce", "audit", "warn")
                                          for end, value in (("", "baseline"), ("-version", "v1.30"))}
for api, version in (("v1", "1.34"), ("v1beta1", "1.29")):
    (policy, binding), said = export(NGINX, "--as", "ValidatingAdmissionPolicy", "--api-version", api, "--localhost-profile",
                                     "operator/a.json", versions=(version,))
    assert binding["spec"]["policyName"] == policy["metadata"]["name"] and "1.30" in said
    variables = {each["name"]: each["expression"] for each in policy["spec"]["variables"]}
    assert json.loads(variables["profiles"]) == ["operator/a.json", "profiles/nginx-74-names.json"]
(_, binding), _ = export("--as", "ValidatingAdmissionPolicy", "--namespace", "web", versions=("1.34",))
assert binding["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"][0]["values"] == ["web"]

print("names are made valid, and are the same every time")
os.mkdir("names")
long_name = "n" * 240
for name in ("My_App.profile.json", "ünïcode.json", "-x-.json", f"{long_name}.json", "yes.json", "1.json"):
    write(f"names/{name}", load(NGINX))
(named,), _ = export("names", "--as", "ConfigMap")
keys = list(named["data"])
assert {"my-app.json", "x.json", "yes.json", "1.json"} < set(keys) and keys == sorted(keys), keys
assert all(len(key) <= 200 and re.fullmatch(r"[-._a-z0-9]+", key) for key in keys), keys
cut = next(key for key in keys if key.startswith("nnn"))
os.unlink("names/yes.json")
(again,), _ = export("names", "--as", "ConfigMap")
assert cut in again["data"] and re.search(r"-[0-9a-f]{8}\.json$", cut), cut
write("names/my.app.json", load(NGINX))
write("names/MY-APP.json", load(NGINX))
assert "would both be called my-app" in whittle("kube", "export", "names", "--as", "ConfigMap", expect=2).stderr

print("the limits of objects")
os.mkdir("large")
for i in range(3):
    large = {**load(NGINX), "syscalls": load(NGINX)["syscalls"] + [
        {"names": [f"x{i}_{j:05}" for j in range(14000)], "action": "SCMP_ACT_ALLOW"}]}
    write(f"large/p{i}.json", large)
objects, said = export("large", "--as", "DaemonSet", "--name", "many")
maps = [value for value in objects if value["kind"] == "ConfigMap"]
assert [value["metadata"]["name"] for value in maps] == ["many", "many-2", "many-3"], said
assert all(len(json.dumps(value)) < 256 << 10 for value in maps)
sources = objects[-1]["spec"]["template"]["spec"]["volumes"][0]["projected"]["sources"]
assert [source["configMap"]["name"] for source in sources] == ["many", "many-2", "many-3"]
larger = {**large, "syscalls": [{"names": [f"y_{j:06}" for j in range(30000)], "action": "SCMP_ACT_ALLOW"}]}
_, said = export(write("larger.json", larger), "--as", "ConfigMap")
assert "--server-side" in said, said
larger["syscalls"][0]["names"] = [f"z_{j:06}_{'z' * 20}" for j in range(40000)]
assert "1048576" in whittle("kube", "export", write("larger.json", larger), "--as", "ConfigMap", expect=2).stderr

print("what can't be said is said, and nothing is written")
errno = write("errno.json", {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "syscalls": [
    {"names": ["read"], "action": "SCMP_ACT_ALLOW"}]})
docker = write("docker.json", {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
    {"names": ["read"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}}]})
for p, kind, pointer in ((errno, "SeccompProfile", "/defaultErrnoRet"), (docker, "ConfigMap", "/syscalls/0/includes"),
                         (docker, "DaemonSet", "/syscalls/0/includes")):
    done = whittle("kube", "export", p, "--as", kind, "-o", "lossy.yaml", expect=1)
    assert f"lost: {p} {pointer}: " in done.stderr and "--lossy" in done.stderr and not os.path.exists("lossy.yaml"), done.stderr
    value = json.loads(whittle("kube", "export", p, "--as", kind, "--json", expect=1).stdout)
    assert value["lossless"] is False and value["objects"] is None and value["lost"][0]["pointer"] == pointer, value
    value = json.loads(whittle("kube", "export", p, "--as", kind, "--json", "--lossy").stdout)
    assert value["kind"] == kind and value["objects"][0]["kind"] == kind or kind == "DaemonSet", value
export(docker, "--as", "ConfigMap", "--caps", "SYS_ADMIN")

print("one command line for every kind: any letters, a namespace and a profile where the kind has none")
def objects_of(*arguments):
    return schema.read(whittle("kube", "export", *arguments).stdout)


assert objects_of(NGINX, "--as", "configmap", "--name", "a") == objects_of(NGINX, "--as", "ConfigMap", "--name", "a")
plain = objects_of("--as", "Namespace", "--name", "a")
assert plain == objects_of(NGINX, "--as", "namespace", "--name", "a") == objects_of("--as", "Namespace", "--namespace", "a")
done = whittle("kube", "export", NGINX, "--as", "seccompprofile", "--api-version", "v1", "--namespace", "team")
assert "namespace" not in schema.read(done.stdout)[0]["metadata"] and "--namespace is left out" in done.stderr, done.stderr

print("bad input: one error, nothing written")
os.mkdir("empty")
for arguments, said in (((NGINX,), "--as"), ((NGINX, "--as", "configmaps"), "ConfigMap"), (("--as", "ConfigMap"), "which profile"),
                        ((NGINX, "--as", "ConfigMap", "--image", "x"), "--image goes with"),
                        ((NGINX, "--as", "ConfigMap", "--name", "Not_valid"), "not-valid"),
                        ((NGINX, "--as", "ConfigMap", "--namespace", "a.b"), "--namespace"),
                        ((NGINX, "--as", "DaemonSet", "--into", "../x"), "--into"),
                        (("--as", "Namespace"), "--name"),
                        (("--as", "Namespace", "--name", "a", "--pss", "strict"), "--pss"),
                        (("--as", "Namespace", "--name", "a", "--pss", "restricted:1.30"), "--pss"),
                        (("random", "--as", "SeccompProfile", "--name", "a"), "one SeccompProfile"),
                        (("random", "--as", "patch"), "one profile"), (("empty", "--as", "ConfigMap"), "*.json"),
                        ((NGINX, "--as", "patch", "--localhost-profile", "/etc/x"), "--localhost-profile"),
                        ((NGINX, "--as", "patch", "--container", "A b"), "--container"), (("missing", "--as", "ConfigMap"), "missing")):
    before = set(os.listdir("."))
    done = whittle("kube", "export", *arguments, expect=2)
    assert done.stderr.count("whittle: error: ") == 1 and said in done.stderr and done.stdout == "", (arguments, done.stderr)
    assert set(os.listdir(".")) == before
