"""install is stopped at every system call, and meets a full or failing disk: no file is ever torn.

strace makes the faults: a SIGKILL at the Nth call, or an error from every call of a kind. After each
one the store must hold, for each name, the old profile or the new one, and the next install must put
everything in order. WHITTLE_ALL=1 stops at each call, otherwise at each seventh.
"""
import json
import os
import shutil
import subprocess

from harness import WHITTLE, skip, temporary_directory

if not shutil.which("strace"):
    skip("needs strace")
STEP = 1 if os.environ.get("WHITTLE_ALL") else 7
work = temporary_directory()
root, pristine, source = (os.path.join(work, name) for name in ("root", "pristine", "source"))
NAMES = [f"p{i}.json" for i in range(3)]


def document(*calls):
    return json.dumps({"defaultAction": "SCMP_ACT_ERRNO",
                       "syscalls": [{"names": list(calls), "action": "SCMP_ACT_ALLOW"}]})


def install(*strace):
    command = [WHITTLE, "install", source, "--root", root, "--into", "team"]
    if strace:
        command = ["strace", "-f", "-qq", "-o", "/dev/null", *strace, *command]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def read_all():
    found = {}
    for name in os.listdir(root + "/team"):
        if not name.startswith("."):
            with open(f"{root}/team/{name}", encoding="utf-8") as file:
                found[name] = file.read()
    return found


def reset():
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(pristine, root)


os.mkdir(source)
OLD, NEW = document("read"), document("read", "write")
for text in (OLD, NEW):
    for name in NAMES if text == NEW else NAMES[:2]:  # the third is new
        with open(f"{source}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    if text == OLD:
        assert install().returncode == 0
        shutil.copytree(root, pristine)
assert install().returncode == 0 and set(read_all().values()) == {NEW}

# Calls of the whole program, its compiling children left out: they have nothing to do with the store.
reset()
log = os.path.join(work, "log")
subprocess.run(["strace", "-qq", "-o", log, WHITTLE, "install", source, "--root", root, "--into", "team"], check=True,
               capture_output=True, timeout=60)
with open(log, encoding="utf-8") as file:
    calls = [line.split("(")[0] for line in file if "(" in line]
first = max(i for i, call in enumerate(calls) if call in ("wait4", "waitid"))  # the last compilation
kinds, stopped = {}, 0
for at, call in enumerate(calls):
    kinds[call] = kinds.get(call, 0) + 1
    if at <= first or call == "exit_group" or (at - first) % STEP:
        continue
    reset()
    subprocess.run(["strace", "-qq", "-o", "/dev/null", "-e", f"inject={call}:signal=KILL:when={kinds[call]}", WHITTLE,
                    "install", source, "--root", root, "--into", "team"], capture_output=True, check=False, timeout=60)
    state = read_all()
    assert set(state) - {NAMES[2]} == set(NAMES[:2]), (call, kinds[call], state)
    assert set(state.values()) <= {OLD, NEW} and state.get(NAMES[2], NEW) == NEW, (call, kinds[call])
    again = install()
    assert again.returncode == 0 and set(read_all()) == set(NAMES) and set(read_all().values()) == {NEW}, again
    left = [name for _, _, files in os.walk(root) for name in files if name.startswith(".whittle-tmp")]
    assert not left, (call, kinds[call], left)
    stopped += 1
assert stopped > 5
print(f"killed at {stopped} of {len(calls) - first} calls: never a torn file, and the next run mends what was left")

# Errors of the disk: one clear line, exit 3, the old or the new file, no rubbish.
for call, error in (("write", "ENOSPC"), ("fsync", "EIO"), ("openat", "EROFS"), ("renameat", "EIO"), ("linkat", "EROFS"),
                    ("unlinkat", "EIO"), ("mkdirat", "ENOSPC"), ("flock", "EIO"), ("fchmod", "EROFS")):
    for when in (1, 2):
        reset()
        if call == "openat":  # that of the store, not of the files that are read before
            numbers = [i for i, kind in enumerate(calls) if kind == call and i > first]
            when = sum(1 for kind in calls[:numbers[min(when, len(numbers) - 1)]] if kind == call) + 1
        more = "" if call == "write" else "+"  # the message is written, too
        done = subprocess.run(["strace", "-qq", "-o", "/dev/null", "-e", f"inject={call}:error={error}:when={when}{more}", WHITTLE,
                               "install", source, "--root", root, "--into", "team"], capture_output=True, text=True,
                              check=False, timeout=60)
        assert done.returncode in (0, 3), (call, when, done)
        if done.returncode == 3:
            assert done.stderr.count("error:") == 1, done.stderr
        state = read_all()
        assert set(state.values()) <= {OLD, NEW} and set(NAMES[:2]) <= set(state), (call, when)
        assert install().returncode == 0 and set(read_all().values()) == {NEW}
print("full, read-only and failing disks: said, and nothing torn")

# Two at once, many times: each file is one of the two, whole, and the lists agree.
reset()
other = os.path.join(work, "other")
shutil.copytree(source, other)
for name in NAMES:
    with open(f"{other}/{name}", "w", encoding="utf-8") as file:
        file.write(document("read", "close"))
running = [subprocess.Popen([WHITTLE, "install", place, "--root", root, "--into", "team"], stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL) for place in (source, other) * 10]
assert [one.wait(timeout=60) for one in running] == [0] * 20
assert len(set(read_all().values())) == 1, read_all()
listed = json.loads(subprocess.run([WHITTLE, "install", "--list", "--root", root, "--json"], capture_output=True, check=True).stdout)
assert {file["state"] for file in listed["files"]} == {"installed"}, listed
print("twenty installs at once: each is whole, the last one wins as a whole")

# A directory that becomes a link to another place: nothing is written there.
outside = os.path.join(work, "outside")
os.mkdir(outside)
reset()
shutil.move(root + "/team", work + "/moved")
os.symlink(outside, root + "/team")
done = install()
assert done.returncode == 2 and "symbolic link" in done.stderr and not os.listdir(outside), done
