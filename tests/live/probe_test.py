"""`whittle probe` against the kernel: the program is harmless without any filter, and the report tells
what the filter refused from what the kernel refused, natively as root and as another user, and in
runc and crun."""

import errno
import json
import os
import subprocess

from harness import BUILD, WHITTLE, for_everybody, require_root, temporary_directory, whittle

require_root()
DIRECTORY = temporary_directory()
os.chmod(DIRECTORY, 0o755)
STEPS = 24


def probe(profile, *options, expect, **kwargs):
    report = json.loads(whittle("probe", profile, "--json", *options, expect=expect, **kwargs).stdout)
    assert report["total"] == len(report["probes"]) == STEPS
    assert report["blocked"] == sum(step["blocked"] for step in report["probes"])
    for step in report["probes"]:
        assert step["name"] and step["syscall"] and step["result"] and step["technique"], step
    return {step["name"]: step for step in report["probes"]}


def write_profile(name, default, *allowed):
    path = os.path.join(DIRECTORY, name)
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"defaultAction": default, "architectures": ["SCMP_ARCH_X86_64"],
                   "syscalls": [{"names": list(allowed), "action": "SCMP_ACT_ALLOW"}]}, file)
    return path


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
    for path in ("/sys/kernel/kexec_loaded", "/proc/sys/kernel/tainted"):
        if os.path.exists(path):
            state[path] = read(path)
    # Their use counts come and go with whatever else runs; which there are does not.
    for path in ("/proc/modules", "/proc/net/protocols"):
        if os.path.exists(path):
            state[path] = [line.split()[0] for line in read(path).splitlines()]
    # The use counts and expiry times of keys come and go; which keys there are does not.
    if os.path.exists("/proc/keys"):
        state["keys"] = [line.split()[0] for line in read("/proc/keys").splitlines()]
    return state


# By number: what each call comes to without a filter, on a kernel that has it.
X86_64_RESULTS = {
    308: {errno.EBADF}, 165: {errno.EFAULT}, 430: {errno.EFAULT}, 429: {errno.EFAULT, errno.EBADF},
    428: {errno.EFAULT, errno.EBADF}, 155: {errno.EFAULT}, 101: {errno.ESRCH}, 438: {errno.EBADF},
    304: {errno.EFAULT, errno.EBADF}, 175: {errno.ENOEXEC, errno.EFAULT},
    313: {errno.EBADF, errno.ENOEXEC}, 246: {errno.EINVAL}, 321: {errno.EINVAL}, 298: {errno.EFAULT},
    323: {errno.EINVAL}, 250: {errno.EOPNOTSUPP}, 248: {errno.EFAULT}, 425: {errno.EFAULT, errno.EINVAL},
    41: {errno.EINVAL},
}
# Namespaces, personality, an empty copy, getpid of x32.
MADE_ONLY_FOR_ITSELF = {435, 56, 272, 135, 311, 39 | 0x40000000}

print("without a filter, as root: the calls are made, and the host is as before")
before = host_state()
for _ in range(3):
    done = subprocess.run([os.path.join(BUILD, "whittle_probe"), "0", "1000"], capture_output=True,
                          text=True, check=True)
after = host_state()
assert after == before, {key: (before[key], after[key]) for key in before if after[key] != before[key]}
lines = [list(map(lambda word: int(word, 16), line.split())) for line in done.stdout.splitlines()]
assert [line[0] for line in lines] == list(range(len(lines))) and len(lines) > STEPS
for line in lines:
    _, arch, number, *_, result = line
    if arch == 0xC000003E and number not in MADE_ONLY_FOR_ITSELF:
        answered = 2**64 - result
        # EPERM: locked down; ENOSYS: built without it.
        assert answered in X86_64_RESULTS[number] | {errno.EPERM, errno.ENOSYS}, line

print("Docker's default, natively: as root and as nobody")
docker = probe("baseline:docker", expect=1)
assert is_open(docker) == {"ptrace", "process-vm-writev", "socket-af-alg", "socket-af-vsock",
                           "socket-af-packet", "socket-netfilter", "int80-entry", "x32-entry"}, is_open(docker)
assert docker["mount"]["result"] == "EPERM by the filter"
assert docker["clone3"]["result"] == "ENOSYS by the filter"
assert docker["kernel-module"]["syscall"] == "init_module, finit_module"
assert docker["ptrace"]["result"] == "ESRCH by the kernel: reached"
# The rule "family greater than 40" takes 64 bits, the kernel 32: it is no lock.
assert docker["socket-af-vsock"]["result"] == "bits above 32: EINVAL by the kernel: reached"

tight = write_profile("tight.json", "SCMP_ACT_ERRNO", "execve", "write", "exit_group")
binary = for_everybody(WHITTLE)
for profile, code in (("baseline:docker", 1), (tight, 0)):
    as_nobody = subprocess.run([binary, "probe", profile, "--json"], user=65534, group=65534,
                               extra_groups=[], capture_output=True, text=True, check=False)
    assert as_nobody.returncode == code, as_nobody
    blocked = {step["name"]: step["blocked"] for step in json.loads(as_nobody.stdout)["probes"]}
    assert blocked == {name: step["blocked"] for name, step in probe(profile, expect=code).items()}

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
    assert is_open(inside) == is_open(docker), (runtime, is_open(inside))
assert is_open(probe(tight, "--runtime", "crun", expect=0)) == set()

print("a profile under which the program cannot run is bad input")
for missing in ("execve", "write"):
    rest = {"execve", "write", "exit_group"} - {missing}
    done = whittle("probe", write_profile("unfit.json", "SCMP_ACT_ERRNO", *rest), expect=2)
    assert f"the profile refuses {missing} (errno EPERM)" in done.stderr, done.stderr
done = whittle("probe", write_profile("unfit.json", "SCMP_ACT_ERRNO", "execve", "write"), "--runtime",
               "runc", expect=2)
assert "what the runtime itself calls" in done.stderr, done.stderr

# The runtimes' own session keyrings go when the kernel next collects keys.
after = host_state()
assert after | {"keys": []} == before | {"keys": []}, {key: (before[key], after[key]) for key in before
                                                       if after[key] != before[key]}
