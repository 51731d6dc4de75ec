"""What lint calls an error is one: containers of runc that do not start, and calls that get another answer than
the rules say, on the real kernel."""

import json
import os
import re
import shutil
import subprocess

from harness import program, require_root, skip, temporary_directory, whittle

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


def start(document, argv=("/program",), seconds=20):
    """The exit status and the errors of a container under the profile; None when it had to be ended."""
    bundle = temporary_directory()
    root = os.path.join(bundle, "rootfs")
    mounts = [{"destination": "/proc", "type": "proc", "source": "proc"}]
    for name in ("bin", "lib", "lib64", "usr"):
        if os.path.exists("/" + name):
            os.makedirs(os.path.join(root, name))
            mounts.append({"destination": "/" + name, "source": "/" + name, "type": "bind", "options": ["rbind", "ro"]})
    for name in ("proc", "dev"):
        os.makedirs(os.path.join(root, name))
    shutil.copy(program("raw_numbers"), os.path.join(root, "program"))
    with open(os.path.join(bundle, "config.json"), "w", encoding="utf-8") as file:
        json.dump({"ociVersion": "1.0.2", "root": {"path": "rootfs"}, "mounts": mounts,
                   "process": {"user": {"uid": 0, "gid": 0}, "args": list(argv), "cwd": "/", "noNewPrivileges": True,
                               "env": ["PATH=/usr/bin:/bin"]},
                   "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}], "seccomp": document}}, file)
    name = "whittle-lint-" + os.path.basename(bundle).replace(".", "-")
    state = ["runc", "--root", os.path.join(bundle, "state")]
    try:
        done = subprocess.run([*state, "run", "-b", bundle, name], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=seconds, check=False)
        return done.returncode, done.stderr
    except subprocess.TimeoutExpired:
        return None, ""
    finally:
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
assert start(hang, seconds=5)[0] is None

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
