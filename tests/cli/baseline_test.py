"""whittle baseline: the list, a resolved profile, its setting, and what is said about wrong ones."""

import json

from harness import whittle


def names(profile, action="SCMP_ACT_ALLOW"):
    return {name for rule in profile["syscalls"] if rule["action"] == action for name in rule["names"]}


def show(*args):
    return json.loads(whittle("baseline", "show", *args).stdout)


print("list --all: every release")
ids = whittle("baseline", "list", "--all").stdout.split()
assert "docker@29.4.3" in ids and "containerd@2.2.4" in ids, ids[:5]
assert len(ids) == len(set(ids))
listed = json.loads(whittle("baseline", "list", "--json").stdout)
assert listed["baselines"] == ids
assert listed["default"] in ids and listed["default"].startswith("docker@")
assert all(i.startswith("podman@") for i in whittle("baseline", "list", "podman", "--all").stdout.split())

print("list: which change at which version")
text = whittle("baseline", "list").stdout
assert "  docker@25.0.0 to 25.0.2  -io_uring_enter -io_uring_register -io_uring_setup\n" in text, text
assert "  docker@29.4.3 to 29.7.2  +socketcall\n" in text and "  podman@3.0.0 to 3.0.2  the first known\n" in text
changes = {change["id"]: change for change in listed["changes"]}
assert changes["containerd@2.2.4"] == {"id": "containerd@2.2.4", "last": "containerd@2.2.7", "after": "containerd@2.2.3",
                                       "added": [], "dropped": [], "changed": ["socket"]}
assert changes["docker@19.3.0"]["after"] is None and set(changes) <= set(ids)
assert "docker@" not in whittle("baseline", "list", "containerd").stdout

print("a release between two changes is that of its own branch's last change, and says so")
done = whittle("baseline", "show", "docker@24.0.9")
assert done.stderr == "whittle: docker@24.0.9: unchanged since docker@24.0.3\n", done.stderr
shown = json.loads(whittle("baseline", "show", "docker@24.0.9", "--json", "--arch", "amd64", "--kernel", "6.1").stdout)
assert shown["id"] == "docker@24.0.9" and shown["since"] == "docker@24.0.3", shown
assert shown["profile"] == json.loads(whittle("baseline", "show", "docker@24.0.3", "--arch", "amd64").stdout)
assert shown["setting"]["arch"] == "x86_64" and shown["setting"]["kernel"] == "6.1" and len(shown["setting"]["caps"]) == 14
assert whittle("baseline", "show", "docker@25.0.0").stderr == ""
# 23.0.10 brought fchmodat2 to its own branch before 24.0.9 had it.
assert whittle("baseline", "show", "docker@23.0.18").stderr.endswith("unchanged since docker@23.0.10\n")
assert "docker@20.10.23" in whittle("baseline", "show", "docker@20.10.24+dfsg1").stderr

print("the differences that the releases are known for")


def diff(*args):
    return json.loads(whittle("diff", *args, "--json", expect=1).stdout)["changes"]


changed = diff("baseline:docker@29.4.2", "baseline:docker@29.4.3", "--arch", "x86")
assert [(c["syscall"], c["direction"]) for c in changed] == [("socketcall", "looser")], changed
changed = diff("baseline:docker@24.0.9", "baseline:docker@25.0.0")
assert {(c["syscall"], c["direction"]) for c in changed} == {
    (f"io_uring_{what}", "tighter") for what in ("setup", "enter", "register")}, changed
changed = diff("baseline:containerd@2.1.0", "baseline:containerd@2.2.4", "--arch", "x86_64")
(socket,) = [c for c in changed if c["syscall"] == "socket"]
assert socket["direction"] == "tighter" and "AF_ALG" in socket["text"], socket
assert socket["witness"]["args"][0] == 38, socket

print("show: Docker's default on amd64")
docker = show("docker@29.4.3", "--arch", "amd64", "--kernel", "6.18")
assert docker["defaultAction"] == "SCMP_ACT_ERRNO" and docker["defaultErrnoRet"] == 1
assert docker["architectures"] == ["SCMP_ARCH_X32", "SCMP_ARCH_X86", "SCMP_ARCH_X86_64"]
assert len(names(docker)) == 370, len(names(docker))
assert {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38} in docker["syscalls"]
assert {rule["names"][0] for rule in docker["syscalls"] if rule.get("args")} == {"clone", "personality", "socket"}
assert show("baseline:docker@29.4.3", "--arch", "amd64", "--kernel", "6.18") == docker

print("show: the setting")
assert "mount" not in names(docker)
assert "mount" in names(show("docker@29.4.3", "--caps", "docker,SYS_ADMIN"))
assert "chroot" not in names(show("docker@29.4.3", "--caps", "none"))
assert "ptrace" not in names(show("docker@29.4.3", "--kernel", "4.7"))
assert show("docker", "--arch", "aarch64")["architectures"] == ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]
assert "mseal" not in names(show("docker@28.1.1")) and "mseal" in names(show("docker@28.2.0"))

print("the same bytes every time, one line for the names of a letter")
text = whittle("baseline", "show", "docker@29.4.3").stdout
assert text == whittle("baseline", "show", "docker@29.4.3").stdout
assert text.endswith("  ]\n}\n")
assert '      "vfork", "vmsplice",\n' in text

print("errors")
for args, part in [(["show", "docker@30"], "docker@29.7.2"), (["show", "doker"], "did you mean"),
                   (["show", "docker@24.0.10"], "docker@24.0.9"), (["show", "docker@29.0.0-rc.1"], "release"),
                   (["show", "lxc@5"], "known are containerd, cri-o, docker, podman"),
                   (["list", "lxc"], "known are containerd, cri-o, docker, podman"),
                   (["diff", "docker@29", "docker@28"], ""),
                   (["show", "docker@latest"], "version"), (["show"], "ID is missing"),
                   (["shwo", "docker"], "baseline show"), (["list", "docker", "podman"], "unexpected"),
                   (["show", "docker", "--caps", "SYS_ADMN"], "CAP_SYS_ADMIN"),
                   (["show", "docker", "--arch", "vax"], "x86_64"),
                   (["show", "docker", "--kernel", "new"], "6.18"), ([], "")]:
    done = whittle("baseline", *args, expect=2)
    assert done.stdout == "", args
    assert done.stderr.startswith("whittle: error: ") and part in done.stderr, (args, done.stderr)
