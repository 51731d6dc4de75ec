"""whittle kube check --pss: 200 random pods agree with the standard's own table of allowed values.

The table below is the page of the standard (https://kubernetes.io/docs/concepts/security/pod-security-standards/),
field by field, with the versions in which values came; it knows nothing of data/pod-security.json.
"""

import json
import os
import random

from harness import temporary_directory, whittle

SEED = int(os.environ.get("WHITTLE_SEED", "20241"))
directory = temporary_directory()
LATEST = 10_000

MISSING = object()  # the field is not there


class Values:
    """The values that the table allows in a field."""

    def __init__(self, *values, undefined=True, later=()):
        self.values, self.undefined, self.later = values, undefined, later

    def allow(self, value, minor):
        if value is MISSING:
            return self.undefined
        allowed = list(self.values) + [one for since, more in self.later if minor >= since for one in more]
        return any(type(value) is type(one) and value == one for one in allowed)


DEFAULT_CAPABILITIES = ("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
                        "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT")
SAFE_SYSCTLS = Values("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
                      "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", later=[
                          (27, ["net.ipv4.ip_local_reserved_ports"]),
                          (29, ["net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
                                "net.ipv4.tcp_keepalive_probes"]),
                          (32, ["net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"]),
                          (37, ["net.ipv4.tcp_slow_start_after_idle", "net.ipv4.tcp_notsent_lowat"])])
SELINUX_TYPES = Values("", "container_t", "container_init_t", "container_kvm_t", later=[(31, ["container_engine_t"])])
PROFILES = Values("RuntimeDefault", "Localhost")
OFF = Values(False)
VOLUMES = {"name", "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret", "image"}
HANDLERS = [(probe, action) for probe in ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle.postStart", "lifecycle.preStop")
            for action in ("httpGet", "tcpSocket")]


def get(value, path):
    for part in path.split("."):
        if not isinstance(value, dict) or value.get(part) is None:
            return MISSING
        value = value[part]
    return value


def all_containers(spec):
    return [one for kind in ("initContainers", "containers", "ephemeralContainers") for one in spec.get(kind, [])]


def items(value):
    return [] if value is MISSING else value


def broken(pod, level, minor):
    """The controls that the pod breaks, by name."""
    spec, containers = pod["spec"], all_containers(pod["spec"])
    annotations = items(get(pod, "metadata.annotations")) or {}
    windows = get(spec, "os.name") == "windows"
    user_namespace = get(spec, "hostUsers") is False
    found = set()

    def check(control, good):
        if not good:
            found.add(control)

    def everywhere(control, path, table, pod_too=True):
        for owner in ([spec] if pod_too else []) + containers:
            check(control, table.allow(get(owner, path), minor))

    for field in ("hostNetwork", "hostPID", "hostIPC"):
        check("host-namespaces", OFF.allow(get(spec, field), minor))
    everywhere("privileged", "securityContext.privileged", OFF, pod_too=False)
    for container in containers:
        for added in items(get(container, "securityContext.capabilities.add")):
            check("capabilities", added in DEFAULT_CAPABILITIES)
        for port in items(get(container, "ports")):
            check("host-ports", Values(0).allow(get(port, "hostPort"), minor))
    for volume in spec.get("volumes", []):
        check("host-path-volumes", get(volume, "hostPath") is MISSING)
    for key, value in annotations.items():
        if key.startswith("container.apparmor.security.beta.kubernetes.io/"):
            check("apparmor", value in ("", "runtime/default") or value.startswith("localhost/"))
        if key.startswith(("container.seccomp.security.alpha.kubernetes.io/", "seccomp.security.alpha.kubernetes.io/pod")) and minor <= 18:
            check("seccomp", value in ("runtime/default", "docker/default") or value.startswith("localhost/"))
    everywhere("apparmor", "securityContext.appArmorProfile.type", PROFILES)
    everywhere("selinux", "securityContext.seLinuxOptions.type", SELINUX_TYPES)
    everywhere("selinux", "securityContext.seLinuxOptions.user", Values(""))
    everywhere("selinux", "securityContext.seLinuxOptions.role", Values(""))
    everywhere("host-process", "securityContext.windowsOptions.hostProcess", OFF)
    if minor >= 19:
        everywhere("seccomp", "securityContext.seccompProfile.type", PROFILES)
    for one in items(get(spec, "securityContext.sysctls")):
        check("sysctls", SAFE_SYSCTLS.allow(one["name"], minor))
    if minor < 35 or not user_namespace or level == "restricted":
        everywhere("proc-mount", "securityContext.procMount", Values("Default"), pod_too=False)
    if minor >= 34:
        for where, action in HANDLERS:
            everywhere("host-probes", f"{where}.{action}.host", Values(""), pod_too=False)
    if level == "baseline":
        return found

    for volume in spec.get("volumes", []):
        check("volume-types", set(volume) <= VOLUMES)
    if minor >= 8 and not (windows and minor >= 25):
        everywhere("privilege-escalation", "securityContext.allowPrivilegeEscalation", Values(False, undefined=False), pod_too=False)
    if minor < 35 or not user_namespace:
        in_pod = get(spec, "securityContext.runAsNonRoot")
        check("run-as-non-root", in_pod in (MISSING, True))
        for container in containers:
            own = get(container, "securityContext.runAsNonRoot")
            check("run-as-non-root", own is True or (own is MISSING and in_pod is True))
        if minor >= 23:
            for owner in [spec] + containers:
                check("run-as-user", get(owner, "securityContext.runAsUser") != 0)
    if minor >= 19 and not (windows and minor >= 25):
        in_pod = get(spec, "securityContext.seccompProfile.type")
        for container in containers:
            own = get(container, "securityContext.seccompProfile.type")
            check("seccomp", PROFILES.allow(in_pod if own is MISSING else own, minor) and not (own is MISSING and in_pod is MISSING))
    if minor >= 22 and not (windows and minor >= 25):
        for container in containers:
            check("capabilities", "ALL" in items(get(container, "securityContext.capabilities.drop")))
            check("capabilities", set(items(get(container, "securityContext.capabilities.add"))) <= {"NET_BIND_SERVICE"})
    return found


