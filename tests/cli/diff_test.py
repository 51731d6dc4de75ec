"""whittle diff: every change between two profiles with its witness, in JSON and in words."""

import copy
import json
import os
import tempfile

from harness import whittle

DIRECTORY = tempfile.TemporaryDirectory(prefix="whittle-diff-test-")


def write(name, profile):
    path = os.path.join(DIRECTORY.name, name)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(profile, file)
    return path


def condition(index, op, value, value_two=0):
    return {"index": index, "value": value, "valueTwo": value_two, "op": f"SCMP_CMP_{op}"}


def changes(before, after, *options, expect=1):
    diff = json.loads(whittle("diff", before, after, "--json", *options, expect=expect).stdout)
    assert diff["decided"] and not diff["undecided"], diff
    assert diff["equivalent"] == (not diff["changes"]), diff
    return diff["changes"]


def confirmed(change, before, after):
    """The witness, asked of `whittle eval`, which knows nothing of the comparison."""
    witness = change["witness"]
    nr = change["nr"] if change["nr"] is not None else witness["nr"]
    bit = 0x40000000 if change["arch"] == "x32" else 0
    for profile, side in ((before, "before"), (after, "after")):
        answer = json.loads(whittle("eval", profile, nr & ~bit, *witness["args"], "--arch", change["arch"], "--json").stdout)
        assert {"action": answer["action"], "data": answer["data"]} == witness[side], (change, answer)
    assert witness["hex"] == [hex(arg) for arg in witness["args"]]
    return True


