"""The failures that doctor knows, made for real with runc, crun and containerd: from what they say, doctor names the
cause."""

import atexit
import ctypes
import json
import os
import shutil
import signal
import subprocess
import time

from harness import SOURCE, host_root, program, require_root, skip, temporary_directory, whittle

require_root()
RUNTIMES = [name for name in ("runc", "crun") if shutil.which(name)]
if not RUNTIMES or os.uname().machine != "x86_64":
    skip("needs runc or crun, on x86_64")
directory = temporary_directory()
ALLOW, ERRNO = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"
ARCHES = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
HYBRID = os.path.exists("/sys/fs/cgroup/unified")


def rule(names, action=ERRNO, **more):
    return {"names": names.split(), "action": action, **more}


def profile(*rules, default=ALLOW, **more):
    return {"defaultAction": default, "architectures": ARCHES, "syscalls": list(rules), **more}


def file(name, content):
    path = os.path.join(directory, name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(content if isinstance(content, str) else json.dumps(content))
    return path


def doctor(*args, text=None, expect=0):
    return json.loads(whittle("doctor", *args, "--json", stdin=text, expect=expect).stdout)


def named(text, *args):
    """The id of the cause, and the calls, that doctor reads out of a real error."""
    answer = doctor("-", *args, text=text, expect=None)
    return answer["id"], answer["causes"][0]["calls"] if answer["causes"] else []


def bundle(document, argv, no_new_privileges=True):
    path = temporary_directory()
    root, mounts = host_root(path)
    shutil.copy(program("raw32_exec"), os.path.join(root, "program32"))
    caps = ["CAP_CHOWN", "CAP_SETUID", "CAP_SETGID"]
    linux = {"namespaces": [{"type": "mount"}, {"type": "pid"}], "resources": {"devices": [{"allow": True, "access": "rwm"}]}}
    if document is not None:
        linux["seccomp"] = document
    with open(os.path.join(path, "config.json"), "w", encoding="utf-8") as out:
        json.dump({"ociVersion": "1.0.2", "root": {"path": "rootfs"}, "mounts": mounts, "linux": linux, "process": {
            "user": {"uid": 0, "gid": 0}, "args": list(argv), "cwd": "/", "noNewPrivileges": no_new_privileges,
            "env": ["PATH=/usr/bin:/bin"], "capabilities": {kind: caps for kind in ("bounding", "effective", "permitted")}}}, out)
    return path


def command(runtime, *args):
    # crun refuses a host with hybrid cgroups while it sees the v2 tree.
    if runtime == "crun" and HYBRID:
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                'mount -t tmpfs none /sys/fs/cgroup/unified && exec "$@"', "sh", runtime, *args]
    return [runtime, *args]


