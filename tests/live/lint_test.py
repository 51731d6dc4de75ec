"""What lint calls an error is one: containers of runc that do not start, and calls that get another answer than
the rules say, on the real kernel."""

import json
import os
import re
import shutil
import subprocess
import time

from harness import host_root, program, require_root, skip, temporary_directory, whittle

require_root()
if not shutil.which("runc"):
    skip("needs runc")
VERSION = tuple(map(int, re.search(r"runc version (\d+)\.(\d+)", subprocess.run(
    ["runc", "--version"], capture_output=True, text=True, check=True).stdout).groups()))
directory = temporary_directory()
ALLOW, ERRNO = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"


def profile(*rules, **more):
    return {"defaultAction": ALLOW, **more, "syscalls": list(rules)}


def rule(names, action=ERRNO, args=None, **more):
    return {"names": names.split(), "action": action, **more, **({"args": args} if args else {})}


def when(index, op, value):
    return {"index": index, "value": value, "op": "SCMP_CMP_" + op}


def found(document, *options):
    text = json.dumps(document)
    return {(finding["rule"], finding["severity"])
            for finding in json.loads(whittle("lint", "-", "--json", *options, stdin=text, expect=None).stdout)["findings"]}


def processor_seconds(pid):
    """What a process and all below it have used so far."""
    used = 0
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        used += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                used += sum(processor_seconds(int(child)) for child in file.read().split())
    except (FileNotFoundError, ProcessLookupError):
        pass
    return used


def start(document, argv=("/program",), computes=None):
    """The exit status and the errors of a container under the profile. With `computes`: None when it was ended after it
    had used so many seconds of the processor, which on a busy machine take longer, and was still not there."""
    bundle = temporary_directory()
    root, mounts = host_root(bundle)
    shutil.copy(program("raw_numbers"), os.path.join(root, "program"))
    with open(os.path.join(bundle, "config.json"), "w", encoding="utf-8") as file:
        json.dump({"ociVersion": "1.0.2", "root": {"path": "rootfs"}, "mounts": mounts,
                   "process": {"user": {"uid": 0, "gid": 0}, "args": list(argv), "cwd": "/", "noNewPrivileges": True,
                               "env": ["PATH=/usr/bin:/bin"]},
                   "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}], "seccomp": document}}, file)
    name = "whittle-lint-" + os.path.basename(bundle).replace(".", "-")
    state = ["runc", "--root", os.path.join(bundle, "state")]
    with open(os.path.join(bundle, "errors"), "w+", encoding="utf-8", errors="replace") as errors:
        run = subprocess.Popen([*state, "run", "-b", bundle, name], stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
        try:
            deadline = time.monotonic() + 120
            while True:
                try:
                    status = run.wait(0.2 if computes else 120)
                    errors.seek(0)
                    return status, errors.read()
                except subprocess.TimeoutExpired:
                    if computes and processor_seconds(run.pid) > computes:
                        return None, ""
                assert time.monotonic() < deadline, "neither did it end nor compute"
        finally:
            run.kill()
            run.wait()
            subprocess.run([*state, "delete", "-f", name], capture_output=True, check=False)


print("a container that starts under a plain profile")
assert start(profile(rule("bpf"))) == (0, ""), start(profile(rule("bpf")))

print("what is said to keep a container from starting does")
for document, finding, says in (
        (profile(rule("dup", args=[when(0, "EQ", 3)]), rule("dup", "SCMP_ACT_KILL", [when(0, "EQ", 3)])),
         ("contradictory-rules", "error"), "file exists"),
        (profile(rule("chroot", "SCMP_ACT_NOTIFY")), ("notify-without-listener", "error"), "listenerPath is not set"),
        (profile(rule("write", "SCMP_ACT_NOTIFY"), listenerPath="/run/none"), ("refused-by-runtime", "error"), "write"),
        (profile(rule("bpf"), architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_S390X"]), ("refused-by-runtime", "error"),
         "seccomp"),
        (profile(rule("fstatfs")), ("missing-for-runtime", "error"), "procfs"),
        (profile(rule("execve")), ("missing-for-runtime", "error"), "exec"),
        (profile(rule("bpf"), flags=["SECCOMP_FILTER_FLAG_LOG"]) if VERSION < (1, 2) else None,
         ("refused-by-runtime", "note"), "flags")):
    if document is None:
        continue
    assert finding in found(document), (finding, found(document))
    status, errors = start(document)
    assert status not in (0, None) and says in errors, (finding, status, errors)

print("rules on which libseccomp never ends: runc hangs")
hang = profile(rule("dup", args=[when(0, "LT", 8), when(1, "LT", 8)], errnoRet=2),
               rule("dup", args=[when(0, "LT", 8), when(1, "EQ", 9)], errnoRet=2))
assert ("compiler-loop", "error") in found(hang)
# Of all other profiles here the whole container takes a tenth of that.
assert start(hang, computes=3)[0] is None

print("calls that get another answer than the rules say")
CALL = "import ctypes, sys; c = ctypes.CDLL(None, use_errno=True); r = c.syscall(*[ctypes.c_long(int(a, 0)) for a in sys.argv[1:]]); " \
       "print(r, ctypes.get_errno(), file=sys.stderr)"
DUP, SOCKET = 32, 41
for document, finding, argv, answer in (
        # Refused from 300 on, but for 500: the exception says what the default says.
        (profile(rule("dup", args=[when(0, "GE", 300)], errnoRet=77), rule("dup", ALLOW, [when(0, "EQ", 500)])),
         ("equal-to-default", "error"), (DUP, 500), "-1 77"),
        # A range of two conditions on one argument is everything.
        (profile(rule("dup", args=[when(0, "GE", 300), when(0, "LE", 310)], errnoRet=77)), ("or-conditions", "error"),
         (DUP, 500), "-1 77"),
        # "Not 38" and "not 40" is everything too.
        (profile(rule("dup", args=[when(0, "NE", 500), when(0, "NE", 501)], errnoRet=77)), ("not-equal-twice", "error"),
         (DUP, 500), "-1 77"),
        # Refused are values up to 1 and over 2^33; 500 is neither.
        (profile(rule("dup", args=[when(0, "LE", 1)], errnoRet=77), rule("dup", args=[when(0, "GT", 1 << 33)], errnoRet=77)),
         ("miscompiled", "error"), (DUP, 500), "-1 77"),
        # Kernels read 32 bits: 500 with a bit above them is 500, and the rule does not see it.
        (profile(rule("socket", args=[when(0, "EQ", 38)], errnoRet=77)), ("narrow-argument", "warning"),
         (SOCKET, 38 | 1 << 32, 99, 0), None),
        # An errno of 0 looks like success.
        (profile(rule("dup", args=[when(0, "EQ", 500)], errnoRet=0)), ("errno-zero", "warning"), (DUP, 500), "0 0")):
    assert finding in found(document), (finding, found(document))
    status, errors = start(document, ("/usr/bin/python3", "-c", CALL, *map(str, argv)))
    assert status == 0, errors
    if answer is None:
        assert not errors.endswith(" 77\n"), (finding, errors)
    else:
        assert errors.strip() == answer, (finding, errors)