def put(value, path, what):
    *parents, last = path.split(".")
    for part in parents:
        value = value.setdefault(part, {})
    value[last] = what


def random_pod(rng):
    """Mostly good, so that one bad field decides; every field of the table, at every level of a pod."""
    strict = rng.random() < 0.7

    def container(name):
        one = {"name": name, "image": "example.com/" + name}
        if strict or rng.random() < 0.5:
            one["securityContext"] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        return one

    spec = {"containers": [container(f"c{i}") for i in range(rng.randint(1, 2))]}
    if rng.random() < 0.4:
        spec["initContainers"] = [container("init")]
    if rng.random() < 0.2:
        spec["ephemeralContainers"] = [container("debug")]
    if strict or rng.random() < 0.5:
        put(spec, "securityContext.runAsNonRoot", True)
        put(spec, "securityContext.seccompProfile", {"type": "RuntimeDefault"})
    metadata = {"name": "p"}
    owners = [spec] + all_containers(spec)
    changes = [
        lambda: put(spec, rng.choice(["hostNetwork", "hostPID", "hostIPC"]), rng.choice([True, False, None])),
        lambda: put(rng.choice(owners[1:]), "securityContext.privileged", rng.choice([True, False, None])),
        lambda: put(rng.choice(owners[1:]), "securityContext.capabilities.add",
                    rng.sample(DEFAULT_CAPABILITIES + ("NET_RAW", "SYS_ADMIN", "CAP_CHOWN", "ALL"), rng.randint(0, 2))),
        lambda: put(rng.choice(owners[1:]), "securityContext.capabilities.add", ["NET_BIND_SERVICE"]),
        lambda: put(rng.choice(owners[1:]), "securityContext.capabilities.drop", rng.choice([["ALL"], ["NET_RAW"], [], ["all"], None])),
        lambda: put(rng.choice(owners[1:]), "ports", [{"containerPort": 80, "hostPort": rng.choice([0, 80, None])}]),
        lambda: spec.setdefault("volumes", []).append({"name": "v", rng.choice(
            ["hostPath", "nfs", "gitRepo", "iscsi", "fc", "azureDisk"] + sorted(VOLUMES - {"name"}) * 2): {}}),
        lambda: put(metadata, "annotations", {rng.choice(
            ["container.apparmor.security.beta.kubernetes.io/c0", "container.seccomp.security.alpha.kubernetes.io/c0",
             "seccomp.security.alpha.kubernetes.io/pod", "other"]): rng.choice(
                 ["runtime/default", "docker/default", "localhost/x", "unconfined"])}),
        lambda: put(rng.choice(owners), "securityContext.appArmorProfile", {"type": rng.choice(["RuntimeDefault", "Localhost", "Unconfined"])}),
        lambda: put(rng.choice(owners), "securityContext.seLinuxOptions", {rng.choice(["type", "user", "role", "level"]): rng.choice(
            ["", "container_t", "container_engine_t", "spc_t", "sysadm_r"])}),
        lambda: put(rng.choice(owners), "securityContext.windowsOptions.hostProcess", rng.choice([True, False, None])),
        lambda: put(rng.choice(owners), "securityContext.seccompProfile", {"type": rng.choice(["RuntimeDefault", "Localhost", "Unconfined"])}),
        lambda: put(spec, "securityContext.sysctls", [{"name": rng.choice(
            list(SAFE_SYSCTLS.values) + [one for _, more in SAFE_SYSCTLS.later for one in more] + ["kernel.msgmax"]), "value": "1"}]),
        lambda: put(rng.choice(owners[1:]), "securityContext.procMount", rng.choice(["Default", "Unmasked", None])),
        lambda: put(rng.choice(owners[1:]), "{}.{}.host".format(*rng.choice(HANDLERS)), rng.choice(["", "example.com"])),
        lambda: put(rng.choice(owners[1:]), "securityContext.allowPrivilegeEscalation", rng.choice([True, False, None])),
        lambda: put(rng.choice(owners), "securityContext.runAsNonRoot", rng.choice([True, False, None])),
        lambda: put(rng.choice(owners), "securityContext.runAsUser", rng.choice([0, 1000, None])),
        lambda: put(spec, "hostUsers", rng.choice([True, False])),
        lambda: put(spec, "os", {"name": rng.choice(["windows", "linux"])}),
    ]
    for change in rng.sample(changes, rng.randint(0, 3)):
        change()
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def table_name(rule):
    """Ours, in the words of the table above."""
    return rule.removeprefix("pss-").removesuffix("-restricted")


