"""whittle import: each format's sample, found by its content; nothing dropped silently; constant memory."""

import collections
import glob
import json
import os
import re
import shutil
import subprocess

from harness import SANITIZED, SOURCE, WHITTLE, load, temporary_directory, whittle

SAMPLES = os.path.join(SOURCE, "tests", "imports")
DIRECTORY = temporary_directory()


def sample(name):
    return os.path.join(SAMPLES, name)


def imported(*names, expect=0, options=()):
    """The runs of the samples, which are copied to a name that says nothing."""
    files = []
    for number, name in enumerate(names):
        files.append(shutil.copy(sample(name), os.path.join(DIRECTORY, f"in{number}")))
    output = os.path.join(DIRECTORY, "out.evidence.json")
    done = whittle("import", *files, "-o", output, *options, expect=expect)
    evidence = load(output)
    return evidence["runs"], evidence, done.stderr


def counts(run):
    return collections.Counter({(call["arch"], call["name"]): call["count"] for call in run["syscalls"]})


def call(run, name, arch="x86_64"):
    return next(c for c in run["syscalls"] if (c["arch"], c["name"]) == (arch, name))


def values(run, name, index=0):
    entry = next(a for a in call(run, name)["args"] if a["index"] == index)
    return set(entry["values"]), entry["closed"]


def tuples(run, name):
    entry = call(run, name)["tuples"][0]
    return set(map(tuple, entry["values"])), entry["closed"]


def lost(run):
    return {kind: count for kind, count in run["lost"].items() if count}


def by_hand(path):
    """What strace wrote, counted in another way."""
    seen = collections.Counter()
    with open(path, encoding="utf-8") as file:
        for line in file:
            match = re.match(r"^\d+ +(?:<\.\.\. )?(\w+)(\(| resumed>)(.*)$", line)
            if match is None:
                assert re.match(r"^\d+ +(\+\+\+|---)", line), line
            elif match[1] in ("exit", "exit_group"):
                seen[match[1]] += match[2] == "("
            elif re.search(r"\) += (-?\d|0x|\?)", match[3]):
                seen[match[1]] += 1
    return seen


print("strace -f: every call, results and signals, the command, the exit")
(run,), evidence, _ = imported("strace-f.log")
assert run["source"] == "strace" and run["timing"] == "perturbed" and run["complete"] and run["exit"] == 0
assert counts(run) == {("x86_64", name): count for name, count in by_hand(sample("strace-f.log")).items()}
assert evidence["workload"] == "sh" and run["command"][0].endswith("/sh"), run["command"]
assert call(run, "access")["errnos"] == {"ENOENT": call(run, "access")["count"]}
assert call(run, "rt_sigreturn")["errnos"] == {}
assert values(run, "clone") == ({0x1200011}, True)
assert values(run, "kill", 1) == ({10}, True)

print("-n and the marks of a mode tell the ABIs; without both they are not told apart, and a note says so")
for name in ("strace-n-abis.log", "strace-marks.log"):
    (run,), _, _ = imported(name)
    assert counts(run)["x86", "getpid"] == 1 and counts(run)["x86_64", "getpid"] == 1, (name, counts(run))
(run,), _, _ = imported("strace-n-exec.log")
assert counts(run) == {("x86_64", "execve"): 1, ("x86", "execve"): 1, ("x86_64", "exit_group"): 1}, counts(run)
assert any("strace -n" in note for note in imported("strace-f.log")[0][0]["notes"])

print("messages of strace in the middle of lines, and of tasks with and without a number")
(run,), _, _ = imported("strace-spliced.log")
assert run["complete"] and counts(run)["x86_64", "clone"] == 1 and values(run, "clone") == ({0x1200011}, True)
assert counts(run)["x86_64", "vfork"] == 1 and counts(run)["x86_64", "exit_group"] == 3 and counts(run)["x86_64", "clock_nanosleep"] == 2

print("-ttt -T -y -X verbose, and -r -Y -i -X raw: the same values, and times")
for name in ("strace-ttt-verbose.log", "strace-r-raw.log"):
    (run,), _, _ = imported(name)
    assert run["complete"], lost(run)
    assert values(run, "mmap", 2)[0] == {1, 3, 5} and values(run, "arch_prctl") == ({0x1002}, True), (name, values(run, "mmap", 2))
    assert 0 < run["duration"] < 10, run["duration"]
assert imported("strace-ttt-verbose.log")[0][0]["started"].startswith("20")

