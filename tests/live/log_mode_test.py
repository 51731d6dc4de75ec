"""Log mode sees exactly what enforce mode would refuse: a server runs in a trial in log mode, and a second
recorder watches the same processes. What it recorded, put to the profile's decision table call by call and value by
value, must be the denials of the trial: the same calls, as often, with the same arguments.

WHITTLE_ALL=1 takes nginx, PostgreSQL, node and Go, too.
"""

import collections
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import time

from harness import WHITTLE, eventually, free_port, load, program, require_root, skip, temporary_directory, waits_in, whittle

require_root()
for tool in ("redis-server", "redis-cli"):
    if shutil.which(tool) is None:
        skip(f"needs {tool}")
ALL = bool(os.environ.get("WHITTLE_ALL"))
DIRECTORY = temporary_directory()
# What the program that waits for the second recorder does before that, and a few calls more whose arguments decide.
ALLOWED = ("access arch_prctl brk close execve exit exit_group fstat futex getpid getrandom gettid mmap munmap newfstatat openat "
           "pread64 prlimit64 read rseq rt_sigprocmask rt_sigreturn set_robust_list set_tid_address tgkill write "
           "restart_syscall").split()
CONDITIONS = {"socket": (0, socket.AF_UNIX), "fcntl": (1, 1), "madvise": (2, 4),
              "mprotect": (2, 1), "setsockopt": (1, socket.SOL_SOCKET), "prctl": (0, 15)}
COUNTED_ELSEWHERE = {"execve", "exit", "exit_group", "rt_sigreturn", "restart_syscall"}


def path(name):
    return os.path.join(DIRECTORY, name)


