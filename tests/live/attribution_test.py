"""Attribution: 20 containers at once, started, restarted, executed in and killed at random, five of
them recorded at any time. No call may be in the wrong evidence, and none missing, start-up included.

Each container makes calls that no other makes: prctl(10000 + N) first of all, prctl(30000 + N) in its
children, prctl(20000 + N) in what is executed in it later. WHITTLE_ATTRIBUTION_SECONDS sets the time.
"""

import atexit
import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time
import traceback

from harness import WHITTLE, eventually, load, require_root, skip, temporary_directory

require_root()
if shutil.which("runc") is None:
    skip("needs runc")

SECONDS = float(os.environ.get("WHITTLE_ATTRIBUTION_SECONDS", "10"))
CONTAINERS = 20
RECORDED = 5
work = temporary_directory()
unique = f"wa{os.getpid()}"
problems = []
totals = {"lives": 0, "recorded": 0, "execs": 0, "killed": 0}
lock = threading.Lock()


def make_bundle(number, milliseconds):
    path = f"{work}/bundle-{number}"
    if not os.path.isdir(path):
        os.makedirs(path)
        subprocess.run(["runc", "spec", "--bundle", path], check=True)
    config = load(path + "/config.json")
    config["process"].update(terminal=False, args=["/attributed", "start", str(number), str(milliseconds)])
    config["process"].pop("rlimits", None)
    config["root"] = {"path": rootfs, "readonly": True}
    with open(path + "/config.json", "w", encoding="utf-8") as file:
        json.dump(config, file)
    return path


# Static, so that a container needs nothing else.
rootfs = work + "/rootfs"
for directory in ("proc", "dev", "sys"):
    os.makedirs(f"{rootfs}/{directory}")
subprocess.run(["cc", "-static", "-O1", "-D_GNU_SOURCE", "-o", rootfs + "/attributed",
                os.path.join(os.environ["WHITTLE_SOURCE"], "tests/programs/attributed.c")], check=True)


def quietly(*command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False).returncode


def values(run):
    """How often each of our calls was made, by its first argument; the kernel keeps values, not counts."""
    for call in run["syscalls"]:
        if call["name"] == "prctl":
            return {value for unit in call["args"] for value in unit["values"] if value >= 10000}
    return set()


def check(number, life, runs, ran, executed, killed):
    main = [run for run in runs if run.get("part", "") == ""]
    entered = [run for run in runs if run.get("part") == "exec"]
    where = f"container {number}, life {life}{' (killed)' if killed else ''}"
    if len(main) != 1 or len(entered) > 1:
        return problems.append(f"{where}: {len(main)} runs and {len(entered)} of exec")
    for run in runs:
        if not run["complete"]:
            problems.append(f"{where}: {[item for item in run['lost'].items() if item[1]]}")
    found = values(main[0])
    if ran and 10000 + number not in found:
        problems.append(f"{where}: its start is missing: {found}")
    if not found <= {10000 + number, 30000 + number}:
        problems.append(f"{where}: not its own: {found}")
    found = set().union(*(values(run) for run in entered))
    if executed and found != {20000 + number}:
        problems.append(f"{where}: of what was executed in it: {found}")
    if not found <= {20000 + number}:
        problems.append(f"{where}: not its own, executed: {found}")
    for run in runs:
        for call in run["syscalls"]:
            if call["name"] in ("pivot_root", "unshare", "setns", "sethostname", "mount"):
                problems.append(f"{where}: {call['name']}, which is the runtime's")


def live(number, life, chance, recording):
    """One start, with what happens to it. Whether its program ran (it may be killed before that),
    something was executed in it, and it was killed."""
    container = f"{unique}-{number}"
    bundle = make_bundle(number, chance.choice([0, 200, 1000, 3000]))
    started = subprocess.Popen(["runc", "run", "--bundle", bundle, container], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    executed = killed = False
    for _ in range(chance.randrange(4)):
        time.sleep(chance.random() * 0.3)
        executed |= quietly("runc", "exec", container, "/attributed", "exec", str(number)) == 0
    if chance.random() < 0.4 and started.poll() is None:
        killed = quietly("runc", "kill", container, "KILL") == 0
    ran = started.communicate(timeout=60)[0] == b"started\n"
    quietly("runc", "delete", "--force", container)
    with lock:
        totals["lives"] += 1
        totals["recorded"] += recording is not None
        totals["execs"] += executed
        totals["killed"] += killed
    return ran, executed, killed


def drive(number):
    chance = random.Random(SEED + number)
    life = 0
    while time.monotonic() < end:
        life += 1
        recording = None
        # The first life of some is recorded, that of the others is not: both happen in each run of this.
        if life == 1 and number < RECORDED or life > 1 and slots.acquire(blocking=False):
            output = f"{work}/{number}-{life}.evidence.json"
            with open(output + ".log", "w", encoding="utf-8") as log:
                recording = subprocess.Popen([WHITTLE, "record", "--container", f"{unique}-{number}", "--wait",
                                              "-o", output], stderr=log)
            eventually(lambda: "waiting" in open(output + ".log", encoding="utf-8").read() or recording.poll() is not None,
                       "it waits for the container")
        ran, executed, killed = live(number, life, chance, recording)
        if recording is None:
            continue
        if not ran:  # there may be nothing that would end it
            time.sleep(1)
            recording.send_signal(signal.SIGINT)
        try:
            status = recording.wait(60)
        except subprocess.TimeoutExpired:
            recording.kill()
            status = "none: it did not end"
        slots.release()
        log = open(output + ".log", encoding="utf-8").read()
        if not ran and status == 2 and "has started" in log:
            continue
        if status == 0:
            check(number, life, load(output)["runs"], ran, executed, killed)
        else:
            problems.append(f"container {number}, life {life}: exit {status}: {log}")


SEED = int(os.environ.get("WHITTLE_ATTRIBUTION_SEED", random.randrange(1000000)))
print(f"{CONTAINERS} containers for {SECONDS:g} s, {RECORDED} recorded at once, seed {SEED}")
slots = threading.Semaphore(RECORDED)
for _ in range(RECORDED):  # for the first lives, which give them back
    slots.acquire()
end = time.monotonic() + SECONDS
atexit.register(lambda: [quietly("runc", "delete", "--force", f"{unique}-{n}") for n in range(CONTAINERS)])


def drive_or_say(number):
    try:
        drive(number)
    except Exception:  # a thread's own would be forgotten
        problems.append(f"container {number}: {traceback.format_exc()}")


threads = [threading.Thread(target=drive_or_say, args=(number,)) for number in range(CONTAINERS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(totals)
assert not problems, "\n".join(problems[:20])
assert totals["recorded"] >= RECORDED and totals["lives"] > totals["recorded"], totals