def run(runtime, document, argv=("/bin/true",), no_new_privileges=True, seconds=60):
    """The exit status and all that a container says; None when it had to be ended."""
    path = bundle(document, argv, no_new_privileges)
    name = "whittle-doctor-" + os.path.basename(path).replace(".", "-")
    state = ("--root", os.path.join(path, "state"))
    process = subprocess.Popen(command(runtime, *state, "run", "-b", path, name), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    try:
        said, _ = process.communicate(timeout=seconds)
        return process.returncode, said
    except subprocess.TimeoutExpired:
        subprocess.run([runtime, *state, "kill", name, "KILL"], capture_output=True, check=False)
        process.kill()
        return None, process.communicate()[0]
    finally:
        subprocess.run([runtime, *state, "delete", "-f", name], capture_output=True, check=False)


print("a container that starts")
slowest = 0
for runtime in RUNTIMES:
    began = time.monotonic()
    started = run(runtime, profile(rule("bpf")))
    slowest = max(slowest, time.monotonic() - began)
    assert started == (0, ""), started

EQ = {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}
LOADING = [
    ("wrong-architecture", profile(architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_S390X"]), "runc crun"),
    ("wrong-architecture", profile(architectures=["SCMP_ARCH_NONE"]), "runc crun"),
    ("docker-dialect-file", profile(architectures=["amd64"]), "runc crun"),
    ("docker-dialect-file", profile({"name": "chmod", "action": ERRNO}), "crun"),
    ("notify-not-possible", profile(default="SCMP_ACT_NOTIFY"), "runc"),
    ("notify-not-possible", profile(rule("write", "SCMP_ACT_NOTIFY"), listenerPath="/none.sock"), "runc crun"),
    ("notify-not-possible", profile(rule("getppid", "SCMP_ACT_NOTIFY")), "runc"),
    ("flags-unknown", profile(flags=["SECCOMP_FILTER_FLAG_NONE"]), "runc crun"),
    ("profile-errno-invalid", profile(rule("getppid", errnoRet=5000)), "runc crun"),
    ("profile-errno-invalid", profile(rule("getppid", errnoRet="EPERM")), "runc"),
    ("profile-errno-invalid", profile(rule("getppid", "SCMP_ACT_KILL", errnoRet=1)), "crun"),
    ("profile-word-unknown", profile(default="SCMP_ACT_NONE"), "runc crun"),
    ("contradictory-rules", profile(rule("getppid", args=[EQ]), rule("getppid", "SCMP_ACT_KILL", args=[EQ])), "runc crun"),
]
print("profiles that a runtime does not load")
for failure, document, where in LOADING:
    for runtime in set(where.split()) & set(RUNTIMES):
        status, said = run(runtime, document)
        assert status not in (0, None), (failure, runtime, said)
        assert named(said)[0] == failure, (failure, runtime, said, named(said))
        # The file says the same, but for what one version of one runtime takes.
        if failure not in ("flags-unknown", "profile-word-unknown", "wrong-architecture") and runtime == "runc":
            alone = doctor("--profile", file("loading.json", document), expect=None)
            assert failure in {cause["id"] for cause in alone["causes"]}, (failure, alone)

print("a rule that says what the default says: libseccomp refuses it, and runtimes of today keep it from it")
same = profile(rule("getppid", errnoRet=1), default=ERRNO)
names = json.loads(whittle("baseline", "show", "docker").stdout)["syscalls"]
same["syscalls"] += [one for one in names if one["action"] == ALLOW]
for runtime in RUNTIMES:
    assert run(runtime, same) == (0, ""), run(runtime, same)
library = ctypes.CDLL("libseccomp.so.2")
library.seccomp_init.restype = ctypes.c_void_p
library.seccomp_rule_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint]
refused = library.seccomp_rule_add(library.seccomp_init(0x00050001), 0x00050001, 110, 0)
assert refused < 0
said = f"error adding seccomp filter rule for syscall getppid: {os.strerror(-refused).lower()}"
assert named(said) == ("rule-equals-default", ["getppid"]), (said, named(said))

print("the runtime's own calls")
with open(os.path.join(SOURCE, "data", "runtime-stops.tsv"), encoding="utf-8") as table:
    rows = [line.rstrip("\n").split("\t") for line in table if line[0] != "#" and not line.startswith("runtime\t")]
stopped = 0
for runtime, _, nnp, calls in rows:
    for call in calls.split() if runtime in RUNTIMES else ():
        document = profile(rule(call))
        status, said = run(runtime, document, no_new_privileges=nnp == "on", seconds=max(4, 20 * slowest))  # some hang
        if status == 0 or not said.strip():
            continue  # another version than the measured one, or killed without a word
        stopped += 1
        path = file("stop.json", document)
        cause, called = named(said)
        assert cause == "runtime-calls-refused", (runtime, nnp, call, said, cause)
        assert call in named(said, "--profile", path, "--runtime", runtime)[1], (runtime, nnp, call, said)
assert stopped > 10 * len(RUNTIMES), stopped

print("a profile that is too strict: the loader says which call, a program only EPERM")
for runtime in RUNTIMES:
    status, said = run(runtime, profile(rule("newfstatat")))
    assert named(said)[0] == "profile-too-strict" and "newfstatat" in named(said)[1], said
    status, said = run(runtime, profile(rule("uname")), ("/usr/bin/uname", "-a"))
    assert status == 1 and named(f"Reason: CrashLoopBackOff\nMessage: {said}")[0] == "eperm-crash-loop", said

print("killed: the status says so, the kernel's record says the call")


def killed(document, argv, comm):
    """The kernel's record of a kill. The log keeps ten in five seconds (printk_ratelimit), of which others may have been
    the first, so it may take several."""
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        began = time.time()
        status, _ = run(RUNTIMES[0], document, argv)
        assert status == 128 + signal.SIGSYS, status
        log = subprocess.run(["dmesg"], capture_output=True, text=True, check=True).stdout
        for line in reversed(log.splitlines()):
            if "type=1326" in line and f'comm="{comm}"' in line and float(line.split("audit(")[1].split(":")[0]) >= began - 1:
                return line
    return None


assert named("    Last State: Terminated\n      Exit Code:    159")[0] == "killed-by-filter"
if subprocess.run(["pgrep", "-x", "auditd"], stdout=subprocess.DEVNULL, check=False).returncode != 0:
    record = killed(profile(rule("uname", "SCMP_ACT_KILL_PROCESS")), ("/usr/bin/uname",), "uname")
    assert record, "the kernel's log has no record of the kill"
    answer = doctor("-", "--audit", file("kernel.log", record + "\n"), text="Exit Code: 159")
    assert answer["id"] == "profile-too-strict" and answer["causes"][0]["calls"] == ["uname"], answer
    assert answer["causes"][0]["by"] == "audit", answer
    record = killed(profile(architectures=["SCMP_ARCH_X86_64"]), ("/program32",), "program32")
    assert record and named(record)[0] == "wrong-architecture", (record, record and named(record))
else:
    print("  (an audit daemon takes the records here)")

print("a container that runs: the recorder sees what is refused")
LOOP = "while true; do /usr/bin/uname >/dev/null 2>&1; done"
for runtime in RUNTIMES:
    path = bundle(profile(rule("uname")), ("/bin/sh", "-c", LOOP))
    name = f"whittle-doctor-{os.getpid()}-{runtime}"
    with open(os.path.join(directory, "out"), "w", encoding="utf-8") as out:
        subprocess.run(command(runtime, "run", "-d", "-b", path, name), stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=True)
    try:
        answer = doctor("--container", name, "--for", "2s")
        assert answer["id"] == "profile-too-strict" and answer["causes"][0]["calls"] == ["uname"], answer
        assert answer["causes"][0]["by"] == "recorder", answer
        # Each has another address as its argument: they count together, a line for each phase.
        phases = [line.rsplit(" ", 1)[1] for line in answer["causes"][0]["shown"]]
        assert len(phases) == len(set(phases)), answer["causes"][0]["shown"]
        assert doctor(name, "--for", "2s")["id"] == "profile-too-strict"
    finally:
        subprocess.run([runtime, "delete", "-f", name], capture_output=True, check=False)

print("a default that changed, as the kernel had both")
captures = []
for version in ("docker@20.10.0", "docker@29.4.3"):
    document = json.loads(whittle("baseline", "show", version).stdout)
    path = bundle(document, ("/bin/sleep", "60"))
    name = f"whittle-doctor-{os.getpid()}-default"
    runtime = RUNTIMES[0]
    subprocess.run(command(runtime, "run", "-d", "-b", path, name), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=True)
    captures.append(os.path.join(directory, version + ".json"))
    whittle("baseline", "capture", "--container", name, "--runtime", "docker", "--version", version[7:], "-o", captures[-1],
            expect=None)
    subprocess.run([runtime, "delete", "-f", name], capture_output=True, check=False)
answer = doctor("--before", captures[0], "--after", captures[1])
assert answer["id"] == "runtime-default-changed", answer
assert any("io_uring_setup" in line or "ptrace" in line or "clone3" in line or "openat2" in line
           for line in answer["causes"][0]["shown"]), answer["causes"][0]["shown"]
answer = doctor("--before", captures[1], "--after", captures[1], expect=1)
assert not answer["known"] and any("did not change" in note for note in answer["notes"]), answer

socket = os.path.join(directory, "containerd.sock")


def start_containerd():
    config = file("containerd.toml", f'version = 2\nroot = "{directory}/c-root"\nstate = "{directory}/c-state"\n'
                  f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\n  address = "{socket}"\n'
                  f'[ttrpc]\n  address = "{socket}.ttrpc"\n')
    log = open(os.path.join(directory, "containerd.log"), "w", encoding="utf-8")
    daemon = subprocess.Popen(["containerd", "-c", config], stdout=log, stderr=log)

    def stop():
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(60)

    atexit.register(stop)
    limit = time.monotonic() + 60
    while subprocess.run(["ctr", "-a", socket, "version"], capture_output=True, check=False).returncode != 0:
        with open(log.name, encoding="utf-8", errors="replace") as said:
            assert time.monotonic() < limit and daemon.poll() is None, said.read()[-3000:]
        time.sleep(0.05)


def containerd(path, argv=("/bin/true",), privileges=False):
    root = os.path.join(directory, "ctr-rootfs")
    if not os.path.exists(root):
        for name in ("usr", "proc", "dev", "sys", "run", "etc"):
            os.makedirs(os.path.join(root, name))
        for name in ("bin", "lib", "lib64"):
            os.symlink("usr/" + name, os.path.join(root, name))
    containerd.started += 1
    more = ["--allow-new-privs"] if privileges else []
    done = subprocess.run(["ctr", "-a", socket, "run", "--rm", "--rootfs", "--seccomp", "--seccomp-profile", path, "--mount",
                           "type=bind,src=/usr,dst=/usr,options=rbind:ro", *more, root, f"doctor-{os.getpid()}-{containerd.started}", *argv],
                          capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr


containerd.started = 0
if shutil.which("containerd") and shutil.which("ctr") and shutil.which("runc"):
    print("containerd")
    start_containerd()
    assert containerd(file("good.json", profile(rule("bpf")))) == (0, "")
    root = os.path.join(directory, "seccomp")
    os.makedirs(os.path.join(root, "team"))
    file("seccomp/team/web.json", profile())
    status, said = containerd(os.path.join(root, "web.json"))
    answer = doctor("-", "--root", root, text=said)
    assert status != 0 and answer["id"] == "profile-file-missing", (said, answer)
    assert any("localhostProfile: team/web.json" in line for line in answer["causes"][0]["found"]), answer
    for failure, document in (("profile-not-json", "{"), ("profile-errno-invalid", profile(rule("getppid", errnoRet="EPERM"))),
                              ("notify-not-possible", profile(default="SCMP_ACT_NOTIFY")),
                              ("docker-dialect-file", profile(architectures=["amd64"])),
                              ("wrong-architecture", profile(architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_S390X"])),
                              ("flags-unknown", profile(flags=["SECCOMP_FILTER_FLAG_NONE"])),
                              ("contradictory-rules", LOADING[-1][1]), ("runtime-calls-refused", profile(rule("execve"))),
                              ("profile-too-strict", profile(rule("newfstatat")))):
        status, said = containerd(file("ctr.json", document))
        assert status != 0 and named(said)[0] == failure, (failure, said, named(said))
    status, said = containerd(file("ctr.json", profile(rule("capset"))), privileges=True)
    assert status != 0 and named(said) == ("runtime-calls-refused", ["capset"]), (said, named(said))

    print("a file in Docker's dialect: containerd says nothing, and a 32-bit program is killed")
    dialect = {"defaultAction": ALLOW, "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
               "syscalls": [{"names": ["uname"], "action": ERRNO, "excludes": {"caps": ["CAP_CHOWN"]}}]}
    status, said = containerd(file("seccomp/team/dialect.json", dialect), ("/usr/bin/uname",))
    assert status != 0 and named(said)[0] == "eperm-crash-loop", said  # the container has CAP_CHOWN: Docker would not refuse it
    pod = {"kind": "Pod", "spec": {"securityContext": {"seccompProfile": {"type": "Localhost",
                                                                        "localhostProfile": "team/dialect.json"}}},
           "status": {"containerStatuses": [{"lastState": {"terminated": {"exitCode": status, "message": said}}}]}}
    answer = doctor("-", "--root", root, text=json.dumps(pod))
    assert answer["id"] == "docker-dialect-file" and "eperm-crash-loop" in {cause["id"] for cause in answer["causes"]}, answer
else:
    print("containerd is not installed")

if shutil.which("podman"):
    print("podman")
    done = subprocess.run(["podman", "run", "--rm", "--security-opt", f"seccomp={directory}/none.json", "--rootfs", directory, "true"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0 and named(done.stderr)[0] == "profile-file-missing", done.stderr
