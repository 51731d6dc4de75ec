"""whittle doctor: what the machine has, and which of the known failures a text, a pod, evidence, a log, a profile or two
captures show."""

import json
import os
import shutil

from harness import SOURCE, load, temporary_directory, whittle

directory = temporary_directory()
KNOWN = {failure["id"]: failure for failure in load(os.path.join(SOURCE, "data", "known-failures.json"))["failures"]}
NATIVE = "SCMP_ARCH_X86_64" if os.uname().machine == "x86_64" else "SCMP_ARCH_AARCH64"


def ask(*args, stdin=None, expect=0):
    return json.loads(whittle("doctor", *args, "--json", stdin=stdin, expect=expect).stdout)


def file(name, content):
    path = os.path.join(directory, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(content if isinstance(content, str) else json.dumps(content))
    return path


print("the machine")
done = whittle("doctor", "--json", expect=None)
assert done.returncode in (0, 1), done.stderr
machine = json.loads(done.stdout)
items = {item["id"]: item for item in machine["machine"]}
assert {"seccomp", "user-notif", "wait-killable", "btf", "raw-tracepoint", "tp-btf", "lockdown", "cgroups", "root", "runc", "crun",
        "audit-log", "libseccomp"} <= set(items), set(items)
assert (items["root"]["have"] == "yes") == (os.geteuid() == 0)
assert (items["runc"]["have"] == "yes") == bool(shutil.which("runc"))
assert (items["btf"]["have"] == "yes") == os.access("/sys/kernel/btf/vmlinux", os.R_OK)
for item in items.values():
    assert item["have"] in ("yes", "no", "unknown"), item
    assert item["have"] != "no" or item["costs"] and item["fix"], item
states = {command["command"]: command for command in machine["commands"]}
for command in states.values():
    assert (command["state"] == "works") == (command["lacks"] == []), command
assert (done.returncode == 1) == any(command["state"] == "missing" for command in states.values())
text = whittle("doctor", expect=done.returncode).stdout
assert all(item["name"] in text for item in items.values()), text

print("without runtimes in PATH their lack is told, with the fix")
lacking = whittle("doctor", "--json", expect=1, env={**os.environ, "PATH": directory})
items = {item["id"]: item for item in json.loads(lacking.stdout)["machine"]}
assert items["runc"]["have"] == "no" and "install" in items["runc"]["fix"], items["runc"]
states = {command["command"]: command for command in json.loads(lacking.stdout)["commands"]}
assert states["verify --runtime runc"] ["state"] == "missing" and states["verify --runtime runc"]["lacks"][-1] == "runc", states

print("what runtimes say")
seen = set()
for sample in load(os.path.join(SOURCE, "tests", "fixtures", "failures.json"))["texts"]:
    answer = ask("-", stdin=sample["text"])
    assert answer["known"] and answer["id"] == sample["id"], (sample, answer["id"])
    cause = answer["causes"][0]
    assert cause["shown"] and cause["fix"] and cause["why"] and cause["sources"], cause
    assert set(sample.get("calls", [])) <= set(cause["calls"]), (sample, cause["calls"])
    seen.add(sample["id"])
assert set(KNOWN) - seen == {"profile-file-unreadable", "runtime-default-changed"}, set(KNOWN) - seen

print("what nobody knows is not known")
for text in ("", "hello", "\0\xff", "Error: ImagePullBackOff", "open /data/x: permission denied", '{"kind": 7}', "kind: [",
             "cannot load seccomp profile " * 3000):
    answer = ask("-", stdin=text, expect=1)
    assert not answer["known"] and answer["id"] is None and answer["causes"] == [] and answer["try"], answer
shown = whittle("doctor", "-", stdin="hello", expect=1).stdout
assert "not known" in shown and "what to try" in shown, shown

print("a missing file: where it is")
root = os.path.join(directory, "seccomp")
file("seccomp/team/web.json", {"defaultAction": "SCMP_ACT_ALLOW"})
error = f'cannot load seccomp profile "{root}/web.json": open {root}/web.json: no such file or directory'
found = ask("-", "--root", root, stdin=error)["causes"][0]["found"]
assert any("localhostProfile: team/web.json" in line for line in found), found
found = ask("-", "--root", root, stdin=error.replace("web.json", "other.json"))["causes"][0]["found"]
assert any("no file of that name" in line for line in found), found

print("a pod in YAML and JSON, and described")
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"},
       "spec": {"containers": [{"name": "web", "securityContext": {"seccompProfile": {
           "type": "Localhost", "localhostProfile": "team/docker.json"}}}]},
       "status": {"containerStatuses": [{"name": "web", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {
           "terminated": {"exitCode": 1, "message": "app: socket: Operation not permitted"}}}]}}