BASE = {
    "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
    "architectures": ["SCMP_ARCH_X86_64"],
    "syscalls": [
        {"names": ["read", "openat2"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [condition(0, "MASKED_EQ", 0x7e020000, 0)]},
        {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [condition(0, "EQ", 2)]},
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
    ]}
P = write("base.json", BASE)


def variant(name, change):
    profile = copy.deepcopy(BASE)
    change(profile)
    return write(name, profile)


print("a profile and itself, written otherwise")
assert changes(P, P, expect=0) == []
shuffled = variant("shuffled.json", lambda p: p["syscalls"].reverse())
assert changes(P, shuffled, expect=0) == []
assert whittle("diff", P, shuffled).stdout == "equivalent: no call is answered otherwise on x86_64\n"

print("one name more, and the whole JSON of its change")
more = variant("more.json", lambda p: p["syscalls"][0]["names"].append("dup"))
assert changes(P, more) == [{
    "arch": "x86_64", "syscall": "dup", "nr": 32, "direction": "looser", "text": "now allowed",
    "before": "errno EPERM", "after": "allow",
    "witness": {"args": [0] * 6, "hex": ["0x0"] * 6, "before": {"action": "errno", "data": 1},
                "after": {"action": "allow", "data": 0}}}]
assert [c["direction"] for c in changes(more, P)] == ["tighter"]

print("one bit of a mask, one operator, one value")
bit = variant("bit.json", lambda p: p["syscalls"][1]["args"][0].update(value=0x6e020000))
change, = changes(P, bit)
assert change["syscall"] == "clone" and change["direction"] == "looser" and confirmed(change, P, bit)
assert change["witness"]["args"][0] & 0x10000000, change
text = whittle("diff", P, bit, expect=1).stdout
assert text.startswith("looser\n  clone (x86_64): CLONE_NEWUSER no longer refused\n"), text
operator = variant("operator.json", lambda p: p["syscalls"][2]["args"][0].update(op="SCMP_CMP_LE"))
change, = changes(P, operator)
assert change["direction"] == "looser" and confirmed(change, P, operator)
assert change["text"] == "AF_UNSPEC and AF_UNIX now allowed", change
value = variant("value.json", lambda p: p["syscalls"][2]["args"][0].update(value=38))
looser, tighter = changes(P, value)
assert (looser["direction"], looser["text"]) == ("looser", "AF_ALG now allowed"), looser
assert (tighter["direction"], tighter["text"]) == ("tighter", "AF_INET now refused"), tighter
assert looser["before"] == "allow when arg0 == AF_INET, else errno EPERM"
assert confirmed(looser, P, value) and confirmed(tighter, P, value)

print("another errno is neither looser nor tighter")
errno = variant("errno.json", lambda p: p["syscalls"][3].update(errnoRet=1))
change, = changes(P, errno)
assert (change["syscall"], change["direction"]) == ("clone3", "other"), change
assert change["text"] == "errno ENOSYS is now errno EPERM" and confirmed(change, P, errno)

print("--fail-on looser")
whittle("diff", P, errno, "--fail-on", "looser")
whittle("diff", more, P, "--fail-on", "looser")
whittle("diff", P, more, "--fail-on", "looser", expect=1)
whittle("diff", P, value, "--fail-on", "looser", expect=1)
whittle("diff", P, errno, "--fail-on", "any", expect=1)

print("numbers without a name: runc's ENOSYS above the newest name")
newest = variant("newest.json", lambda p: p["syscalls"][0]["names"].append("landlock_restrict_self"))
found = changes(P, newest)
assert [c["syscall"] for c in found if c["direction"] == "looser"] == ["landlock_restrict_self"], found
assert {c["syscall"] for c in found if c["direction"] == "other"} >= {"faccessat2", "process_madvise"}, found
assert [c["syscall"] for c in changes(P, newest, "--runtime", "crun")] == ["landlock_restrict_self"]
default = variant("default.json", lambda p: p.update(defaultErrnoRet=38))
unnamed = [c for c in changes(P, default, "--runtime", "crun") if c["syscall"] is None]
assert [(c["nr"], c["nr_from"], c["nr_to"]) for c in unnamed][0] == (None, 337, 423), unnamed
assert all(confirmed(c, P, default) is True for c in changes(P, default)[:20])

print("an architecture that comes is one change")
two = variant("two.json", lambda p: p["architectures"].append("SCMP_ARCH_X86"))
both = [c for c in changes(P, two) if c["arch"] == "x86"]
assert len(both) == 1 and both[0]["whole_arch"] and both[0]["syscall"] is None, both
assert (both[0]["direction"], both[0]["before"], both[0]["after"]) == ("looser", "closed (kill_thread)", "open")
assert confirmed(both[0], P, two)
assert changes(P, two, "--arch", "x86_64", expect=0) == []
assert changes(two, P)[0]["direction"] == "tighter"

print("baselines of Docker and containerd")
found = changes("baseline:docker@29.4.2", "baseline:docker@29.4.3")
assert [(c["arch"], c["syscall"], c["direction"]) for c in found] == [("x86", "socketcall", "looser")], found
found = changes("baseline:docker@24.0.9", "baseline:docker@25.0.0")
assert {c["syscall"] for c in found} == {"io_uring_setup", "io_uring_enter", "io_uring_register"}, found
assert {c["direction"] for c in found} == {"tighter"} and {c["arch"] for c in found} == {"x86_64", "x86", "x32"}
found = changes("baseline:containerd@2.1.0", "baseline:containerd@2.2.4")
assert {(c["syscall"], c["text"]) for c in found} == {("socket", "AF_ALG now refused")}, found
assert len(found) == 3 and {c["witness"]["args"][0] for c in found} == {38}
found = changes("baseline:docker@24.0.9", "baseline:docker@25.0.0", "--arch", "arm64,arm")
assert {c["arch"] for c in found} == {"aarch64", "arm"} and {c["direction"] for c in found} == {"tighter"}
found = changes("baseline:docker", "baseline:docker", "--caps", "docker,SYS_ADMIN", expect=0)
assert found == []

print("standard input, and wrong input")
with open(P, encoding="utf-8") as file:
    text = file.read()
assert "equivalent" in whittle("diff", "-", P, stdin=text).stdout
for args, said in ((("-", "-"), "standard input"), ((P,), "at least 2"), ((P, P, P), "unexpected"),
                   ((P, "no.such.file"), "no.such.file"), ((P, P, "--arch", "z80"), "z80"),
                   ((P, P, "--arch", "x86_64,arm"), "one machine"), ((P, P, "--fail-on", "tighter"), "any"),
                   ((P, "baseline:docker@999"), "docker")):
    done = whittle("diff", *args, expect=2)
    assert said in done.stderr and done.stdout == "", (args, done.stderr)
