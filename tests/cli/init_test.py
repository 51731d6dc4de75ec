"""whittle init: bad input is refused and nothing is written; a command that ends by itself, one that fails,
one that listens nowhere; nothing is left running, be it after Ctrl-C or when whittle is killed."""

import json
import os
import select
import signal
import subprocess

from harness import WHITTLE, temporary_directory, whittle

DIRECTORY = temporary_directory()
os.chdir(DIRECTORY)
OURS = os.getpid()  # in what is started here, to be told from what another run of this test has left
FILE = f"{DIRECTORY}/workload.yaml"


def alive(mark):
    """The processes whose command line has the mark."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if mark.encode() in file.read():
                    found.append(int(pid))
        except OSError:
            pass
    return found


# --- bad input --------------------------------------------------------------------------------------------
for arguments, words in (
        ([], ("command",)),
        (["--"], ("command",)),
        (["--", "no-such-program-at-all"], ("no-such-program-at-all",)),
        (["--name", "Not A Name", "--", "true"], ("--name", "no name")),
        (["--name", "stop", "--", "true"], ("--name", "phase of its own")),
        (["--for", "soon", "--", "true"], ("--for soon", "10s")),
        (["--limit", "0", "--", "true"], ("--limit 0",)),
        (["--limit", "2h", "--", "true"], ("an hour",)),
        (["-o", "-", "--json", "--", "true"], ("standard output",)),
        (["-o", "/nonexistent/directory/w.yaml", "--", "true"], ("/nonexistent/directory",)),
        (["-o", DIRECTORY, "--", "true"], ("directory",)),
        (["--", "printf", b"\xff\xfe"], ("UTF-8",)),
        (["--", "sh", "-c", "echo why it failed >&2; exit 3"], ("why it failed", "exit status 3", "nothing was written")),
        (["--", "sh", "-c", "kill -SEGV $$"], ("SIGSEGV",)),
):
    done = subprocess.run([WHITTLE, "init", *arguments], capture_output=True, timeout=60, check=False)
    said = done.stderr.decode()
    assert done.returncode == 2 and all(word in said for word in words), (arguments, done.returncode, said)
    assert not done.stdout and not os.listdir(DIRECTORY), (arguments, done.stdout, os.listdir(DIRECTORY))
print("bad input: one error each, nothing written")

# --- a command that ends by itself ------------------------------------------------------------------------
whittle("init", "--", "sh", "-c", "echo 'a \"b\" # c: $HOME'; :")
with open(FILE, encoding="utf-8") as file:
    text = file.read()
assert "exercises" not in "".join(line for line in text.splitlines() if not line.startswith("#")), text
assert "name: sh\n" in text and "ended by itself" in text and 'directory: "."' in text, text
said = whittle("init", "--", "true", expect=2).stderr
assert "exists already" in said and "--force" in said, said
with open(FILE, encoding="utf-8") as file:
    assert file.read() == text
whittle("record", DIRECTORY, "--backend", "ptrace")
with open(f"{DIRECTORY}/sh.evidence.json", encoding="utf-8") as file:
    (run,) = json.load(file)["runs"]
assert run["complete"] and run["exit"] == 0 and run["command"][2].startswith("echo 'a \"b\" # c: $HOME'"), run["command"]
report = json.loads(whittle("init", "--force", "--json", "--name", "other", "--", "true").stdout)
assert (report["name"], report["ended"], report["ports"], report["stop"]) == ("other", 0, [], None), report
with open(FILE, encoding="utf-8") as file:
    assert "name: other\n" in file.read()
# A program by a relative path is found from anywhere.
os.makedirs(f"{DIRECTORY}/bin/deploy")
with open(f"{DIRECTORY}/bin/tool", "w", encoding="utf-8") as file:
    file.write("#!/bin/sh\npwd\n")
os.chmod(f"{DIRECTORY}/bin/tool", 0o755)
whittle("init", "-o", f"{DIRECTORY}/bin/deploy/workload.yaml", "--", "./tool", cwd=f"{DIRECTORY}/bin")
with open(f"{DIRECTORY}/bin/deploy/workload.yaml", encoding="utf-8") as file:
    text = file.read()
assert f'command: ["{DIRECTORY}/bin/tool"]' in text and 'directory: ".."' in text, text
whittle("record", f"{DIRECTORY}/bin/deploy", "--backend", "ptrace", cwd="/")
text = whittle("init", "-o", "-", "--", "true").stdout
assert text.startswith("# ") and f'directory: "{DIRECTORY}"' in text, text
print("commands that end by themselves: recorded as they are")

# --- one that listens nowhere; one that no signal ends well ------------------------------------------------
done = whittle("init", "--force", "--json", "--for", "500ms", "--", "sleep", f"614.{OURS}")
report = json.loads(done.stdout)
assert (report["stop"], report["ended"], report["reload"]) == ("SIGTERM", None, False), report
assert [s["signal"] for s in report["stops"]] == ["SIGTERM", "SIGINT"], report
assert "listened nowhere" in done.stderr, done.stderr
whittle("record", FILE, "--backend", "ptrace")
# Deaf to TERM; to INT it ends with 3. It listens when its handlers are there, and so is tried then and not before.
DEAF = f"""import os, signal, socket
signal.signal(signal.SIGTERM, lambda *a: 0)
signal.signal(signal.SIGINT, lambda *a: os._exit(3))
signal.signal(signal.SIGHUP, lambda *a: os._exit(5))
if os.path.exists("{DIRECTORY}/deaf.{OURS}"): os.unlink("{DIRECTORY}/deaf.{OURS}")
listening = socket.socket(socket.AF_UNIX)
listening.bind("{DIRECTORY}/deaf.{OURS}")
listening.listen()
while True: signal.pause()"""
done = whittle("init", "--force", "--json", "--for", "60s", "--limit", "3s", "--", "python3", "-c", DEAF)
report = json.loads(done.stdout)
assert report["stop"] == "SIGKILL" and [s["status"] for s in report["stops"]] == [None, 3], report
assert not report["reload"] and "no signal ends it well" in done.stderr, (report, done.stderr)
with open(FILE, encoding="utf-8") as file:
    text = file.read()
assert "SIGTERM: still running after 3s" in text and "SIGHUP ended it, exit status 5" in text, text
assert "stop: {signal: KILL, limit: 3s}" in text, text
assert not alive(f"deaf.{OURS}") and not alive(f"sleep\x00614.{OURS}")
print("without a port; and deaf to signals")

# --- nothing is left running --------------------------------------------------------------------------------
for how, expected in ((signal.SIGINT, 1), (signal.SIGTERM, 1), (signal.SIGKILL, -signal.SIGKILL)):
    os.remove(FILE)
    ends = os.pipe()
    mark = f"{616 + how}.{OURS}"
    # It says that it runs by the pipe, and so does a process of its own session that it leaves behind.
    script = f"(setsid sh -c 'echo x >&{ends[1]}; trap \"\" INT TERM HUP; sleep {mark}; sleep {mark}' &) ; echo x >&{ends[1]}; sleep {mark}"
    running = subprocess.Popen([WHITTLE, "init", "--", "sh", "-c", script], pass_fds=[ends[1]], stderr=subprocess.PIPE, text=True)
    os.close(ends[1])
    got = b""
    while len(got) < 4:
        got += os.read(ends[0], 4 - len(got))
    assert alive(mark)
    running.send_signal(how)
    said = running.communicate(timeout=60)[1]
    assert running.returncode == expected, (how, running.returncode, said)
    # Whoever is left has the pipe.
    assert select.select([ends[0]], [], [], 60)[0] and os.read(ends[0], 1) == b"", how
    os.close(ends[0])
    assert not os.path.exists(FILE), how
    if how != signal.SIGKILL:
        assert "interrupted: nothing was written" in said, said
    with open(FILE, "w", encoding="utf-8"):
        pass
print("ended by SIGINT, SIGTERM and SIGKILL: nothing left")