assert ask("-", "--root", directory + "/none", stdin=json.dumps(POD))["id"] == "eperm-crash-loop"
yaml = """apiVersion: v1
kind: Pod
status:
  containerStatuses:
  - state:
      waiting:
        reason: CreateContainerError
        message: 'failed to create containerd container: cannot load seccomp profile
          "/var/lib/kubelet/seccomp/profiles/unshare.json": open /var/lib/kubelet/seccomp/profiles/unshare.json:
          no such file or directory'
"""
assert ask("-", stdin=yaml)["id"] == "profile-file-missing"
killed = json.loads(json.dumps(POD))
killed["status"]["containerStatuses"][0]["lastState"]["terminated"] = {"exitCode": 159}
assert ask("-", "--root", directory + "/none", stdin=json.dumps(killed))["id"] == "killed-by-filter"

print("the profile that the pod names is looked at: Docker's dialect")
file("seccomp/team/docker.json", {"defaultAction": "SCMP_ACT_ERRNO", "archMap": [
    {"architecture": NATIVE, "subArchitectures": []}], "syscalls": [
        {"names": ["execve", "read"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_SYS_ADMIN"]}}]})
answer = ask("-", "--root", root, stdin=json.dumps(POD))
assert answer["id"] == "docker-dialect-file" and answer["causes"][0]["by"] == "profile", answer
assert "eperm-crash-loop" in {cause["id"] for cause in answer["causes"]}, answer
described = "Name: web\n  SeccompProfile:     Localhost\n    LocalhostProfile:\tteam/docker.json\n"
assert ask("-", "--root", root, stdin=described)["id"] == "docker-dialect-file"

print("a profile by itself")
assert ask("--profile", file("bad.json", "{"))["id"] == "profile-not-json"
assert ask("--profile", file("errno.json", {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
    {"names": ["getppid"], "action": "SCMP_ACT_ERRNO", "errnoRet": "EPERM"}]}))["id"] == "profile-errno-invalid"
few = ask("--profile", file("few.json", {"defaultAction": "SCMP_ACT_ERRNO", "architectures": [NATIVE], "syscalls": [
    {"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}))
assert few["id"] == "runtime-calls-refused" and "execve" in few["causes"][0]["calls"], few
assert ask("--profile", file("notify.json", {"defaultAction": "SCMP_ACT_NOTIFY", "architectures": [NATIVE]}))["id"] == \
    "notify-not-possible"
other = "SCMP_ARCH_AARCH64" if NATIVE == "SCMP_ARCH_X86_64" else "SCMP_ARCH_X86_64"
assert ask("--profile", file("arch.json", {"defaultAction": "SCMP_ACT_ALLOW", "architectures": [other]}))["id"] == "wrong-architecture"
assert ask("--profile", file("good.json", {"defaultAction": "SCMP_ACT_ALLOW", "architectures": [NATIVE]}), expect=1)["known"] is False

print("evidence and a log say which call")
EVIDENCE = {"schema": "whittle.evidence/v1", "workload": "web", "runs": [{
    "id": "0123456789abcdef", "source": "ebpf", "arch": "x86_64", "kernel": "6.1", "started": "2026-01-01T00:00:00Z", "duration": 1,
    "complete": True, "lost": {}, "timing": "native", "exit": 1, "syscalls": [{
        "arch": "x86_64", "name": "mkdir", "nr": 83, "count": 3, "refused": 3, "first": 0, "last": 1, "phases": ["startup"],
        "errnos": {"EPERM": 3}, "refusals": [{"args": [0, 0, 0, 0, 0, 0], "error": "EPERM", "phase": "startup", "comm": "web",
                                              "count": 3}]}]}], "syscalls": []}
answer = ask("-", "--evidence", file("web.evidence.json", EVIDENCE), stdin="app: mkdir x: Operation not permitted")
assert answer["id"] == "profile-too-strict" and answer["causes"][0]["calls"] == ["mkdir"], answer
assert answer["causes"][0]["by"] == "recorder", answer
record = ('type=SECCOMP msg=audit(1795769047.668:7): auid=4294967295 uid=0 gid=0 ses=4294967295 pid=20118 comm="app" exe="/app" '
          'sig=31 arch={} syscall={} compat=0 ip=0x7fa4bf595b07 code=0x80000000\n')
answer = ask("-", "--audit", file("audit.log", record.format("c000003e", 83)), stdin="Exit Code: 159")
assert answer["id"] == "profile-too-strict" and answer["causes"][0]["calls"] == ["mkdir"] and \
    answer["causes"][0]["by"] == "audit", answer
answer = ask("--audit", file("audit32.log", record.format("40000003", 122)))
assert answer["id"] == "wrong-architecture", answer

print("a default that changed")
BASE = {"schema": "whittle.captured-default/v1"}
for args, expect, says in ((["--after", "x"], 2, "--before"), (["--before", file("no.json", "{}")], 2, "no.json"),
                           (["a", "--container", "b"], 2, "container"), (["no-such-thing"], 2, "neither a file nor a container"),
                           ([directory], 2, directory), (["--profile", directory + "/none"], 2, "none")):
    done = whittle("doctor", *args, expect=expect)
    assert says in done.stderr and done.stdout == "", done.stderr
big = file("big.txt", "x" * (5 << 20))
assert "4 MiB" in whittle("doctor", big, expect=2).stderr or "large" in whittle("doctor", big, expect=2).stderr
