"""`whittle probe` against the kernel: the program is harmless without any filter, and the report tells
what the filter, a missing capability and the kernel's configuration refused, natively as root and as
another user, and in runc and crun."""

import errno
import json
import os
import re
import subprocess
import sys
import time

from harness import (BUILD, SOURCE, WHITTLE, check_probes, for_everybody, probe_table, require_root, temporary_directory,
                     whittle)

require_root()
# In mounts of its own, to which nobody else adds any while the test compares them.
if "OWN_MOUNTS" not in os.environ:
    os.environ["OWN_MOUNTS"] = "1"
    os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])
DIRECTORY = temporary_directory()
os.chmod(DIRECTORY, 0o755)
STEPS = len(probe_table("none-root"))
assert STEPS >= 40


def checked(report):
    """A report as JSON, its steps by name."""
    assert report["total"] == len(report["probes"]) == STEPS
    assert report["blocked"] == sum(step["blocked"] for step in report["probes"])
    for step in report["probes"]:
        for key in ("name", "syscall", "result", "tries", "technique", "source"):
            assert step[key], step
        assert step["blocked"] == (step["by"] == "seccomp"), step
        assert set(step["expected"]) == {"root", "nobody", "docker"}, step
    return {step["name"]: step for step in report["probes"]}


def probe(profile, *options, expect, **kwargs):
    return checked(json.loads(whittle("probe", profile, "--json", *options, expect=expect, **kwargs).stdout))


def as_nobody(*arguments, code):
    done = subprocess.run([BINARY, "probe", *arguments, "--json"], user=65534, group=65534, extra_groups=[],
                          capture_output=True, text=True, check=False)
    assert done.returncode == code, done
    return checked(json.loads(done.stdout))


