"""The recorder on programs whose system calls are known exactly: both backends, counts of one."""

import atexit
import os
import signal
import subprocess

from harness import (WHITTLE, eventually, free_port, load, program, require_root, seen_in_phase, temporary_directory,
                     whittle)

require_root()
DIRECTORY = temporary_directory()


def record(name, *command, backend="ebpf", options=(), expect=0, env=None):
    path = os.path.join(DIRECTORY, f"{name}.evidence.json")
    whittle("record", "--backend", backend, "-o", path, *options, "--", *command, expect=expect,
            env={**os.environ, **(env or {})})
    return load(path)


def counts(evidence):
    return {(call["arch"], call["name"]): call["count"] for call in evidence["syscalls"]}


def finished(evidence):
    """Counts without the calls that a signal made the kernel start anew (ERESTARTNOINTR and the like)."""
    return {(call["arch"], call["name"]):
            call["count"] - sum(n for errno, n in call["errnos"].items() if errno.startswith("ERESTART"))
            for call in evidence["syscalls"]}


# Number, ABI and count of each call, the target's own execve included; nothing else shows.
ABIS = {("x86_64", "execve"): 1, ("x86_64", "getpid"): 1, ("x86", "getpid"): 1, ("x86_64", "exit_group"): 1}
for backend in ("ebpf", "ptrace"):
    evidence = record(f"abis-{backend}", program("raw_abis"), backend=backend)
    assert counts(evidence) == ABIS, (backend, counts(evidence))
    run = evidence["runs"][0]
    assert run["complete"] is True and run["exit"] == 0 and run["source"] == backend, run
    assert run["timing"] == ("native" if backend == "ebpf" else "perturbed"), run["timing"]
    assert not any(run["lost"].values()), run["lost"]
    print("exact:", backend)

# The way of kernels without sched_prepare_exec gives the same.
evidence = record("abis-old", program("raw_abis"), env={"WHITTLE_EXEC_HOOK": "sys_enter"})
assert counts(evidence) == ABIS, counts(evidence)
print("exact: exec seen at sys_enter")

# An x32 try shows as x32, with its number as a filter sees it, answered ENOSYS.
for backend in ("ebpf", "ptrace"):
    evidence = record(f"x32-{backend}", program("raw_x32"), backend=backend)
    tried = [call for call in evidence["syscalls"] if call["arch"] == "x32"]
    assert len(tried) == 1 and tried[0]["name"] == "getpid" and tried[0]["nr"] == 39 | 0x40000000, tried
    assert tried[0]["errnos"] == {"ENOSYS": 1}, tried
    generated = os.path.join(DIRECTORY, f"x32-{backend}.profile.json")
    whittle("generate", os.path.join(DIRECTORY, f"x32-{backend}.evidence.json"), "-o", generated)
    assert load(generated)["architectures"] == ["SCMP_ARCH_AARCH64", "SCMP_ARCH_X86_64"], load(generated)
print("x32: seen, and opens nothing")

# Counts are exact with threads and children of every kind.
for name, arguments in (("threads", ("8", "1000")), ("forks", ()), ("crowd", ()), ("exec_forms", ()), ("signals", ())):
    by_backend = {}
    for backend in ("ebpf", "ptrace"):
        evidence = record(f"{name}-{backend}", program(name), *arguments, backend=backend)
        by_backend[backend] = finished(evidence)
    # What depends on timing alone: how often a lock was contended, a wait interrupted, a stack reused, a task looked at
    # until it waited.
    timing = {"futex", "restart_syscall", "madvise", "munmap", "mprotect", "mmap", "sched_yield", "brk", "wait4",
              "nanosleep", "clock_nanosleep", "rt_sigreturn", "poll", "read", "set_robust_list", "rseq",
              "rt_sigprocmask", "tgkill", "kill", "pause", "pread64"}
    differ = {call: tuple(by_backend[b].get(call) for b in by_backend) for call in set().union(*by_backend.values())
              if len({by_backend[b].get(call) for b in by_backend}) > 1 and call[1] not in timing}
    assert not differ, (name, differ)
    print("same by both backends:", name, sum(by_backend["ebpf"].values()), "calls")

evidence = record("threads", program("threads"), "16", "20000")
assert counts(evidence)[("x86_64", "getppid")] == 16 * 20000, counts(evidence)
print("exact under load: 320,000 calls from 16 threads")

# clone3 is answered ENOSYS while recording, is counted as refused, and clone is what shows instead.
calls = {call["name"]: call for call in evidence["syscalls"]}
assert calls["clone3"]["refused"] == calls["clone3"]["count"] > 0, calls["clone3"]
assert calls["clone"]["args"][0]["values"] == [0x3d0f00], calls["clone"]["args"]
evidence = record("threads-none", program("threads"), "4", "10", options=("--under", "none"))
calls = {call["name"]: call for call in evidence["syscalls"]}
assert "clone" not in calls and calls["clone3"]["args"][0]["values"] == [0x3d0f00], calls.get("clone3")
assert "refused" not in calls["clone3"]
print("fallbacks: clone3 refused and clone recorded; without them clone3's flags are read from its struct")