print("-ff: complete with all of its files, incomplete without one")
parts = sorted(os.path.basename(path) for path in glob.glob(sample("strace-ff.part*")))
runs, evidence, _ = imported(*parts)
assert len(runs) == len(parts) == 3 and all(run["complete"] for run in runs), [lost(run) for run in runs]
runs, _, stderr = imported(*parts[:2], expect=1)
assert sorted(lost(run).get("tasks", 0) for run in runs) == [0, 1] and "1 child task of it is not in it" in stderr

print("-c: counts without values; -C: the table repeats the log, and is not counted again")
(run,), _, _ = imported("strace-c.txt")
assert counts(run)["x86_64", "mmap"] > 10 and not call(run, "mmap")["args"]
with open(sample("strace-c.txt"), encoding="ascii") as file:
    total = int(re.search(r"(\d+) +\d+ total", file.read())[1])
assert sum(counts(run).values()) == total
(run,), _, _ = imported("strace-C.log", expect=1)
assert counts(run)["x86_64", "pause"] == 1 and lost(run) == {"tasks": 1}, lost(run)
assert call(run, "pause")["errnos"] == {"ERESTARTNOHAND": 1} and counts(run)["x86_64", "exit_group"] == 1
table = "syscall calls errors % time\n------- ------ ------ ------\nread 3 60.0\nopenat 2 1 40.0\n------- ------ ------ ------\ntotal 5 1 100.0\n"
done = whittle("import", "-", stdin=table)
assert counts(json.loads(done.stdout)["runs"][0]) == {("x86_64", "read"): 3, ("x86_64", "openat"): 2}, done.stdout

print("execve by a thread counts once, under the number that goes on")
(run,), _, _ = imported("strace-exec-by-thread.log")
assert counts(run)["x86_64", "execve"] == 2 and run["complete"] and run["exit"] == 0

print("values: unknown bits, wide ones, numbers without a symbol, tuples")
(run,), _, _ = imported("strace-arguments.log", expect=1)
assert lost(run) == {"tasks": 1}  # recorded without -f
assert tuples(run, "socket") == ({(1, 0x80001, 0), (2, 2, 0)}, True)
assert tuples(run, "setsockopt") == ({(1, 9), (0xffffffff, 0xfffffffe)}, True)
assert values(run, "personality") == ({0xffffffff}, True) and values(run, "prctl") == ({3, 16}, True)
assert values(run, "clone")[0] == {0x411} and values(run, "ioctl", 1)[1]
(run,), _, _ = imported("strace-sockets.log")
assert (17, 0x80003, 0x300) in tuples(run, "socket")[0] and (16, 0x80003, 0) in tuples(run, "socket")[0]
assert (6, 1) in tuples(run, "setsockopt")[0] and (1, 20) in tuples(run, "setsockopt")[0] and tuples(run, "setsockopt")[1]
(run,), _, _ = imported("strace-sockets.log", options=["--format", "strace", "--workload", "app"])

print("what cannot be read is counted and shown, and opens its set")
text = ("execve(\"/bin/a\", [\"a\"], 0x1 /* 1 var */) = 0\nhello from the program\nioctl(3, NO_SUCH_COMMAND, 0) = 0\n"
        "no_such_call(1) = 0\nsyscall_0x1c3(0) = -1 ENOSYS (Function not implemented)\nclone3(0x7f, 88) = 7\nread(3,\n"
        "kill(1, SIGRT_3) = -1 EPERM (Operation not permitted)\nexit_group(0) = ?\n")
done = whittle("import", "-", stdin=text, expect=1)
run = json.loads(done.stdout)["runs"][0]
assert lost(run)["lines"] == 3 and lost(run)["arguments"] == 2, lost(run)
assert "standard input:2: it is no line of strace: hello from the program" in done.stderr, done.stderr
assert "standard input:3: argument 1 of ioctl is not known: NO_SUCH_COMMAND" in done.stderr, done.stderr
assert values(run, "ioctl", 1) == (set(), False) and call(run, "cachestat")["nr"] == 0x1c3
assert values(run, "kill", 1) == ({35}, True) and call(run, "kill")["errnos"] == {"EPERM": 1}