def write_file(name, text):
    path = os.path.join(DIRECTORY, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def write_profile(name, default, *allowed):
    return write_file(name, json.dumps({"defaultAction": default, "architectures": ["SCMP_ARCH_X86_64"],
                                        "syscalls": [{"names": list(allowed), "action": "SCMP_ACT_ALLOW"}]}))


def is_open(steps):
    return {name for name, step in steps.items() if not step["blocked"]}


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def running():
    """Probe programs and their children that are alive; they end by themselves at once."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            name, state = read(f"/proc/{pid}/stat").split("(", 1)[1].rsplit(") ", 1)
        except OSError:
            continue
        if name == "whittle_probe" and state[0] not in "ZX":
            found.append(pid)
    return found


def host_state():
    """What the steps would change on the host if they were not harmless."""
    namespaces = {kind: os.readlink(f"/proc/self/ns/{kind}") for kind in os.listdir("/proc/self/ns")}
    state = {"mounts": read("/proc/self/mountinfo"), "namespaces": namespaces, "running": running()}
    for path in ("/sys/kernel/kexec_loaded", "/proc/sys/kernel/tainted", "/proc/swaps", "/proc/sysvipc/msg",
                 "/proc/sys/kernel/randomize_va_space"):
        if os.path.exists(path):
            state[path] = read(path)
    # Their use counts come and go with whatever else runs; which there are does not.
    for path in ("/proc/modules", "/proc/net/protocols"):
        if os.path.exists(path):
            state[path] = [line.split()[0] for line in read(path).splitlines()]
    # The use counts and expiry times of keys come and go; which keys there are does not, but for the session keyrings that
    # runc and crun make of a container's name.
    if os.path.exists("/proc/keys"):
        keys = [line.split() for line in read("/proc/keys").splitlines()]
        state["keys"] = [words[0] for words in keys if not (words[7] == "keyring" and words[8].startswith("_ses."))]
    return state


def settled(before):
    """host_state() when the children of the steps have ended, as they do by themselves."""
    limit = time.monotonic() + 60
    while not set(running()) <= set(before["running"]) and time.monotonic() < limit:
        time.sleep(0.02)
    after = host_state()
    after["running"] = sorted(set(after["running"]) - set(before["running"]))
    return after


def results_by_call():
    """What each line of probe_calls.inc says that the call comes to, in the order in which they are made."""
    with open(os.path.join(SOURCE, "src", "trial", "probe_calls.inc"), encoding="utf-8") as file:
        text = file.read()
    calls = re.findall(r"^CALL\(.*?\)  +// (.*)$", re.sub(r",\n +", ", ", text), re.MULTILINE)
    assert len(calls) == len(re.findall(r"^CALL\(", text, re.MULTILINE))
    names = [re.findall(r"\bE[A-Z0-9]+\b", comment) for comment in calls]
    assert all(found or re.search("succeeds|0|the pid", comment) for found, comment in zip(names, calls)), calls
    return [{getattr(errno, name) for name in found} if found else {0} for found in names]


print("without a filter, as root: the calls are made, and the host is as before")
before = host_state()
for _ in range(3):
    done = subprocess.run([os.path.join(BUILD, "whittle_probe"), "0", "1000"], capture_output=True,
                          text=True, check=True)
after = settled(before)
# The kernel collects keys of others, ended containers', at any time; none is made.
assert set(after.pop("keys", [])) <= set(before.get("keys", [])), (before["keys"], after)
assert after | {"keys": []} == before | {"keys": [], "running": []}, {key: (before[key], after[key]) for key in after
                                                       if after[key] != before.get(key)}
lines = [list(map(lambda word: int(word, 16), line.split())) for line in done.stdout.splitlines()]
assert [line[0] for line in lines] == list(range(len(lines))) and len(lines) > STEPS
RESULTS = results_by_call()
assert len(lines) == len(RESULTS)
# Locked down; built without it, or not switched on.
LACKING = {errno.EPERM, errno.ENOSYS, errno.ENOPKG, errno.ENOSPC}
for line, allowed in zip(lines, RESULTS):
    answered = 2**64 - line[-1] if line[-1] >= 2**63 else 0
    assert answered in allowed | LACKING, (line, allowed)

print("without a filter, as root, as another user, and without capabilities")
BINARY = for_everybody(WHITTLE)
bare = probe("none", expect=1)
check_probes(bare.values(), "none-root")
assert not any(step["blocked"] for step in bare.values())
nobody = as_nobody("none", code=1)
check_probes(nobody.values(), "none-nobody")
assert nobody["reboot"]["result"] == "EPERM by the kernel for want of CAP_SYS_BOOT: let through"
for options in (("--user", "65534"), ("--user", "65534:65534", "--no-new-privileges", "off"), ("--caps", "none")):
    check_probes(probe("none", *options, expect=1).values(), "none-nobody")
some = probe("none", "--caps", "sys_boot", expect=1)
assert some["reboot"]["by"] == "open" and some["mount"]["by"] == "capability", (some["reboot"], some["mount"])
for settings, column in ((bare, "root"), (nobody, "nobody")):
    for step in settings.values():
        assert step["by"] in step["expected"][column].split("|"), step

print("with a profile that allows everything each step is as open as without")
everything = write_file("everything.json", json.dumps(
    {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]}))
for options in ((), ("--runtime", "runc", "--caps", ALL_CAPS := ",".join(
        json.loads(whittle("probe", "none", "--json", expect=1).stdout)["setting"]["capabilities"])),
                ("--runtime", "crun", "--caps", ALL_CAPS)):
    opened = probe(everything, *options, expect=1)
    assert {name: step["by"] for name, step in opened.items()} == {name: step["by"] for name, step in bare.items()}, options
inside = probe(everything, "--runtime", "crun", "--user", "65534", expect=1)
check_probes(inside.values(), "none-nobody")

print("Docker's default, natively: as root and as nobody")
docker = probe("baseline:docker", expect=1)
check_probes(probe("baseline:docker", "--caps", "docker", expect=1).values(), "docker-runc")
assert docker["mount"]["result"] == "EPERM by the filter"
assert docker["clone3"]["result"] == "ENOSYS by the filter"
assert docker["kernel-module"]["syscall"] == "init_module, finit_module, delete_module"
assert docker["ptrace"]["result"] == "ESRCH by the kernel: reached"
# The rule "family greater than 40" takes 64 bits, the kernel 32: it is no lock.
assert docker["socket-af-vsock"]["result"] == "bits above 32: EINVAL by the kernel: reached"

tight = write_profile("tight.json", "SCMP_ACT_ERRNO", "execve", "write", "exit_group")
for profile, code in (("baseline:docker", 1), (tight, 0)):
    blocked = {name for name, step in as_nobody(profile, code=code).items() if step["blocked"]}
    assert blocked == {name for name, step in probe(profile, expect=code).items() if step["blocked"]}

print("the kernel's own EPERM is not the filter's: both refuse, and the marker tells")
capable = write_profile("capable.json", "SCMP_ACT_ERRNO", "execve", "write", "exit_group", "mount", "reboot")
report = json.loads(whittle("probe", capable, "--json", "--caps", "none", expect=1).stdout)
assert report["marker"] is True and report["setting"]["capabilities"] == [], report["setting"]
steps = checked(report)
assert steps["reboot"]["result"] == "EPERM by the kernel for want of CAP_SYS_BOOT: let through", steps["reboot"]
assert steps["reboot"]["by"] == "capability" and not steps["reboot"]["blocked"]
assert steps["process-accounting"]["result"] == "EPERM by the filter", steps["process-accounting"]
assert steps["mount"]["result"].startswith("mount: EPERM by the kernel for want of CAP_SYS_ADMIN"), steps["mount"]
# ENOSYS is what the kernel says too.
assert steps["unknown-call"]["by"] == "seccomp", steps["unknown-call"]
lacking = write_file("lacking.json", json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
    {"names": ["uselib"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.ENOSYS}]}))
steps = probe(lacking, expect=1)
assert steps["uselib"]["result"] == "ENOSYS by the filter" and steps["unknown-call"]["by"] == "kernel"

print("a tight profile blocks all; one that kills too, step by step")
steps = probe(tight, expect=0)
assert steps["ptrace"]["result"] == "EPERM by the filter"
assert steps["int80-entry"]["result"] == "SIGSYS by the filter"
killing = write_profile("killing.json", "SCMP_ACT_KILL_PROCESS", "execve", "write", "exit_group")
assert {step["result"] for step in probe(killing, expect=0).values()} == {"SIGSYS by the filter"}
trapping = write_profile("trapping.json", "SCMP_ACT_TRAP", "execve", "write")
assert probe(trapping, expect=0)["bpf"]["result"] == "SIGSYS by the filter"
logging = write_profile("logging.json", "SCMP_ACT_LOG", "execve")
assert "mount" in is_open(probe(logging, expect=1))

print("in containers")
for runtime in ("runc", "crun"):
    inside = probe("baseline:docker", "--runtime", runtime, expect=1)
    check_probes(inside.values(), "docker-runc")
    for step in inside.values():
        assert step["by"] in step["expected"]["docker"].split("|"), step
    for options in (("--user", "65534"), ("--user", "65534", "--no-new-privileges", "off"), ("--no-new-privileges", "off")):
        other = probe("baseline:docker", "--runtime", runtime, *options, expect=1)
        assert {name for name in other if other[name]["blocked"]} == {name for name in inside if inside[name]["blocked"]}
        assert other["socket-raw"]["by"] == ("capability" if "--user" in options else "open"), other["socket-raw"]
    # The profile is read for the capabilities as Docker would, and the container has them.
    admin = probe("baseline:docker", "--runtime", runtime, "--caps", "docker,sys_admin", expect=1)
    assert admin["mount"]["by"] == "open" and admin["namespaces-unshare"]["by"] == "open", admin["mount"]
    assert admin["reboot"]["by"] == "seccomp", admin["reboot"]
assert is_open(probe(tight, "--runtime", "crun", expect=0)) == set()

print("a workload.yaml says how")
write_file("workload/workload.yaml", f"""apiVersion: whittle/v1
kind: Workload
name: tight
run:
  command: [/bin/true]
  runtime: crun
  user: "65534"
profile: {tight}
""")
report = json.loads(whittle("probe", DIRECTORY + "/workload", "--json", expect=0).stdout)
assert report["setting"] == {"runtime": "crun", "no_new_privileges": True, "uid": 65534, "gid": 65534, "capabilities": []}
assert json.loads(whittle("probe", DIRECTORY + "/workload/workload.yaml", "--runtime", "none", "--json").stdout)[
    "setting"]["runtime"] == "none"
write_file("bundle/config.json", json.dumps({"process": {
    "user": {"uid": 0, "gid": 0}, "noNewPrivileges": True, "capabilities": {"bounding": ["CAP_SYS_BOOT"]}}}))
write_file("bundle/workload.yaml", f"""apiVersion: whittle/v1
kind: Workload
name: bundle
run: {{bundle: ., runtime: crun}}
profile: {everything}
""")
steps = probe(DIRECTORY + "/bundle", expect=1)
assert steps["reboot"]["by"] == "open" and steps["mount"]["by"] == "capability", (steps["reboot"], steps["mount"])
write_file("bare/workload.yaml", "apiVersion: whittle/v1\nkind: Workload\nname: bare\nrun: {command: [/bin/true]}\n")
assert "bare.profile.json" in whittle("probe", DIRECTORY + "/bare", expect=None).stderr

print("a filter around whittle is not taken for the profile")
around = write_file("around.json", json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
    {"names": ["reboot"], "action": "SCMP_ACT_ERRNO"}]}))
done = whittle("verify", "--profile", around, "--no-probes", "--json", "--", WHITTLE, "probe", everything, expect=1)
assert "under a seccomp filter itself" in done.stderr, done.stderr
assert re.search("kernel +reboot +EPERM by the kernel's configuration", done.stderr), done.stderr

print("what needs root says so")
for options in (("--user", "1"), ("--caps", "none"), ("--runtime", "crun")):
    done = subprocess.run([BINARY, "probe", tight, *options], user=65534, group=65534, extra_groups=[], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 3 and "root" in done.stderr, done

print("a profile under which the program cannot run is bad input")
for missing in ("execve", "write"):
    rest = {"execve", "write", "exit_group"} - {missing}
    done = whittle("probe", write_profile("unfit.json", "SCMP_ACT_ERRNO", *rest), expect=2)
    assert f"the profile refuses {missing} (errno EPERM)" in done.stderr, done.stderr
done = whittle("probe", write_profile("unfit.json", "SCMP_ACT_ERRNO", "execve", "write"), "--runtime",
               "runc", expect=2)
assert "what the runtime itself calls" in done.stderr, done.stderr

# The runtimes' own session keyrings go when the kernel next collects keys.
after = settled(before)
assert after | {"keys": []} == before | {"keys": [], "running": []}, {key: (before[key], after[key]) for key in before
                                                       if after[key] != before.get(key)}
