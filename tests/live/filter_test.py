"""The program that `whittle show P --runtime R` compiles is the one that R loads, byte for byte.

Each profile is given to runc and crun, the filter of the container's process is read back with
`whittle show --pid`, and compared with the compiled one. runc orders the ABIs of its ENOSYS stub at
random: what it has of each ABI must be equal byte for byte, and all behind.
"""

import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

from harness import WHITTLE, eventually, for_everybody, require_root, skip, temporary_directory, whittle

require_root()
for tool in ("runc", "crun", "unshare"):
    if shutil.which(tool) is None:
        skip(f"{tool} is not installed")

HYBRID_CGROUPS = os.path.ismount("/sys/fs/cgroup/unified")
DIRECTORY = temporary_directory()
seen_as_container = []  # the first one was also read by its name


def runtime_command(runtime, *args):
    """crun refuses hosts with hybrid cgroups; without the second tree it takes them."""
    if runtime == "crun" and HYBRID_CGROUPS:
        return ["unshare", "-m", "sh", "-c", "umount /sys/fs/cgroup/unified && exec \"$@\"", "sh", runtime, *args]
    return [runtime, *args]


def make_bundle(profile):
    bundle = tempfile.mkdtemp(dir=DIRECTORY)
    os.mkdir(f"{bundle}/rootfs")
    mounts = [{"destination": "/proc", "type": "proc", "source": "proc"},
              {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]}]
    for name in ("bin", "lib", "lib64", "usr"):
        if os.path.exists(f"/{name}"):
            mounts.append({"destination": f"/{name}", "type": "bind", "source": f"/{name}", "options": ["rbind", "ro"]})
    config = {
        "ociVersion": "1.0.2",
        "process": {"user": {"uid": 0, "gid": 0}, "args": ["/bin/sleep", "1000"], "cwd": "/",
                    "env": ["PATH=/usr/bin:/bin"], "noNewPrivileges": True},
        "root": {"path": "rootfs"},
        "mounts": mounts,
        "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}], "seccomp": profile},
    }
    with open(f"{bundle}/config.json", "w", encoding="utf-8") as file:
        json.dump(config, file)
    return bundle


def loaded(runtime, profile):
    """The filter that the runtime loaded for a profile: its bytes, and what whittle says of it."""
    bundle = make_bundle(profile)
    name = os.path.basename(bundle)
    dump = f"{bundle}/read.bpf"
    try:
        with open(f"{bundle}/log", "w", encoding="utf-8") as log:
            started = subprocess.run(runtime_command(runtime, "run", "-d", "--bundle", bundle, name),
                                     stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=60, check=False)
        with open(f"{bundle}/log", encoding="utf-8") as log:
            assert started.returncode == 0, (runtime, log.read())
        state = json.loads(subprocess.run(runtime_command(runtime, "state", name), capture_output=True, timeout=60,
                                          check=True).stdout)
        # crun loads the filter after it has told that the container runs.
        eventually(lambda: os.path.basename(os.readlink(f"/proc/{state['pid']}/exe")) == "sleep", "the program runs")
        view = json.loads(whittle("show", "--pid", state["pid"], "--json", "--bytes", dump).stdout)
        if not seen_as_container:
            by_name = json.loads(whittle("show", "--container", name, "--json").stdout)
            assert by_name["source"] == f"container {name}, process {state['pid']}", by_name["source"]
            assert by_name["filters"] == view["filters"] and by_name["arches"] == view["arches"]
            seen_as_container.append(name)
        with open(f"/proc/{state['pid']}/stat", encoding="utf-8") as stat:
            assert stat.read().split()[2] not in "tTZX", "the process goes on after the look at it"
    finally:
        subprocess.run(runtime_command(runtime, "delete", "-f", name), capture_output=True, timeout=60, check=False)
    with open(dump, "rb") as file:
        return file.read(), view


def compiled(runtime, profile):
    path = f"{DIRECTORY}/profile.json"
    with open(path, "w", encoding="utf-8") as file:
        json.dump(profile, file)
    dump = f"{DIRECTORY}/compiled.bpf"
    view = json.loads(whittle("show", path, "--runtime", runtime, "--json", "--bytes", dump).stdout)
    with open(dump, "rb") as file:
        return file.read(), view