def told(pods, standard):
    """For each pod the controls that whittle says it breaks."""
    path = os.path.join(directory, "pods.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"apiVersion": "v1", "kind": "List", "items": pods}, file)
    found = json.loads(whittle("kube", "check", path, "--pss", standard, "--json", expect=None).stdout)["findings"]
    result = [set() for _ in pods]
    for finding in found:
        if finding["rule"].startswith("pss-"):
            result[int(finding["pointer"].split("/")[2])].add(table_name(finding["rule"]))
    return result


print(f"200 random pods (WHITTLE_SEED={SEED}) at both levels and at versions from v1.0 to the newest")
rng = random.Random(SEED)
pods = [random_pod(rng) for _ in range(200)]
outcomes = {"good": 0, "bad": 0}
seen = set()
for level in ("baseline", "restricted"):
    for version in ("v1.0", "v1.8", "v1.18", "v1.19", "v1.22", "v1.24", "v1.25", "v1.27", "v1.29", "v1.31", "v1.34", "v1.35", "latest"):
        minor = LATEST if version == "latest" else int(version[3:])
        for pod, got in zip(pods, told(pods, f"{level}:{version}")):
            want = broken(pod, level, minor)
            if "volume-types" in want:  # says the same of a hostPath
                want.discard("host-path-volumes")
                got.discard("host-path-volumes")
            assert got == want, (level, version, got, want, json.dumps(pod))
            outcomes["bad" if want else "good"] += 1
            seen |= want
assert min(outcomes.values()) > 300, outcomes
assert seen == {"host-namespaces", "privileged", "capabilities", "host-path-volumes", "host-ports", "apparmor", "selinux", "proc-mount",
                "seccomp", "sysctls", "host-process", "host-probes", "volume-types", "privilege-escalation", "run-as-non-root",
                "run-as-user"}, seen
print(f"{outcomes['good']} times nothing is broken, {outcomes['bad']} times the same controls are")

print("field path and fix are in each finding; privileged asks for nothing")
path = os.path.join(directory, "one.json")
with open(path, "w", encoding="utf-8") as file:
    json.dump({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"template": {"spec": {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "c", "image": "i", "securityContext": {
            "allowPrivilegeEscalation": False, "capabilities": {"add": ["SYS_ADMIN"]}}}]}}}}, file)
found = json.loads(whittle("kube", "check", path, "--pss", "restricted:1.29", "--json", expect=1).stdout)["findings"]
context = "/spec/template/spec/containers/0/securityContext/capabilities/"
assert {one["pointer"] for one in found} == {context + "drop", context + "add/0"}, found
assert all(one["fix"] and one["severity"] == "error" and one["container"] == "c" for one in found), found
assert any("restricted v1.29" in one["message"] and "SYS_ADMIN" in one["message"] for one in found), found
whittle("kube", "check", path, "--pss", "privileged", expect=0)

print("levels and versions that do not exist")
assert "no level" in whittle("kube", "check", path, "--pss", "strict", expect=2).stderr
assert "no version" in whittle("kube", "check", path, "--pss", "baseline:2.0", expect=2).stderr
assert "newer than" in whittle("kube", "check", path, "--pss", "baseline:v1.99", expect=1).stderr
