"""Phases and ends of a recording: every kind of readiness against real servers, marks, every way to end,
what a daemon leaves behind, and what a kill -9 of whittle leaves.

That a phase is in force is seen in a checkpoint, which is written once a second; so recordings that need
such a look run beside one another.
"""

import atexit
import concurrent.futures
import fcntl
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import termios

from harness import WHITTLE, eventually, free_port, load, require_root, seen_in_phase, temporary_directory, whittle

require_root()
DIRECTORY = temporary_directory()
BACKENDS = ("ebpf", "ptrace")


def path(name):
    return os.path.join(DIRECTORY, name)


def record(name, *command, options=(), expect=0):
    out = path(f"{name}.evidence.json")
    done = whittle("record", "-o", out, *options, "--", *command, expect=expect)
    return load(out), done


def start(name, *command, options=(), **kwargs):
    """A recording that goes on; (process, path of its evidence)."""
    out = path(f"{name}.evidence.json")
    process = subprocess.Popen([WHITTLE, "record", "-o", out, *options, "--", *command], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)
    atexit.register(process.terminate)  # when the test fails, nothing of it stays
    return process, out


def end(process, expect=0):
    """Waits for a recording; its messages."""
    out, errors = process.communicate(timeout=60)
    assert process.returncode == expect, (process.returncode, out, errors)
    return errors


def phases(evidence, call):
    return {name for entry in evidence["syscalls"] if entry["name"] == call for name in entry["phases"]}


def alive(pid):
    """True for a process that is no zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def has_pending(pid, number):
    """Whether the signal waits for the process to act on it: two that wait are one."""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in status)
    return any(int(fields[field], 16) >> (number - 1) & 1 for field in ("SigPnd", "ShdPnd"))


def read(name):
    try:
        with open(path(name), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def number_in(name):
    """The pid, say, that a command writes to a file."""
    eventually(lambda: read(name).endswith("\n"), f"{name} is written")
    return int(read(name))


def act(name):
    """The file that a command waits for."""
    with open(path(name), "w", encoding="utf-8"):
        pass


def at_once(function, *arguments):
    """The function for each of the arguments, all at the same time; prints what each returns."""
    with concurrent.futures.ThreadPoolExecutor(len(arguments)) as pool:
        for said in pool.map(function, arguments):
            print(said, flush=True)


def forget(*names):
    for name in names:
        if os.path.exists(path(name)):
            os.unlink(path(name))


# --- readiness ---------------------------------------------------------------------------------------------

NGINX = """
daemon off; master_process on; worker_processes 1; pid {directory}/nginx-{port}.pid; error_log stderr notice;
events {{ worker_connections 64; }}
http {{ access_log off; client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
  server {{ listen 127.0.0.1:{port}; location = /health {{ return 200 "well\\n"; }}
            location = /moved {{ return 302 /health; }} location = /gone {{ return 410; }} }} }}
