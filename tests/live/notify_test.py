"""Trials by seccomp notification, as a user without any privilege: every denial of any number of threads is
counted, whatever the workload does in the middle, and when whittle is killed nothing is left behind.
And the same counts by eBPF, natively and in containers."""

import json
import os
import re
import select
import signal
import subprocess

from harness import WHITTLE, eventually, for_everybody, program, require_root, temporary_directory, waits_in

require_root()
DIRECTORY = temporary_directory()
BINARY = for_everybody(WHITTLE)
DENIED = for_everybody(program("denied"))
NOBODY = {"user": 65534, "group": 65534, "extra_groups": [], "cwd": "/"}


def write_profile(name, default, *rules):
    path = os.path.join(DIRECTORY, name)
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"defaultAction": default, "architectures": ["SCMP_ARCH_X86_64"], "syscalls": list(rules)}, file)
    return path


REFUSING = write_profile("refusing.json", "SCMP_ACT_ALLOW",
                         {"names": ["getppid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
                         {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38})


def run(*args, command, expect=None):
    """A trial as nobody. The report, and what the command wrote."""
    done = subprocess.run([BINARY, "verify", "--json", "--no-probes", *args, "--", *command], **NOBODY,
                          capture_output=True, text=True, errors="replace", timeout=120, check=False)
    if expect is not None:
        assert done.returncode == expect, done
    return (json.loads(done.stdout) if done.stdout else None), done.stderr


def counted(report, name="getppid"):
    return sum(denial["count"] for denial in report["denials"] if denial["syscall"] == name)


def numbers(text):
    return {word: int(number) for word, number in re.findall(r"(begun|made|refused) (\d+)", text)}


print("every call is counted, in log mode and under enforce")
for mode in ("log", "enforce"):
    for command in (["threads", "32", "1000"], ["signals", "3000"], ["execs", "30"], ["vforks", "200"],
                    ["killed", "10"], ["exits", "10"]):
        report, said = run("--profile", REFUSING, "--mode", mode, command=[DENIED, *command], expect=1)
        seen = numbers(said)
        assert report["via"] == "notify" and report["complete"] and report["timing"] == "native", report
        # A call in which its process dies was made, or not.
        assert seen["made"] <= counted(report) <= seen.get("begun", seen["made"]), (command, seen, report)
        assert seen["refused"] == (seen["made"] if mode == "enforce" else 0), (command, seen)
        assert report["exercises"][0]["ok"], report
        assert {denial["syscall"] for denial in report["denials"]} == {"getppid"}, report
        assert {fallback["syscall"] for fallback in report["fallbacks"]} <= {"clone3"}, report
    # Whittle gives what a command leaves behind 10 seconds: on a busy machine not enough for thousands of answers.
    report, _ = run("--profile", REFUSING, "--mode", mode, command=[DENIED, "daemon", "500"], expect=1)
    assert counted(report) == 500, report

print("a denial says who made the call, and from where")
report, _ = run("--profile", REFUSING, command=[DENIED, "threads", "1", "3"], expect=1)
denial = report["denials"][0]
assert (denial["text"], denial["comm"], denial["phase"]) == ("getppid()", "denied", "startup"), denial
assert denial["thread"] > 0 and denial["exe"] == DENIED and denial["time"] >= 0, denial
assert denial["where"]["library"] == DENIED and denial["where"]["symbol"] == "call", denial
assert denial["where"]["build_id"] and denial["where"]["offset"] > 0, denial
assert denial["stack"][0]["symbol"] == "syscall" and "libc" in denial["stack"][0]["library"], denial

print("a profile that refuses everything, in log mode: from execve to the end")
for default in ("SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS"):
    all_refused = write_profile("all.json", default)
    report, said = run("--profile", all_refused, "--mode", "log",
                       command=["/bin/sh", "-c", "echo a | cat; (exit 3) & wait $!"], expect=1)
    assert report["exercises"][0]["detail"] == "exit status 3" and "a\n" in said, (report, said)
    assert {"execve", "mmap", "read", "write", "exit_group"} <= {d["syscall"] for d in report["denials"]}, report
    text = {d["text"] for d in report["denials"] if d["syscall"] == "mmap"}
    assert any("PROT_READ" in t and "MAP_PRIVATE" in t for t in text), text
_, said = run("--profile", write_profile("all.json", "SCMP_ACT_ERRNO"), command=["/bin/true"], expect=2)
assert "must allow execve" in said, said

print("a verdict that kills does so")
for action in ("SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS"):
    killing = write_profile("killing.json", "SCMP_ACT_ALLOW", {"names": ["getppid"], "action": action})
    report, _ = run("--profile", killing, command=[DENIED, "threads", "1", "3"], expect=1)
    assert report["exercises"][0]["detail"] == "killed by SIGSYS" and counted(report) == 1, report
    report, _ = run("--profile", killing, "--mode", "log", command=[DENIED, "threads", "1", "3"], expect=1)
    assert report["exercises"][0]["ok"] and counted(report) == 3, report

print("a workload that needs nothing more passes")
report, _ = run("--profile", REFUSING, command=["/bin/true"], expect=0)
assert report["verdict"] == "pass" and report["denials"] == [], report


def descendants(pid):
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
            for child in map(int, file.read().split()):
                found += [child, *descendants(child)]
    return found


def wait_for(pids, seconds=30):
    """Until all of these, by pidfd, have ended."""
    for fd in pids.values():
        ready, _, _ = select.select([fd], [], [], seconds)
        assert ready, "something is left: " + ", ".join(map(str, pids))
        os.close(fd)


print("whittle killed with -9, in the middle, leaves nothing behind")
for mode in ("log", "enforce"):
    for whom in ("whittle", "keeper", "command"):
        trial = subprocess.Popen([BINARY, "verify", "--json", "--no-probes", "--profile", REFUSING, "--mode", mode,
                                  "--", "/bin/sh", "-c", f"echo up >&2; exec {DENIED} forever"], **NOBODY,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert trial.stderr.readline() == "up\n"
        tree = []
        while len(tree) < 6:  # the keeper, the command and its four children
            tree = descendants(trial.pid)
        held = {pid: os.pidfd_open(pid) for pid in tree}
        os.kill({"whittle": trial.pid, "keeper": tree[0], "command": tree[1]}[whom], signal.SIGKILL)
        if whom == "keeper":
            # The command dies with it. What it had left behind goes on alone, as after any kill -9 of a
            # parent; but none waits for an answer: without a listener the kernel says ENOSYS.
            wait_for({tree[1]: held.pop(tree[1]), tree[0]: held.pop(tree[0])})
            for pid in held:
                signal.pidfd_send_signal(held[pid], signal.SIGKILL)
        elif whom == "command":
            trial.send_signal(signal.SIGTERM)  # its children would go on
        wait_for(held)
        said = trial.communicate(timeout=60)[0]
        assert trial.returncode == (-signal.SIGKILL if whom == "whittle" else 1), (whom, trial.returncode)
        if whom == "command":
            report = json.loads(said)
            assert report["exercises"][0]["detail"] == "killed by SIGKILL", report
            assert counted(report) > 0, report

print("what is not possible is said")
_, said = run("--profile", REFUSING, "--runtime", "runc", command=["/bin/true"], expect=3)
assert "needs root" in said and "--via notify" in said, said
_, said = run("--profile", REFUSING, "--via", "ebpf", command=["/bin/true"], expect=3)
assert "needs root" in said, said
_, said = run("--profile", REFUSING, "--via", "notify", "--runtime", "crun", command=["/bin/true"], expect=2)
assert "not seen by notify" in said, said
_, said = run("--profile", REFUSING, "--via", "ptrace", "--mode", "log", command=["/bin/true"], expect=2)
assert "--via notify" in said, said
_, said = run("--profile", REFUSING, "--mode", "log", "--evidence", "/dev/null", command=["/bin/true"], expect=3)
assert "needs root" in said, said
_, said = run("--profile", REFUSING, "--no-new-privileges", "off", command=["/bin/true"], expect=3)
assert "needs no_new_privileges" in said, said
trapping = write_profile("trapping.json", "SCMP_ACT_ALLOW", {"names": ["getppid"], "action": "SCMP_ACT_TRAP"})
_, said = run("--profile", trapping, "--via", "notify", command=["/bin/true"], expect=2)
assert "trap" in said and "--via ptrace" in said, said
report, _ = run("--profile", trapping, command=[DENIED, "threads", "1", "1"], expect=1)
assert report["via"] == "ptrace" and counted(report) == 1, report
# One listener is all that the kernel lets a process have.
_, said = run("--profile", REFUSING, "--mode", "log",
              command=[BINARY, "verify", "--profile", REFUSING, "--", "/bin/true"])
assert "has a listener already" in said, said

READ, POLL = 0, 7


def has_made_them():
    """Whether a program DENIED runs that has made its calls, and waits for the end of its input."""
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                ours = file.read().split(b"\0")[0] == DENIED.encode()
            if ours and len(os.listdir(f"/proc/{pid}/task")) == 1 and waits_in(pid, READ):
                return True
        except (FileNotFoundError, ProcessLookupError):
            continue
    return False


def trial_as_root(via, *options, command):
    """By eBPF the program's code is looked up while it runs, a moment later: so it ends only when whittle waits for what
    comes next, having read all that there was."""
    trial = subprocess.Popen([WHITTLE, "verify", "--json", "--no-probes", "--via", via, *options, "--", *command],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    eventually(has_made_them, "the calls are made", 120, trial)
    if via == "ebpf":
        eventually(lambda: waits_in(trial.pid, POLL), "whittle waits", process=trial)
    output, errors = trial.communicate(timeout=60)
    assert trial.returncode == 1, (trial.returncode, output, errors)
    return json.loads(output), errors


print("32 threads by eBPF, natively and in containers; who made the calls is known there, too, and by ptrace")
for runtime, via in (("none", "ebpf"), ("runc", "ebpf"), ("crun", "ebpf"), ("none", "ptrace")):
    each = 10000 if via == "ebpf" else 100
    for mode in ("log", "enforce") if via == "ebpf" else ("enforce",):
        report, said = trial_as_root(via, "--profile", REFUSING, "--mode", mode, "--runtime", runtime,
                                     command=[DENIED, "held", "32", str(each)])
        assert report["via"] == via and report["complete"], report
        assert counted(report) == 32 * each == numbers(said)["made"], (runtime, mode, report)
        [denial] = [one for one in report["denials"] if one["syscall"] == "getppid"]
        assert denial["text"] == "getppid()" and denial["thread"] > 0 and denial["time"] >= 0, denial
        assert denial["exe"] == DENIED and denial["where"]["library"] == DENIED, denial
        assert denial["where"]["symbol"] == "call" and denial["stack"][0]["symbol"] == "syscall", denial
