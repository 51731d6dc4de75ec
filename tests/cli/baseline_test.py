"""whittle baseline: the list, a resolved profile, its setting, and what is said about wrong ones."""

import json

from harness import whittle


def names(profile, action="SCMP_ACT_ALLOW"):
    return {name for rule in profile["syscalls"] if rule["action"] == action for name in rule["names"]}


def show(*args):
    return json.loads(whittle("baseline", "show", *args).stdout)


print("list")
ids = whittle("baseline", "list").stdout.split()
assert "docker@29.4.3" in ids and "containerd@2.2.4" in ids, ids[:5]
assert len(ids) == len(set(ids))
listed = json.loads(whittle("baseline", "list", "--json").stdout)
assert listed["baselines"] == ids
assert listed["default"] in ids and listed["default"].startswith("docker@")

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
                   (["show", "docker@latest"], "version"), (["show"], "ID is missing"),
                   (["shwo", "docker"], "baseline show"), (["list", "docker"], "unexpected"),
                   (["show", "docker", "--caps", "SYS_ADMN"], "CAP_SYS_ADMIN"),
                   (["show", "docker", "--arch", "vax"], "x86_64"),
                   (["show", "docker", "--kernel", "new"], "6.18"), ([], "")]:
    done = whittle("baseline", *args, expect=2)
    assert done.stdout == "", args
    assert done.stderr.startswith("whittle: error: ") and part in done.stderr, (args, done.stderr)