"""


def nginx(port):
    config = path(f"nginx-{port}.conf")
    with open(config, "w", encoding="utf-8") as file:
        file.write(NGINX.format(directory=DIRECTORY, port=port))
    return ("nginx", "-e", "stderr", "-c", config)


def asked(port):
    """Whether the server answers whatever it is asked."""
    with socket.socket() as client:
        client.settimeout(30)
        if client.connect_ex(("127.0.0.1", port)) != 0:
            return False
        client.sendall(b"PING / HTTP/1.0\r\n\r\n")
        try:
            return client.recv(100) != b""
        except (TimeoutError, ConnectionError):
            return False  # whoever waits for it goes on to


def served(name, port, *command, options=()):
    """Records a server until it has answered when it was ready: (evidence, output, messages)."""
    process, out = start(f"{name}-{port}", *command, options=options)
    eventually(lambda: asked(port) and seen_in_phase(out, "ready"), "the server answers, when it is ready", 120, process)
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, (output, errors)
    return load(out), output, errors


def was_ready(evidence, messages):
    """Start-up and service are told apart, and the user was told."""
    assert phases(evidence, "bind") == {"startup"}, phases(evidence, "bind")
    assert {"startup", "ready", "stop"} == {name for call in evidence["syscalls"] for name in call["phases"]}, messages
    assert "whittle: ready after " in messages, messages
    assert evidence["runs"][0]["complete"] and not evidence["runs"][0].get("notes"), evidence["runs"][0]


def nginx_is_ready_by(spec):
    port = free_port()
    evidence, _, messages = served("nginx", port, *nginx(port), options=("--ready", spec.format(port), "--stop-signal", "QUIT"))
    was_ready(evidence, messages)
    assert evidence["runs"][0]["exit"] == 0 and "gracefully shutting down" in messages, messages
    return f"nginx is ready by {spec}"


def redis_is_ready(backend):
    port = free_port()
    evidence, output, messages = served("redis", port, "redis-server", "--port", str(port), "--save", "", "--dir", DIRECTORY,
                                        options=("--backend", backend, "--ready", "log:Ready to accept connections"))
    was_ready(evidence, messages)
    assert "Ready to accept connections" in output and "bye bye" in output, output
    return f"redis is ready by a line of its log, which still comes out: {backend}"


at_once(nginx_is_ready_by, "tcp:{}", "http://127.0.0.1:{}/health", "http:http://localhost:{}/moved",
        "http://127.0.0.1:{}/gone=410", "exec:curl -sf http://127.0.0.1:{}/health", "log:start worker process [0-9]+$")
at_once(redis_is_ready, *BACKENDS)

port = free_port()
evidence, done = record("http.server", "python3", "-m", "http.server", str(port), "--bind", "127.0.0.1",
                        "--directory", DIRECTORY, options=("--ready", f"http://127.0.0.1:{port}/", "--until-quiet", "2s"))
was_ready(evidence, done.stderr)
assert '"GET / HTTP/1.1" 200' in done.stderr, done.stderr
print("python's http.server is ready by http, and ends when it is quiet")

port = free_port()
process, out = start("never", *nginx(port), options=("--ready", f"http://127.0.0.1:{port}/gone", "--ready-limit", "500ms"))
said = ""
while "warning: not ready after 0.5 s (http://" not in said:
    line = process.stderr.readline()
    assert line, said
    said += line
eventually(lambda: asked(port), "the server answers", process=process)
process.send_signal(signal.SIGTERM)
end(process)
evidence = load(out)
assert ["it never became ready: all that came before the stop counts as start-up"] == evidence["runs"][0]["notes"]
assert phases(evidence, "bind") == {"startup"} and evidence["runs"][0]["complete"]
print("not ready in time: said, and recorded on")

# The output comes out as it was written, whatever is between; both streams in order where they are one. Before its end
# it writes nothing, again and again, until that was seen to count as ready.
noise = "import os, sys, time\nfor i in range(2000): os.write(1, b'out %d\\n' % i); os.write(2, b'err %d\\n' % i)\n" \
        "os.write(1, bytes(range(256)) * 300)\n" \
        "while not os.path.exists(sys.argv[1]): os.write(1, b''); time.sleep(0.05)\n" \
        "os.write(1, b'end')"
act("there")
expected = subprocess.run(["python3", "-c", noise, path("there")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=True).stdout


def noise_passes(backend):
    out, go = f"noise-{backend}.json", f"noise-{backend}.go"
    process = subprocess.Popen([WHITTLE, "record", "--quiet", "--backend", backend, "-o", path(out), "--ready", "log:^err 7$",
                                "--", "python3", "-c", noise, path(go)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        output = pool.submit(process.stdout.read)
        eventually(lambda: seen_in_phase(path(out), "ready", "write"), "a write when it is ready", process=process)
        act(go)
        assert output.result() == expected, (len(output.result()), len(expected))
    assert process.wait(60) == 0
    return f"output passes unchanged: {backend}"


at_once(noise_passes, *BACKENDS)
process, _ = start("closed", "sh", "-c", f"seq 100000; echo last >&2; echo $? > {path('closed.status')}",
                   options=("--ready", "log:^last$"))
process.stdout.close()  # as `| head -1` does
process.stdout = None
assert "ready after" in end(process)
assert read("closed.status") == "0\n"
print("a reader that goes ends nothing")

# --- marks -------------------------------------------------------------------------------------------------

# What the program does in a phase is told apart by the umask calls that it makes: one for each line that it gets.
worker = "import os\nprint('go', flush=True)\nwhile input(): os.umask(0o22); print('done', flush=True)"


def marks_name_phases(backend):
    marks = path(f"marks-{backend}")
    process, out = start(f"marks-{backend}", "python3", "-c", worker, stdin=subprocess.PIPE,
                         options=("--backend", backend, "--marks", marks))
    assert process.stdout.readline() == "go\n"

    def work():
        process.stdin.write("x\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"
        return True

    work()
    for name in ("ready", "reload", "No Name", "load_2"):
        with open(marks, "w", encoding="utf-8") as fifo:
            fifo.write(name + "\n")
        if name != "No Name":
            eventually(lambda name=name: work() and seen_in_phase(out, name, "umask"), f"phase {name}", process=process)
    process.stdin.write("\n")
    process.stdin.flush()
    errors = end(process)
    assert phases(load(out), "umask") == {"startup", "ready", "reload", "load_2"}, phases(load(out), "umask")
    assert errors.count("warning") == 1 and '"No Name" is no name' in errors, errors
    assert not os.path.exists(marks)
    return f"marks name phases: {backend}"


at_once(marks_name_phases, *BACKENDS)

os.mkfifo(path("kept"))
process, out = start("repeat", "sh", "-c", f"echo twice > {path('kept')}; while ! test -e {path('go')}; do sleep 0.05; done; "
                     f"rm {path('go')}; umask 0", options=("--repeat", "2", "--marks", path("kept")))
for run in (0, 1):
    eventually(lambda run=run: seen_in_phase(out, "twice", run=run), f"the mark in run {run + 1}", process=process)
    act("go")
messages = end(process)
evidence = load(out)
assert len(evidence["runs"]) == 2 and phases(evidence, "umask") == {"twice"}, evidence["syscalls"]
assert os.path.exists(path("kept"))
assert "whittle: run 2 of 2: " in messages, messages
whittle("record", "--marks", path("repeat.evidence.json"), "--", "true", expect=2)
print("marks in each of several runs, by a FIFO that was there before")

# --- ends --------------------------------------------------------------------------------------------------

for backend in BACKENDS:
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        process, out = start("ends", "sh", "-c", "trap 'umask 0; exit 3' USR1; echo go; while :; do sleep 0.05; done",
                             options=("--backend", backend, "--stop-signal", "USR1"))
        assert process.stdout.readline() == "go\n"
        process.send_signal(getattr(signal, name))
        end(process)
        run = load(out)["runs"][0]
        assert run["complete"] and run["exit"] == 3, run
        assert phases(load(out), "umask") == {"stop"}
    print("SIGINT, SIGTERM, SIGHUP send the stop signal:", backend)

    process, out = start("stubborn", "sh", "-c", "trap '' TERM; echo go; while :; do sleep 0.05; done",
                         options=("--backend", backend,))
    assert process.stdout.readline() == "go\n"
    process.send_signal(signal.SIGINT)
    eventually(lambda: not has_pending(process.pid, signal.SIGINT), "the first SIGINT is taken", process=process)
    process.send_signal(signal.SIGINT)
    end(process)
    run = load(out)["runs"][0]
    assert run["complete"] and run["exit"] == 137, run
    after = re.match(r"killed: it was still running ([0-9.]+) s after", run["notes"][0])
    assert after and float(after[1]) < 10, run  # at 10 s the limit would have done it
    print("a second Ctrl-C kills at once:", backend)

# A daemon: its starter has ended, it is a session of its own, and it has a child that outlives it.
daemon = (f"setsid sh -c 'trap \"umask 0; exit 0\" TERM; sleep 600 & echo $! > {path('child')}; echo $$ > {path('daemon')};"
          f" while :; do sleep 0.05; done' & exit 0")
for backend in BACKENDS:
    for end_by in ("quiet", "signal"):
        forget("child", "daemon")
        process, out = start("daemon", "sh", "-c", daemon, options=("--backend", backend,
                             *(("--ready", f"exec:test -s {path('daemon')}", "--until-quiet", "1s") if end_by == "quiet" else ())))
        pids = [number_in("daemon"), number_in("child")]
        assert all(alive(pid) for pid in pids) and process.poll() is None
        if end_by == "signal":
            process.send_signal(signal.SIGTERM)
        end(process)
        assert not any(alive(pid) for pid in pids), pids
        run = load(out)["runs"][0]
        assert run["complete"] and run["exit"] == 0 and not run.get("notes"), run
        assert phases(load(out), "umask") == {"stop"}
    print("a daemon is asked to stop, and what it leaves:", backend)

port = free_port()
evidence, done = record("daemonized", "redis-server", "--port", str(port), "--save", "", "--dir", DIRECTORY,
                        "--daemonize", "yes", options=("--ready", f"tcp:{port}", "--until-quiet", "1s"))
assert evidence["runs"][0]["complete"] and "ready" in phases(evidence, "epoll_wait"), done.stderr
with socket.socket() as probe:
    assert probe.connect_ex(("127.0.0.1", port)) != 0
print("redis as a daemon is recorded, and gone afterwards")

# --- kill -9 -----------------------------------------------------------------------------------------------

ticking = f"i=0; while :; do i=$((i+1)); echo $i > {path('tick')}; sleep 0.05; done"
for backend in BACKENDS:
    forget("victim")
    process, out = start(f"killed-{backend}", "sh", "-c", f"echo $$ > {path('victim')}; {ticking}",
                         options=("--backend", backend))
    victim = number_in("victim")
    eventually(lambda: os.path.exists(out) and len(load(out)["runs"]) == 1, "a checkpoint", process=process)
    process.kill()
    process.wait()
    run = load(out)["runs"][0]
    assert run["complete"] is False and any(call["name"] == "execve" for call in run["syscalls"]), run
    merged = whittle("merge", out)
    assert "incomplete" in merged.stderr, merged.stderr
    if backend == "ptrace":
        eventually(lambda: not alive(victim), "ptrace: the command goes with its tracer")
    else:
        seen = read("tick")
        eventually(lambda: read("tick") not in (seen, ""), "the command ticks on")
        os.kill(victim, signal.SIGTERM)
        eventually(lambda: not alive(victim), "eBPF: the command goes on by itself, and ends as asked")
    print("kill -9 of whittle leaves the last checkpoint, and no command that is stuck:", backend)

# --- what a user sees --------------------------------------------------------------------------------------

done = whittle("record", "-o", path("quiet.json"), "--quiet", "--repeat", "2", "--", "true")
assert done.stderr == "" and done.stdout == "", done
evidence, done = record("news", "sh", "-c", f"test -e {path('second')} && exec nproc; : > {path('second')}", options=("--repeat", "3"))
lines = [line for line in done.stderr.splitlines() if ": run " in line]
assert len(lines) == 2 and "sched_getaffinity" in lines[0] and " new (" in lines[0], lines
assert lines[1] == "whittle: run 3 of 3: nothing new", lines
assert "3 runs, " in done.stderr and "1 runs" not in done.stderr
print("the summary says what was new in each run")

# On a terminal: a line that replaces itself and stays within the width. The command ends when there were two.
leader, follower = pty.openpty()
fcntl.ioctl(leader, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
shown = b""
process = subprocess.Popen([WHITTLE, "record", "-o", path("tty.json"), "--", "sh", "-c",
                            f"nproc >/dev/null; while ! test -e {path('seen')}; do sleep 0.1; done"],
                           stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
                           preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
os.close(follower)
while True:
    try:
        data = os.read(leader, 4096)
    except OSError:
        break
    if not data:
        break
    shown += data
    if shown.count(b"\rrecording: ") >= 2 and not os.path.exists(path("seen")):
        act("seen")
assert process.wait(60) == 0
live = [line for line in shown.split(b"\r") if line.startswith(b"recording: ")]
assert len(live) >= 2 and all(line.endswith(b"\x1b[K") and len(line) - 3 < 60 for line in live), shown
assert b" s, startup: " in live[0] and b" calls, " in live[0], live
assert b"\r\x1b[Kwhittle: recorded by eBPF" in shown, shown
print("the live line on a terminal:", live[-1].decode())