def same_answers(read, made):
    """A profile shows the ABIs that it covers, a process all of its family."""
    read_by_arch = {arch["arch"]: arch for arch in read["arches"]}
    return read["filters"] == made["filters"] and all(read_by_arch[arch["arch"]] == arch for arch in made["arches"])


JUMP, EQUAL, LOAD = 0x05, 0x15, 0x20  # BPF_JMP|BPF_JA, BPF_JMP|BPF_JEQ|BPF_K, BPF_LD|BPF_W|BPF_ABS


def apart(code):
    """A program with runc's stub: what it does for each AUDIT_ARCH, jumps by where they lead, and the filter behind.

    The stub is: load arch; a jump for each AUDIT_ARCH to its section; a jump to the filter; the sections, each ended
    by a jump to the filter; a jump to the filter; return ENOSYS.
    """
    program = [struct.unpack_from("<HBBI", code, at) for at in range(0, len(code), 8)]
    assert program[0] == (LOAD, 0, 0, 4), program[0]
    at = 1
    starts = {}
    while program[at][0] == EQUAL:
        operation, taken, not_taken, value = program[at]
        assert not_taken == 0 and value not in starts, program[at]
        starts[value] = at + 1 + taken
        at += 1
    assert program[at][0] == JUMP, program[at]
    beyond = at + 1 + program[at][3]
    assert program[beyond - 2] == (JUMP, 0, 0, 1), program[beyond - 2]
    sections = {}
    at += 1
    for value, start in sorted(starts.items(), key=lambda pair: pair[1]):
        assert start == at, "the sections stand one behind another"
        section = []
        while True:
            operation, taken, not_taken, k = program[at]
            at += 1
            leads = [at + k] if operation == JUMP else [at + taken, at + not_taken]
            where = [to - beyond if to >= beyond - 1 else to - start for to in leads]  # -1: ENOSYS, 0: the filter
            section.append((operation, k if operation != JUMP else None, where, [to < beyond - 1 for to in leads]))
            if operation == JUMP:
                break
        sections[value] = section
    assert at == beyond - 2, "nothing else is in the stub"
    return sections, program[beyond - 1:]