PROFILE = path("profile.json")
with open(PROFILE, "w", encoding="utf-8") as file:
    json.dump({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
        {"names": ALLOWED, "action": "SCMP_ACT_ALLOW"},
        {"names": ["clone3", "statx"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
        *({"names": [name], "action": "SCMP_ACT_ALLOW", "args": [{"index": index, "value": value, "op": "SCMP_CMP_EQ"}]}
          for name, (index, value) in CONDITIONS.items())]}, file)


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


TGKILL = 234  # by which raise(3) sends


def stopped_below(pid):
    """The process that stopped itself, of those that the trial started. The trial stops it before that, too, after its
    execve, to read its filter; then it is in no call that sends a signal."""
    for child in run("pgrep", "-P", str(pid)).split():
        try:
            sent = waits_in(child, TGKILL)
            with open(f"/proc/{child}/stat", encoding="ascii") as file:
                if sent and file.read().rsplit(")", 1)[1].split()[0] == "T":
                    return int(child)
        except OSError:
            continue
        found = stopped_below(int(child))
        if found:
            return found
    return 0


ANSWERS = {}


def answer(call, index, value):
    """What the decision table says: "allow", "errno 1", "errno 38"."""
    key = (call, index, value)
    if key not in ANSWERS:
        arguments = [0] * 6
        arguments[index] = value
        verdict = json.loads(whittle("eval", PROFILE, call, *arguments, "--runtime", "none", "--json").stdout)
        ANSWERS[key] = f"{verdict['action']} {verdict['data']}" if verdict["action"] == "errno" else verdict["action"]
    return ANSWERS[key]


def recorded_values(call, index):
    """Those of one argument in the evidence, when it has them all."""
    for entry in call["args"]:
        if entry["index"] == index and entry["closed"]:
            return set(entry["values"])
    for entry in call["tuples"]:
        if index in entry["indexes"] and entry["closed"]:
            return {values[entry["indexes"].index(index)] for values in entry["values"]}
    raise AssertionError(("not all values are recorded", call["name"]))


def compare(name, command, exercise=None, **options):
    started = time.monotonic()
    evidence, log = path(name + ".evidence.json"), path(name + ".log")
    trial = subprocess.Popen([WHITTLE, "verify", "--profile", PROFILE, "--mode", "log", "--json", "--", program("gate"),
                              *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **options)
    recorder = None
    try:
        gate = eventually(lambda: stopped_below(trial.pid), "the gate stands", process=trial)
        with open(log, "w", encoding="utf-8") as file:
            recorder = subprocess.Popen([WHITTLE, "record", "--no-stacks", "-o", evidence, "--pid", str(gate)], stderr=file)
        eventually(lambda: "recording process" in open(log, encoding="utf-8").read() or recorder.poll() is not None,
                   "the recorder is attached")
        os.kill(gate, signal.SIGCONT)
        if exercise is not None:
            exercise()
        report = json.loads(trial.communicate(timeout=240)[0])
        assert recorder.wait(60) in (0, 1), open(log, encoding="utf-8").read()
    finally:
        for process in (trial, recorder):
            if process is not None:
                process.kill()
                process.wait()
    recording = load(evidence)["runs"][0]
    lost = {what: count for what, count in recording["lost"].items() if count and what != "late_start"}
    assert report["complete"] and not report["undecided"] and not lost, (name, report["undecided"], report["lost"], lost)
    assert all(e["ok"] for e in report["exercises"]), (name, report["exercises"])
    assert not [d for d in report["denials"] if d["comm"] == "gate"], report["denials"]

    denied, denied_values = collections.Counter(), collections.defaultdict(set)
    fallbacks = collections.Counter()
    for denial in report["denials"]:
        denied[denial["syscall"]] += denial["count"]
        if denial["syscall"] in CONDITIONS:
            value = denial["args"][CONDITIONS[denial["syscall"]][0]]
            denied_values[denial["syscall"]].add(value & 0xffffffff)
    for fallback in report["fallbacks"]:
        fallbacks[fallback["syscall"]] += fallback["count"]

    expected, expected_values = collections.Counter(), {}
    expected_fallbacks = collections.Counter()
    for call in recording["syscalls"]:
        assert call["arch"] == "x86_64", call
        if call["name"] in CONDITIONS:
            index = CONDITIONS[call["name"]][0]
            refused = {value & 0xffffffff for value in recorded_values(call, index)
                       if answer(call["name"], index, value) == "errno 1"}
            if refused:
                expected_values[call["name"]] = refused
            continue
        verdict = answer(call["name"], 0, 0)
        if verdict == "errno 38":
            expected_fallbacks[call["name"]] += call["count"]
        elif verdict != "allow" and call["name"] not in COUNTED_ELSEWHERE:
            expected[call["name"]] += call["count"]
    for call in CONDITIONS:
        denied.pop(call, None)
    differ = {call: (denied[call], expected[call]) for call in denied | expected if denied[call] != expected[call]}
    assert not differ, f"{name}: denied in log mode, refused by the decision table: {differ}"
    assert fallbacks == expected_fallbacks, (name, fallbacks, expected_fallbacks)
    assert dict(denied_values) == expected_values, (name, dict(denied_values), expected_values)
    assert len(denied) > 5 and expected_values, name
    print(f"{name}: log mode and the decision table over a recording of the same run: {len(denied)} calls, {denied.total():,} "
          f"times, and {sum(map(len, expected_values.values()))} values of {len(expected_values)} others; "
          f"{time.monotonic() - started:.1f} s", flush=True)


def redis():
    port, data = free_port(), path("redis")
    os.makedirs(data)

    def ask(*words):
        return run("redis-cli", "-p", str(port), *words)

    def exercise():
        eventually(lambda: ask("PING") == "PONG", "redis answers")
        for i in range(20):
            ask("SET", f"key{i}", "x" * 1000)
        ask("BGSAVE")
        eventually(lambda: "rdb_bgsave_in_progress:0" in ask("INFO", "persistence"), "the save")
        ask("SHUTDOWN", "NOSAVE")

    compare("redis", ["redis-server", "--port", str(port), "--dir", data, "--save", "3600 1"], exercise)


def nginx():
    port = free_port()
    os.makedirs(path("www"))
    with open(path("www/index.html"), "w", encoding="ascii") as file:
        file.write("x" * 100000)
    with open(path("nginx.conf"), "w", encoding="ascii") as file:
        file.write(f"worker_processes 2; daemon off; pid {path('nginx.pid')}; error_log /dev/null; events {{}}\n"
                   f"http {{ access_log {path('access')}; server {{ listen 127.0.0.1:{port}; root {path('www')}; }} }}\n")

    def exercise():
        eventually(lambda: run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:{port}/") == "200",
                   "nginx answers")
        for _ in range(20):
            run("curl", "-s", f"http://127.0.0.1:{port}/", f"http://127.0.0.1:{port}/none")
        with open(path("nginx.pid"), encoding="ascii") as file:
            os.kill(int(file.read()), signal.SIGQUIT)

    compare("nginx", [shutil.which("nginx", path="/usr/sbin:/usr/bin"), "-c", path("nginx.conf")], exercise)


def postgres():
    tools = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if not tools:
        skip("needs postgresql")
    data = path("pg")
    os.makedirs(data)
    shutil.chown(data, "postgres", "postgres")
    script = f"""set -e; PATH={tools[-1]}:$PATH; export PGHOST={data} PGPORT=54330
initdb -A trust -D {data} >/dev/null
pg_ctl -D {data} -w -t 120 -o "-k {data} -p 54330 -c listen_addresses=" -l {data}/log start >/dev/null
pgbench -i -q postgres >/dev/null 2>&1; pgbench -c 2 -t 20 postgres >/dev/null 2>&1
psql -q -c checkpoint postgres; pg_ctl -D {data} -w -t 120 -m fast stop >/dev/null"""
    compare("postgres", ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", "bash", "-c", script], cwd="/")


def go():
    with open(path("main.go"), "w", encoding="ascii") as file:
        file.write("""package main
import ("fmt"; "io"; "net"; "net/http"; "os"; "sync")
func main() {
  listener, _ := net.Listen("tcp", "127.0.0.1:0")
  go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) }))
  var all sync.WaitGroup
  for i := 0; i < 50; i++ { all.Add(1); go func() { defer all.Done()
    answer, err := http.Get("http://" + listener.Addr().String() + "/a"); if err != nil { os.Exit(1) }
    io.ReadAll(answer.Body); answer.Body.Close() }() }
  all.Wait()
}
""")
    environment = {**os.environ, "GOFLAGS": "-mod=mod", "GO111MODULE": "off", "GOCACHE": path("gocache"), "CGO_ENABLED": "0"}
    subprocess.run(["go", "build", "-o", path("server"), path("main.go")], check=True, env=environment)
    compare("go", [path("server")])


compare("python3", ["/usr/bin/python3", "-c", """
import http.server, subprocess, tempfile, threading, urllib.request
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever).start()
for _ in range(20): urllib.request.urlopen("http://127.0.0.1:%d/" % server.server_port).read()
subprocess.run(["ls", "/"], capture_output=True); tempfile.TemporaryFile().close(); server.shutdown()
"""], stdin=subprocess.DEVNULL)
redis()
if ALL:
    nginx()
    postgres()
    compare("node", ["node", "-e", "const h=require('http');const w=require('worker_threads');"
                     "const s=h.createServer((q,r)=>r.end('x')).listen(0,'127.0.0.1',async()=>{"
                     "for(let i=0;i<20;i++)await new Promise(d=>h.get({port:s.address().port,host:'127.0.0.1'},r=>{r.resume();r.on('end',d)}));"
                     "new w.Worker('require(\"fs\").readdirSync(\"/\")',{eval:true}).on('exit',()=>process.exit(0))})"])
    go()
