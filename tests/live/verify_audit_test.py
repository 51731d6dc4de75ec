"""verify --via audit: refusals seen in the kernel's audit records, natively and in containers, in both modes."""

import json
import os
import shutil
import subprocess

from harness import WHITTLE, for_everybody, program, require_root, skip, temporary_directory, whittle

require_root()
for tool in ("runc", "crun", "setpriv"):
    if shutil.which(tool) is None:
        skip(f"needs {tool}")

work = temporary_directory()
ENOSYS = 38


def profile(name, *rules, **more):
    path = os.path.join(work, name)
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
                   "syscalls": [{"action": "SCMP_ACT_ERRNO", **rule} for rule in rules], **more}, file)
    return path


denies = profile("denies.json", {"names": ["mkdir", "mkdirat", "getppid"], "errnoRet": 1},
                 {"names": ["memfd_secret"], "errnoRet": ENOSYS})


def verify(*args, expect=1, path=denies):
    done = whittle("verify", "--via", "audit", "--no-probes", "--json", "--profile", path, *args, expect=expect)
    return json.loads(done.stdout)


def counts(report, kind="denials"):
    found = {}
    for call in report[kind]:
        key = (call["syscall"], call["action"], call["data"])
        found[key] = found.get(key, 0) + call["count"]
    return found


makes = "import ctypes,os; l=ctypes.CDLL(None); l.syscall(83,b'/proc/none',0); l.syscall(447,0); l.syscall(83,b'/proc/none',0)"
features = subprocess.run(["runc", "features"], capture_output=True, text=True, check=False).stdout
for runtime in ("none", "runc", "crun"):
    print(f"{runtime}: enforce and log mode see the same calls")
    flags = runtime != "runc" or "SECCOMP_FILTER_FLAG_LOG" in features  # runc takes none before 1.2
    for mode in ("enforce", "log"):
        if mode == "enforce" and not flags:
            done = whittle("verify", "--via", "audit", "--no-probes", "--profile", denies, "--runtime", runtime, "--", "true", expect=3)
            assert "runc 1.2" in done.stderr and "--via ebpf" in done.stderr, done.stderr
            continue
        report = verify("--mode", mode, "--runtime", runtime, "--", "/usr/bin/python3", "-c", makes)
        assert report["via"] == "audit" and report["mode"] == mode and report["verdict"] == "fail", report
        assert counts(report) == {("mkdir", "errno", 1): 2}, report["denials"]
        fallbacks = {("memfd_secret", "errno", ENOSYS): 1} if flags else {}
        assert counts(report, "fallbacks") == fallbacks, report["fallbacks"]
        assert report["complete"] and not any(report["lost"].values()), report["lost"]
        assert report["undecided"] == [] and report["exercises"][0]["ok"], report
        (denial,) = report["denials"]
        assert denial["exe"].startswith("/usr/bin/python3") and denial["where"]["offset"] > 0, denial
        assert denial["text"] == "mkdir(_, _)" and denial["thread"] > 0 and denial["time"] >= 0, denial

print("records of others on the machine are not its own; what is allowed passes")
other = subprocess.Popen([WHITTLE, "verify", "--via", "audit", "--no-probes", "--json", "--profile", denies, "--", "sh", "-c",
                          f"read line; exec {program('denied')} threads 4 500"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
report = verify("--", "true", expect=0)
assert report["verdict"] == "pass" and report["denials"] == [], report
out, _ = other.communicate("go\n", timeout=60)
report = json.loads(out)
made = [call["count"] for call in report["denials"] if call["comm"] == "denied"]  # sh asks, too
seen, lost = sum(made), sum(report["lost"].values())
assert seen == 2000 or (lost >= 1 and not report["complete"] and seen < 2000), (seen, report["lost"])

print("a kill, a call that is refused by its arguments, and a filter of the program's own")
kills = profile("kills.json", {"names": ["getppid"], "action": "SCMP_ACT_KILL_PROCESS"},
                {"names": ["prctl"], "errnoRet": 13, "args": [{"index": 0, "value": 77777, "op": "SCMP_CMP_EQ"}]})
two = "import ctypes,os; l=ctypes.CDLL(None); l.prctl(77777,0); l.syscall(110)"
report = verify("--", "/usr/bin/python3", "-c", two, path=kills)
assert counts(report) == {("prctl", "errno", 13): 1, ("getppid", "kill_process", 0): 1}, report["denials"]
report = verify("--", for_everybody(program("filtered")))
assert any("filter that is not the profile's" in call["why"] for call in report["undecided"]), report

print("a call that an ENOSYS rule or another refuses, by its arguments, is undecided")
both = profile("both.json", {"names": ["prctl"], "errnoRet": ENOSYS, "args": [{"index": 0, "value": 77777, "op": "SCMP_CMP_EQ"}]},
               {"names": ["prctl"], "errnoRet": 13, "args": [{"index": 0, "value": 77778, "op": "SCMP_CMP_EQ"}]})
report = verify("--", "/usr/bin/python3", "-c", "import ctypes; ctypes.CDLL(None).prctl(77777,0)", path=both)
assert report["denials"] == [] and [call["syscall"] for call in report["undecided"]] == ["prctl"], report

print("what cannot be: evidence, no privilege")
assert "no evidence of a run" in whittle("verify", "--via", "audit", "--profile", denies, "--evidence", work + "/e", "--", "true",
                                         expect=2).stderr


def without(capability, before="true"):
    """A trial without a capability of root's, after a command of the shell that starts it."""
    drop = f"setpriv --bounding-set -{capability} --inh-caps -{capability}"
    command = f"{before} && exec {drop} {WHITTLE} verify --via audit --no-probes --json --profile {denies} -- true"
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)


# A login id that is set may be set anew with the privilege only.
done = without("audit_control", before="echo 0 >/proc/self/loginuid")
assert done.returncode == 3 and "CAP_AUDIT_CONTROL" in done.stderr, done
# Without the socket the kernel's log is read: it leaves records out, so nothing passes by it.
done = without("audit_read")
assert done.returncode == 1 and json.loads(done.stdout)["lost"]["audit_uncertain"] == 1, done