def variants():
    docker = json.loads(whittle("baseline", "show", "docker").stdout)
    yield "Docker's default", docker

    def with_rules(*rules, **changes):
        return {**docker, "syscalls": [*docker["syscalls"], *rules], **changes}

    def condition(index, op, value, value_two=0):
        return {"index": index, "value": value, "valueTwo": value_two, "op": f"SCMP_CMP_{op}"}

    yield "one architecture", {**docker, "architectures": ["SCMP_ARCH_X86_64"]}
    yield "no architecture", {**docker, "architectures": []}
    yield "only x32 listed", {**docker, "architectures": ["SCMP_ARCH_X32"]}
    yield "x86 before x86_64", {**docker, "architectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X86_64"]}
    yield "every kind of condition", with_rules(
        {"names": ["add_key"], "action": "SCMP_ACT_ALLOW",
         "args": [condition(0, "NE", 10), condition(0, "NE", 20), condition(1, "GT", 1 << 40)]},
        {"names": ["keyctl", "no_such_call"], "action": "SCMP_ACT_LOG",
         "args": [condition(0, "LE", 5), condition(1, "MASKED_EQ", 0xff00, 0x1200)]},
        {"names": ["request_key"], "action": "SCMP_ACT_ERRNO", "args": [condition(3, "GE", 7)]},
        {"names": ["swapon"], "action": "SCMP_ACT_TRACE", "errnoRet": 7, "args": [condition(5, "LT", 1 << 33)]},
        {"names": ["acct"], "action": "SCMP_ACT_KILL_PROCESS"},
        {"names": ["reboot"], "action": "SCMP_ACT_TRAP"},
        {"names": ["reboot"], "action": "SCMP_ACT_ALLOW"})
    yield "default kill", {**{k: v for k, v in docker.items() if k != "defaultErrnoRet"},
                           "defaultAction": "SCMP_ACT_KILL_PROCESS"}
    yield "default ENOSYS", {**docker, "defaultErrnoRet": 38}
    yield "default allow: no stub", {
        "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
        "syscalls": [{"names": ["mount", "bpf"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13}]}


try:
    for title, oci in variants():
        for runtime in ("runc", "crun"):
            made_bytes, made_view = compiled(runtime, oci)
            read_bytes, read_view = loaded(runtime, oci)
            assert len(read_bytes) == len(made_bytes), (title, runtime, len(read_bytes), len(made_bytes))
            assert same_answers(read_view, made_view), (title, runtime)
            order = ""
            if read_bytes != made_bytes:
                assert runtime == "runc", f"{title}: crun loads other bytes"
                assert apart(read_bytes) == apart(made_bytes), f"{title}: runc loads other bytes"
                order = ", with the ABIs in another order"
            print(f"{title}: {runtime} loads the same {len(made_bytes) // 8} instructions{order}")

    print("a process without a filter, and one that is not there")
    sleeper = subprocess.Popen(["sleep", "1000"])
    try:
        shown = json.loads(whittle("show", "--pid", sleeper.pid, "--json").stdout)
        assert shown["filters"] == [] and shown["arches"] == [], shown
        assert "no filter" in whittle("show", "--pid", sleeper.pid).stdout
    finally:
        sleeper.kill()
        sleeper.wait()
    assert "no such process" in whittle("show", "--pid", sleeper.pid, expect=2).stderr

    print("without privilege: one error that says what is missing")
    sleeper = subprocess.Popen(["sleep", "1000"])
    try:
        done = subprocess.run([for_everybody(WHITTLE), "show", "--pid", str(sleeper.pid)], capture_output=True, text=True, user=65534,
                              group=65534, timeout=30, check=False)
        assert done.returncode == 3 and "needs CAP_SYS_ADMIN" in done.stderr, (done.returncode, done.stderr)

        print("as root without that capability, and under a filter of one's own: likewise")
        done = subprocess.run(["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", WHITTLE, "show", "--pid",
                               str(sleeper.pid)], capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 3 and "needs CAP_SYS_ADMIN" in done.stderr, (done.returncode, done.stderr)
        log_all = f"{DIRECTORY}/log.json"
        with open(log_all, "w", encoding="utf-8") as file:
            json.dump({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["acct"], "action": "SCMP_ACT_ERRNO"}]}, file)
        answer = f"{DIRECTORY}/answer"
        script = f"{WHITTLE} show --pid {sleeper.pid} 2>{answer}; echo $? >>{answer}"
        whittle("verify", "--profile", log_all, "--runtime", "none", "--", "sh", "-c", script, expect=None)
        with open(answer, encoding="utf-8") as file:
            text = file.read()
        assert "whittle itself runs under a seccomp filter" in text and text.endswith("\n3\n"), text
    finally:
        sleeper.kill()
        sleeper.wait()
    print("a filter of 4,096 instructions that is made to take for ever: not decided, and nothing claimed")
    EXPLODING = '''
import ctypes, struct, sys
code = b"".join(struct.pack("<HBBI", 0x20, 0, 0, 16 + 4 * (i % 12)) + struct.pack("<HBBI", 0x45, 0, 0, 1 << (i // 12 % 32))
                for i in range(2047)) + struct.pack("<HBBI", 6, 0, 0, 0x7fff0000) * 2
class Filter(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_char_p)]
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.byref(Filter(len(code) // 8, code))) == 0
print("loaded", flush=True)
sys.stdin.read()
'''
    with subprocess.Popen([sys.executable, "-c", EXPLODING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as exploding:
        assert exploding.stdout.readline() == "loaded\n"
        shown = json.loads(whittle("show", "--pid", exploding.pid, "--json", timeout=280).stdout)  # seconds of computing
        exploding.stdin.close()
    assert shown["filters"] == [{"instructions": 4096}], shown["filters"]
    for arch in shown["arches"]:
        assert arch["conditional"] and not arch["allowed"] and not arch["refused"], arch["arch"]
        assert all(not call["decided"] and call["allowed_when"] == [] for call in arch["conditional"]), arch["arch"]
finally:
    shutil.rmtree(DIRECTORY, ignore_errors=True)