# Argument values: the same by both backends, cut to their widths.
by_backend = {}
for backend in ("ebpf", "ptrace"):
    evidence = record(f"arguments-{backend}", program("arguments"), backend=backend)
    by_backend[backend] = {(call["arch"], call["name"]): (call.get("args"), call.get("tuples"))
                           for call in evidence["syscalls"] if call.get("args") or call.get("tuples")}
assert by_backend["ebpf"] == by_backend["ptrace"], by_backend
assert ("x86_64", "socket") in by_backend["ebpf"] and ("x86_64", "prctl") in by_backend["ebpf"]
print("arguments: the same by both backends for", sorted(name for _, name in by_backend["ebpf"]))


def start(name, *command, options=(), **kwargs):
    """A recording that goes on, and the path of its evidence."""
    path = os.path.join(DIRECTORY, f"{name}.evidence.json")
    process = subprocess.Popen([WHITTLE, "record", "-o", path, *options, "--", *command], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True, **kwargs)
    atexit.register(process.terminate)  # when the test fails, nothing of it stays
    return process, path


def stop(process):
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 0, process.returncode


# Phases: what happens before and after the port answers.
port = free_port()
server = f"import socket,time,os\ntime.sleep(0.3)\ns=socket.socket();s.setsockopt(1,2,1);s.bind(('127.0.0.1',{port}))\n" \
         "s.listen()\nwhile True: os.getppid();time.sleep(0.05)\n"
process, path = start("phases", "python3", "-c", server, options=("--ready", f"tcp:{port}"))
eventually(lambda: seen_in_phase(path, "ready", "getppid"), "getppid when it is ready", process=process)
stop(process)
evidence = load(path)
calls = {call["name"]: call for call in evidence["syscalls"]}
assert calls["bind"]["phases"] == ["startup"], calls["bind"]["phases"]
assert "ready" in calls["getppid"]["phases"], calls["getppid"]["phases"]
# The server sleeps before its bind, and makes getppid after it.
assert calls["execve"]["first"] == 0 and calls["bind"]["first"] > 0.25, (calls["execve"], calls["bind"])
assert calls["bind"]["last"] <= calls["getppid"]["first"], (calls["bind"], calls["getppid"])
assert calls["getppid"]["last"] <= evidence["runs"][0]["duration"] + 0.1, (calls["getppid"], evidence["runs"][0]["duration"])
print("phases: startup and ready told apart")

# Ways to end: SIGTERM, a time limit; the evidence is complete each time.
for backend in ("ebpf", "ptrace"):
    evidence = record(f"for-{backend}", "sleep", "60", backend=backend, options=("--for", "1s"))
    assert evidence["runs"][0]["exit"] == 128 + signal.SIGTERM and evidence["runs"][0]["complete"], evidence["runs"][0]
    process, path = start(f"term-{backend}", "sleep", "60", options=("--backend", backend))
    eventually(lambda: os.path.exists(path), "a checkpoint", process=process)
    checkpoint = load(path)
    assert checkpoint["runs"][0]["complete"] is False and ("x86_64", "execve") in counts(checkpoint), checkpoint["runs"][0]
    stop(process)
    assert load(path)["runs"][0]["complete"] is True
    print("ends well on --for and SIGTERM, checkpoints on the way:", backend)

# What the request to stop causes is in phase "stop"; a signal ends a --repeat, too.
stopper = "trap 'umask 77; exit 0' TERM; echo trapped; while :; do sleep 0.1; done"
for backend in ("ebpf", "ptrace"):
    evidence = record(f"stop-{backend}", "bash", "-c", stopper, backend=backend,
                      options=("--ready", "log:^trapped$", "--until-quiet", "300ms"))
    assert evidence["runs"][0]["exit"] == 0, evidence["runs"][0]
    umask = [call for call in evidence["syscalls"] if call["name"] == "umask"]
    assert umask and umask[0]["phases"] == ["stop"], (backend, umask)
process, path = start("interrupted", "sh", "-c", "echo up; exec sleep 60", options=("--repeat", "3"))
assert process.stdout.readline() == "up\n"
stop(process)
assert len(load(path)["runs"]) == 1
print("the stop phase, and a signal ends a repetition")

# Several recordings at once do not see each other.
pair = [subprocess.Popen([WHITTLE, "record", "-o", os.path.join(DIRECTORY, f"side{i}.json"), "--",
                          program("threads"), "2", str(1000 + i)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        for i in range(4)]
assert [process.wait(120) for process in pair] == [0] * 4
for i in range(4):
    assert counts(load(os.path.join(DIRECTORY, f"side{i}.json")))[("x86_64", "getppid")] == 2 * (1000 + i)
print("four recordings side by side, each its own")

# --repeat gives a run each; what the command prints is its own matter.
evidence = record("repeat", "true", options=("--repeat", "3"))
assert len(evidence["runs"]) == 3 and len({run["id"] for run in evidence["runs"]}) == 3
print("repeat: three runs in one file")
