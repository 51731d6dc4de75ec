"""Another libseccomp than whittle's own compiles: as a shared library, or by what is documented of a release."""

import glob
import json
import os

from harness import BUILD, temporary_directory, whittle

DIRECTORY = temporary_directory()
DEBIAN = glob.glob("/usr/lib/*-linux-gnu/libseccomp.so.2") + glob.glob("/usr/lib64/libseccomp.so.2")
LIBRARY = DEBIAN[0]
VERSION = "2.5.4"  # of Debian 12, whose static archive is in whittle as well


def write(name, content):
    path = os.path.join(DIRECTORY, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)
    return path


def profile(name, rules, architectures=("SCMP_ARCH_X86_64",)):
    return write(name, json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
                                   "architectures": list(architectures), "syscalls": rules}))


def rule(name, *conditions, action="SCMP_ACT_ALLOW"):
    return {"names": [name], "action": action,
            "args": [{"index": index, "op": f"SCMP_CMP_{op}", "value": value} for index, op, value in conditions]}


def filter_of(p, *options):
    path = os.path.join(DIRECTORY, "filter.bpf")
    whittle("show", p, "--bytes", path, *options)
    with open(path, "rb") as file:
        return file.read()


def fails(*arguments, says):
    done = whittle(*arguments, expect=2)
    errors = [line for line in done.stderr.splitlines() if line.startswith("whittle: error: ")]
    assert len(errors) == 1 and done.stdout == "", done
    for text in says:
        assert text in done.stderr, (text, done.stderr)
    print("exit 2 |", errors[0][len("whittle: error: "):][:150])


# The shared library of the same release makes the same filters, instruction by instruction.
every_operator = profile("operators.json", [
    rule("read", (0, "NE", 1), (1, "LT", 1 << 33)), rule("write", (0, "LE", 7), (3, "GE", 9)),
    rule("dup2", (0, "EQ", 5), (0, "GT", 6)), rule("mmap", *[(i, "EQ", i) for i in range(6)]),
    rule("no_such_call"), rule("kill", action="SCMP_ACT_KILL_PROCESS"), rule("clone", (0, "MASKED_EQ", 8)),
], ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"])
for p in ("baseline:docker", "baseline:podman", "baseline:containerd", every_operator):
    for runtime in ("runc", "crun", "none"):
        for arch in ("x86_64", "aarch64"):
            if (arch == "aarch64" or runtime == "none") and p == every_operator:
                continue
            own = filter_of(p, "--runtime", runtime, "--arch", arch)
            assert own and own == filter_of(p, "--runtime", runtime, "--arch", arch, "--libseccomp", LIBRARY), (p, runtime)
print("the same filters from", LIBRARY)

# Every verb that answers from filters takes it, and says so.
CHOSEN = {"version": VERSION, "source": "file"}
answer = json.loads(whittle("eval", "baseline:docker", "clone", "CLONE_NEWUSER", "--libseccomp", LIBRARY, "--json").stdout)
assert answer["libseccomp"] == CHOSEN and (answer["action"], answer["data"]) == ("errno", 1), answer
for arguments in (["show", "baseline:docker"], ["diff", "baseline:docker", "baseline:docker"], ["score", "baseline:docker"]):
    assert json.loads(whittle(*arguments, "--libseccomp", LIBRARY, "--json").stdout)["libseccomp"] == CHOSEN, arguments
    assert "libseccomp" not in json.loads(whittle(*arguments, "--json").stdout), arguments

# What it miscompiles and where it loops is found in it as well.
bad = profile("bad.json", [rule("dup2", (0, "LT", 2), (1, "LT", 1)), rule("dup2", (0, "LE", 2), (1, "EQ", 3))])
loop = profile("loop.json", [rule("dup2", (0, "LT", 8), (1, "LT", 8)), rule("dup2", (0, "LT", 8), (1, "EQ", 9))])
for p, wanted in ((bad, "miscompiled"), (loop, "compiler-loop")):
    found = json.loads(whittle("lint", p, "--libseccomp", LIBRARY, "--json", expect=1).stdout)
    assert found["libseccomp"] == CHOSEN
    assert any(f["rule"] == wanted and VERSION in f["message"] for f in found["findings"]), found
fails("eval", loop, "dup2", "--libseccomp", LIBRARY, says=["loop.json", "did not finish", "hint:"])
with open(bad, encoding="utf-8") as file:
    from_stdin = whittle("eval", "-", "dup2", "2", "0", "--libseccomp", LIBRARY, stdin=file.read())
assert from_stdin.stdout == "x86_64 dup2(0x2, 0): allow\n", from_stdin

# A release that is not at hand: the names that it knows, marked; and what is not known of it.
new = profile("new.json", [rule("mseal"), rule("futex_wait"), rule("read"), rule("listmount", (0, "EQ", 1))])


def by_document(release, call):
    done = whittle("eval", new, call, "--libseccomp", release, "--json")
    answered = json.loads(done.stdout)
    assert answered["libseccomp"] == {"version": release, "source": "documented"}, answered
    return answered["action"], done.stderr


assert by_document("2.6.0", "mseal")[0] == "allow"  # whittle's own does not know it
assert by_document("2.5.5", "mseal")[0] == "errno"
assert by_document("2.5.5", "futex_wait")[0] == "allow"
assert by_document("2.5.4", "futex_wait")[0] == "errno"  # Debian's 2.5.4 knows it, upstream's does not
assert "futex_wait" in by_document("2.5.4", "read")[1]
assert "listmount" in by_document("2.6.1", "read")[1]  # not known what it makes of conditions
warned = whittle("eval", bad, "dup2", "--libseccomp", "2.6.1").stderr
assert "documented" in warned and "dup2 is not known" in warned, warned

# What is none is said, with the reason.
fails("eval", bad, "read", "--libseccomp", "2.9", says=["2.9.0", "nearest", "2.6.1"])
fails("eval", bad, "read", "--libseccomp", "2.3.3", says=["2.3.3", "2.4.2"])
fails("eval", bad, "read", "--libseccomp", "libseccomp-2", says=["libseccomp-2", "No such file", "hint:"])
fails("eval", bad, "read", "--libseccomp", write("text.so", "no library\n" * 1000), says=["text.so", "invalid ELF header"])
fails("show", bad, "--libseccomp", DIRECTORY, says=[DIRECTORY])
fails("lint", bad, "--libseccomp", glob.glob("/usr/lib/*-linux-gnu/libz.so.1")[0], says=["libz.so.1", "seccomp_version"])
wrong = os.path.join(BUILD, "programs", "libwrong_libseccomp.so")
crash = profile("crash.json", [rule("read")])
fails("eval", crash, "read", "--libseccomp", wrong, says=["crash.json", "crashes", "SIGABRT"])