print("perf trace: the log with its values, children, the summary")
(run,), _, stderr = imported("perf-trace.log", expect=1)
assert run["source"] == "perf" and run["timing"] == "native" and lost(run) == {"arguments": 1}, (lost(run), stderr)
assert "the struct of clone3 is not in it" in stderr
assert (2, 0x80001, 0) in tuples(run, "socket")[0] and tuples(run, "socket")[1]
assert values(run, "arch_prctl") == ({0x1002}, True) and values(run, "mmap", 2)[1]
(run,), _, _ = imported("perf-trace-children.log")
assert counts(run)["x86_64", "clone"] == 1 and counts(run)["x86_64", "wait4"] >= 1 and counts(run)["x86_64", "exit_group"] == 2
assert values(run, "clone") == ({0x1200011}, True)
(run,), _, _ = imported("perf-summary.txt")
assert counts(run)["x86_64", "openat"] >= 2 and not call(run, "mmap")["args"]

print("sysdig, text and JSON; Falco; Tracee; Inspektor Gadget")
(run,), _, _ = imported("sysdig.txt")
assert counts(run) == {("x86_64", name): 1 for name in ("read", "write", "close", "fstat", "mmap", "socket", "clone", "exit_group")}
assert call(run, "read")["errnos"] == {"EAGAIN": 1} and tuples(run, "socket") == ({(2, 0x80001, 6)}, True)
assert values(run, "clone") == (set(), False) and values(run, "mmap", 2) == ({3}, True)
(run,), _, _ = imported("sysdig.json")
assert run["source"] == "sysdig" and counts(run) == {("x86_64", "read"): 1, ("x86_64", "socket"): 1}
assert tuples(run, "socket") == ({(1, 1, 0)}, True)
(run,), _, _ = imported("falco.json", expect=1)
assert lost(run) == {"events": 12, "lines": 1, "selected": 1} and tuples(run, "socket")[0] == {(17, 3, 768)}
assert call(run, "socket")["errnos"] == {"EPERM": 1}
(run,), _, _ = imported("tracee.json")
assert counts(run) == {("x86_64", "openat"): 1, ("x86_64", "socket"): 1, ("x86_64", "mmap"): 1, ("x86", "getpid"): 1}
assert tuples(run, "socket")[0] == {(1, 0x80001, 0)} and values(run, "mmap", 3) == ({34}, True)
(run,), _, _ = imported("tracee-v1beta1.json")
assert values(run, "prctl") == ({15}, True) and values(run, "ptrace") == ({0}, True)
assert call(run, "ptrace")["errnos"] == {"EPERM": 1}
(run,), _, _ = imported("gadget-audit-seccomp.json", expect=1)
assert call(run, "unshare")["refused"] == 1 and "refused" not in call(run, "mkdir") and lost(run) == {"selected": 1}
(run,), _, _ = imported("gadget-traceloop.json")
assert tuples(run, "socket")[0] == {(1, 0x80801, 0)} and call(run, "ioctl")["errnos"] == {"ENOTTY": 1}
(run,), _, _ = imported("gadget-advise.txt")
assert run["source"] == "profile" and counts(run)["x32", "read"] == 1 and ("x32", "epoll_wait") not in counts(run)

print("profiles: names, the values that rules pin, nothing that they refuse")
(run,), _, _ = imported("oci.json")
assert counts(run) == {("x86_64", name): 1 for name in ("close", "read", "openat", "socket", "personality", "clone")}
assert tuples(run, "socket") == ({(1, 0x80801, 0)}, True) and values(run, "personality") == ({0}, True)
assert values(run, "clone") == (set(), False)
(run,), evidence, _ = imported("spo.yaml")
assert run["source"] == "profile" and evidence["workload"] == "test-recording-nginx" and len(run["syscalls"]) == 4
(run,), _, _ = imported("kubescape.yaml")
assert {name for _, name in counts(run)} == {"read", "write"}
done = whittle("import", "-", stdin='{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[]}', expect=2)
assert "says nothing of what is used" in done.stderr and done.stdout == ""

print("minijail: policies and frequencies")
(run,), _, _ = imported("minijail.policy")
assert run["source"] == "minijail" and ("x86_64", "ptrace") not in counts(run)
assert values(run, "ioctl", 1) == ({0x5401, 0x5413}, True) and values(run, "prctl") == ({15}, True)
assert tuples(run, "socket") == (set(), False) and values(run, "mmap", 2) == (set(), False)
(run,), _, _ = imported("minijail.frequency")
assert counts(run) == {("x86_64", "read"): 120, ("x86_64", "write"): 14, ("x86_64", "epoll_wait"): 3}

