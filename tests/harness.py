"""What every cli and live test needs: the binary under test, running it, and skipping with a reason."""

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

WHITTLE = os.environ["WHITTLE"]
BUILD = os.environ["WHITTLE_BUILD"]
SOURCE = os.environ["WHITTLE_SOURCE"]
SANITIZED = bool(os.environ.get("WHITTLE_SANITIZED"))  # the binary watches its memory or its threads
sys.path.insert(0, os.path.join(SOURCE, "demo"))
from traffic import free_port  # noqa: E402,F401


def skip(reason):
    """Ends the test as skipped. In CI nothing may skip: there it fails."""
    print("skipped:", reason)
    sys.exit(1 if os.environ.get("CI") else 77)


def require_root():
    if os.geteuid() != 0:
        skip("needs root")


def temporary_directory():
    """A fresh directory that everybody may enter; removed when the test ends."""
    path = tempfile.mkdtemp(prefix="whittle-test.")
    os.chmod(path, 0o755)
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def for_everybody(path):
    """A copy of a program that other users can reach: the source tree may be root's own."""
    copy = os.path.join(temporary_directory(), os.path.basename(path))
    shutil.copy(path, copy)
    return copy


def program(name):
    """The path of a program built from tests/programs."""
    return os.path.join(BUILD, "programs", name)


def whittle(*args, expect=0, stdin=None, timeout=1200 if SANITIZED else 120, **kwargs):
    """Runs whittle and checks its exit status. Returns the finished process (text mode)."""
    done = subprocess.run([WHITTLE, *map(str, args)], input=stdin, capture_output=True, text=True,
                          timeout=timeout, errors="replace", **kwargs)
    if expect is not None and done.returncode != expect:
        raise AssertionError(f"whittle {' '.join(map(str, args))}: exit {done.returncode}, expected {expect}\n"
                             f"stdout: {done.stdout[-3000:]}\nstderr: {done.stderr[-3000:]}")
    return done


def works(*command):
    """Whether the command succeeds; it says nothing."""
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def host_root(bundle):
    """An empty root of a bundle, and its mounts: this host's programs and libraries, and proc."""
    root = os.path.join(bundle, "rootfs")
    mounts = [{"destination": "/proc", "type": "proc", "source": "proc"}]
    for name in ("bin", "lib", "lib64", "usr"):
        if os.path.exists("/" + name):
            os.makedirs(os.path.join(root, name))
            mounts.append({"destination": "/" + name, "source": "/" + name, "type": "bind", "options": ["rbind", "ro"]})
    for name in ("proc", "dev"):
        os.makedirs(os.path.join(root, name))
    return root, mounts


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def eventually(condition, what, seconds=60, process=None):
    """What the condition gives, once that is true. The limit guards against waiting for ever only.
    A process that ends before (a Popen) ends the waiting, too."""
    deadline = time.monotonic() + seconds
    while True:
        over = process is not None and process.poll() is not None
        found = condition()
        if found:
            return found
        assert not over, f"in vain, the process has ended with {process.returncode}: {what}"
        assert time.monotonic() < deadline, f"in vain for {seconds} s: {what}"
        time.sleep(0.01)


def waits_in(pid, number):
    """Whether the process's first thread sleeps in this system call (x86_64): the kernel tells it of no other."""
    try:
        with open(f"/proc/{pid}/syscall", encoding="ascii") as file:
            return file.read().split()[0] == str(number)
    except (FileNotFoundError, ProcessLookupError):
        return False


def seen_in_phase(path, phase, call=None, run=-1):
    """Whether the evidence written so far, a checkpoint, has a call (any, or this one) in the phase: then
    the phase is in force. False when there is no file yet."""
    try:
        runs = load(path)["runs"]
    except FileNotFoundError:
        return False
    if not -len(runs) <= run < len(runs):
        return False
    return any(phase in entry["phases"] for entry in runs[run]["syscalls"] if call in (None, entry["name"]))


def probe_table(name):
    """tests/probes/NAME.tsv: for each attack step the words of what may stop it."""
    with open(os.path.join(SOURCE, "tests", "probes", name + ".tsv"), encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file if not line.startswith("#")]
    return {step: set(words.split("|")) for step, words in rows[1:]}


def check_probes(probes, table):
    """Each step of a report (the JSON of `probe` or `verify`) was stopped by what the table names."""
    expected = probe_table(table)
    assert {probe["name"] for probe in probes} == set(expected), table
    wrong = [(probe["name"], probe["by"], probe["result"]) for probe in probes if probe["by"] not in expected[probe["name"]]]
    assert not wrong, (table, wrong)
