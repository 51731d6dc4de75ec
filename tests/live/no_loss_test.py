"""Nothing is lost, whatever the rate; and where room is bounded and runs out, that is counted and said.

WHITTLE_ALL=1 makes 10^8 calls instead of 10^7.
"""

import os
import re
import subprocess
import time

from harness import WHITTLE, eventually, load, program, require_root, temporary_directory, whittle

require_root()
DIRECTORY = temporary_directory()
CALLS = 100_000_000 if os.environ.get("WHITTLE_ALL") else 10_000_000
THREADS = 64


def record(name, *command, expect=0, options=(), **environment):
    path = os.path.join(DIRECTORY, f"{name}.evidence.json")
    done = whittle("record", "--backend", "ebpf", "--under", "none", "-o", path, *options, "--", *command, expect=expect,
                   env={**os.environ, **environment})
    run = load(path)["runs"][0]
    lost = {kind: count for kind, count in run["lost"].items() if count}
    assert run["complete"] is (not lost) and (expect == 1) is bool(lost), (name, run["complete"], lost)
    for kind in lost:
        assert f'lost of kind "{kind}"' in done.stderr, done.stderr
    return {call["name"]: call for call in run["syscalls"]}, lost


def memory(pid):
    """KiB of the process's own (not of files, and also what is swapped out: so that nobody's reclaim shows), and of all
    BPF maps that it holds."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        status = file.read()
    own = sum(int(re.search(rf"{field}:\s+(\d+)", status)[1]) for field in ("RssAnon", "VmSwap"))
    maps = 0
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii") as file:
                found = re.search(r"memlock:\s+(\d+)", file.read())
        except FileNotFoundError:
            continue
        maps += int(found[1]) // 1024 if found else 0
    return own, maps


# As many calls as two cores can make, from 64 threads; before them a few of the same kinds, after which all that is
# loaded, resolved and kept is there. The memory of all that follows is compared with that.
path = os.path.join(DIRECTORY, "rate.evidence.json")
WARM = 1000
of_shell = record("shell", "sh", "-c", ":")[0].get("getppid", {"count": 0})["count"]
recorder = subprocess.Popen([WHITTLE, "record", "--backend", "ebpf", "-o", path, "--", "sh", "-c",
                             f'"$0" {THREADS} {WARM}; read go; "$0" {THREADS} {CALLS // THREADS}; read go', program("threads")],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def said():
    """What the program counts itself, once it has ended."""
    return int(re.search(r"getppid (\d+)", recorder.stdout.readline())[1])


def checkpoint_of(calls):
    """Whether a checkpoint has so many getppid of the program."""
    return os.path.exists(path) and any(call["name"] == "getppid" and call["count"] == calls + of_shell
                                        for call in load(path)["syscalls"])


own = said()
eventually(lambda: checkpoint_of(own), "a checkpoint with what was made before", process=recorder)
samples = [memory(recorder.pid)]
started = time.monotonic()
recorder.stdin.write("go\n")
recorder.stdin.flush()
own += said()
seconds = time.monotonic() - started
samples.append(memory(recorder.pid))
eventually(lambda: checkpoint_of(own), "a checkpoint with all", process=recorder)
samples.append(memory(recorder.pid))
recorder.communicate(timeout=60)
assert recorder.returncode == 0
calls = {call["name"]: call["count"] for call in load(path)["syscalls"]}
assert calls["getppid"] - of_shell == own == (CALLS // THREADS + WARM) * THREADS, (calls["getppid"], own)
print(f"exact: {own:,} calls from {THREADS} threads, the most of them in {seconds:.1f} s")
growth = [max(sample[i] for sample in samples) - samples[0][i] for i in (0, 1)]
assert growth[0] <= 4096 and growth[1] == 0, samples
print(f"memory: {samples[-1][0]} KiB, and {samples[-1][1]} KiB of maps; by the calls it grew by {growth[0]} and {growth[1]} KiB")

# Each kind of room: it suffices, and made smaller it does not.
calls, _ = record("errnos", program("flood"), "errnos", "100")
assert len(calls["getppid"]["errnos"]) == 100 and set(calls["getppid"]["errnos"].values()) == {1}
calls, lost = record("errnos-full", program("flood"), "errnos", "100", expect=1, WHITTLE_RECORDER_ENTRIES="64")
kept = calls["getppid"]["errnos"]
assert lost["errnos"] == 100 - len(kept) > 0 and calls["getppid"]["count"] == 100, (lost, len(kept))
print("errnos: 100 kept; with less room each that was not kept is counted as lost, and the calls are all counted")

calls, _ = record("numbers", program("flood"), "numbers", "1000")
numbers = [name for name in calls if name.startswith("syscall_")]
assert len(numbers) == 1000 and all(calls[name]["errnos"] == {"ENOSYS": 1} for name in numbers)
calls, lost = record("numbers-full", program("flood"), "numbers", "1000", expect=1, WHITTLE_RECORDER_ENTRIES="128")
assert lost["calls"] == 1000 - sum(name.startswith("syscall_") for name in calls) > 0, lost
assert lost["judged"] > 0, lost
print("unknown numbers: 1,000 kept; with less room they are counted as lost, and what could not be judged likewise")

calls, _ = record("values", program("flood"), "values", "250")
assert len([v for v in calls["prctl"]["args"][0]["values"] if v >= 100000]) == 250 and calls["prctl"]["args"][0]["closed"]
calls, lost = record("values-full", program("flood"), "values", "250", expect=1, WHITTLE_RECORDER_ENTRIES="64")
kept = [v for v in calls["prctl"]["args"][0]["values"] if v >= 100000]
assert lost["values"] >= 250 - len(kept) > 0, (lost, len(kept))
calls, _ = record("values-bound", program("flood"), "values", "1000")
assert calls["prctl"]["args"][0]["closed"] is False and len(calls["prctl"]["args"][0]["values"]) == 256
print("values: up to the bound of a set all are kept; past it the set is open; with less room than that it is a loss")

_, lost = record("ring", "python3", "-c", "pass", expect=1, WHITTLE_RECORDER_RING="8192")  # no stack finds room in that
assert lost["stacks"] > 0, lost
record("no-ring", "python3", "-c", "pass", options=("--no-stacks",), WHITTLE_RECORDER_RING="8192")
print("ring: stacks that found no room are counted; without stacks nothing is lost")