print("audit records in any log: the same as whittle audit makes of it")
logs = sorted(glob.glob(os.path.join(SOURCE, "tests", "fixtures", "audit", "*")))
assert len(logs) > 20
out = os.path.join(DIRECTORY, "audit.evidence.json")
for log in logs:
    whittle("audit", log, "--evidence", out, expect=None)
    done = whittle("import", log, expect=1)
    run, other = json.loads(done.stdout)["runs"][0], load(out)["runs"][0]
    assert run["source"] == "audit" and ": audit: " in done.stderr, (log, done.stderr)
    assert run["syscalls"] == other["syscalls"] and run["syscalls"], log
    assert {k: run["lost"][k] for k in other["lost"]} == other["lost"], (log, run["lost"], other["lost"])
(run,), _, stderr = imported("audit-firejail.log", expect=1)
assert call(run, "mkdir")["count"] == 1 and call(run, "mkdir")["refused"] == 1 and run["lost"]["not_logged"] == 1
(run,), _, stderr = imported("audit-firejail.log", expect=1, options=["--format", "audit"])
bad_record = open(sample("audit-firejail.log"), encoding="utf-8").read() + "audit: type=1326 audit(1.1:1): auid=0 uid=0\n"
done = whittle("import", "-", stdin=bad_record, expect=1)
assert "standard input:2: the record cannot be read" in done.stderr, done.stderr

print("several formats at once; the same file again is the same run; merge and generate take the result")
runs, evidence, _ = imported("strace-f.log", "spo.yaml", "sysdig.txt")
assert sorted(run["source"] for run in runs) == ["profile", "strace", "sysdig"]
out = os.path.join(DIRECTORY, "out.evidence.json")
first = open(out, encoding="utf-8").read()
imported("strace-f.log", "spo.yaml", "sysdig.txt")
assert open(out, encoding="utf-8").read() == first
assert json.loads(whittle("merge", out, out).stdout)["runs"] == runs
profile = json.loads(whittle("generate", out, "-o", "-").stdout)
assert any("openat" in rule["names"] for rule in profile["syscalls"])

print("bad input: one error that says what and where, and nothing written")
bad = os.path.join(DIRECTORY, "bad")
for content, message in (("", "is empty"), ("nothing of the kind\n", "no format"), ('{"a":1}', "no format"),
                         ("\0\1\2" * 1000, "no format")):
    with open(bad, "w", encoding="utf-8") as file:
        file.write(content)
    done = whittle("import", sample("oci.json"), bad, "-o", os.path.join(DIRECTORY, "none"), expect=2)
    assert message in done.stderr and bad in done.stderr and not os.path.exists(os.path.join(DIRECTORY, "none")), done.stderr
done = whittle("import", sample("oci.json"), "--format", "strace", expect=2)
assert "nothing in it could be read as strace" in done.stderr and ":1: " in done.stderr, done.stderr
assert "cannot open" in whittle("import", "/nonexistent", expect=2).stderr
assert "aarch64" in whittle("import", sample("oci.json"), "--arch", "vax", expect=2).stderr
run = json.loads(whittle("import", sample("strace-c.txt"), "--arch", "aarch64", expect=1).stdout)["runs"][0]
assert run["arch"] == "aarch64" and lost(run)["lines"] > 0  # access and others are not there
done = whittle("import", "-", "--format", "strace", stdin="read(3, \"" + "x" * (2 << 20) + "\", 1) = 1\nclose(3) = 0\n", expect=1)
assert "longer than 1 MiB" in done.stderr

print("a long log takes no more memory than a short one")


def peak(repeat):
    """The most memory that an import of the log, so many times over, has taken, in MiB."""
    with open(sample("strace-f.log"), encoding="utf-8") as file:
        log = file.read()
    feeder = f"import sys\nwith open({sample('strace-f.log')!r}) as f: t = f.read()\nfor _ in range({repeat}): sys.stdout.write(t)"
    command = f"import os, resource, subprocess, sys\np = subprocess.run([{WHITTLE!r}, 'import', '-q', '-', '-o', '/dev/null'])\n" \
              "print(p.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"
    with subprocess.Popen(["python3", "-c", feeder], stdout=subprocess.PIPE) as source:
        done = subprocess.run(["python3", "-c", command], stdin=source.stdout, capture_output=True, text=True, check=True)
    code, memory = map(int, done.stdout.split())
    assert code == 0 and log, done.stderr
    return memory


# AddressSanitizer keeps what was freed, up to 256 MiB, and ThreadSanitizer the past of all memory: there it is of no use.
small, large = peak(1), peak(10 if SANITIZED else 1500)
assert SANITIZED or large < small + 16, (small, large)
print(f"{small} MiB for one log, {large} MiB for many of them")
