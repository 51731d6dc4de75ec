"""Same run, same calls: one process tree, watched by eBPF and at the same time by `strace -f`, then by
eBPF and by whittle's ptrace backend. Names and counts must be equal, but for restart_syscall. What
`whittle import` makes of strace's log must be equal, too, and so must the argument values.

WHITTLE_ALL=1 takes nginx, PostgreSQL, node, Go and git clone, too.
"""

import collections
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

from harness import WHITTLE, eventually, load, program, require_root, skip, temporary_directory, whittle

require_root()
if shutil.which("strace") is None:
    skip("needs strace")
ALL = bool(os.environ.get("WHITTLE_ALL"))
DIRECTORY = temporary_directory()
LINE = re.compile(r"^(\d+)\s+(?:<\.\.\. )?(\w+)(\(| resumed>)(.*)$")


def path(name):
    return os.path.join(DIRECTORY, name)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def strace_counts(log):
    """Calls that came to their end, by name, from `strace -f -o`."""
    counts = collections.Counter()
    with open(log, encoding="utf-8", errors="replace") as file:
        for line in file:
            match = LINE.match(line)
            if match is None:
                assert re.match(r"^\d+\s+(\+\+\+|---|\[)", line) or not line.strip(), line
                continue
            _, name, kind, rest = match.groups()
            if name in ("exit", "exit_group"):
                counts[name] += kind == "("  # they never return
            elif re.search(r"\) += (-?\d|0x|\?)", rest):  # "?": the task died in it
                counts[name] += 1
    return counts


def whittle_counts(evidence, kind):
    run = load(evidence)["runs"][0]
    lost = {what: count for what, count in run["lost"].items() if count and what != "late_start"}
    assert not lost and run["lost"]["late_start"] == 1 and run["source"] == kind, (kind, run["lost"])
    assert all(call["arch"] == "x86_64" for call in run["syscalls"]), "another ABI"
    return collections.Counter({call["name"]: call["count"] for call in run["syscalls"]})


def is_stopped(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rsplit(")", 1)[1].split()[0] == "T"


def tracer_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"TracerPid:\t(\d+)", file.read())[1])


def attached(watcher, log):
    """Waits until a recorder says that nothing can be missed any more."""
    def said():
        assert watcher.poll() is None, open(log, encoding="utf-8").read()
        return "recording process" in open(log, encoding="utf-8").read()
    eventually(said, "the recorder is attached")


def watch(name, second, command, exercise, **options):
    """Runs the command with both watchers on it. Returns the counts of eBPF and of the other."""
    tree = subprocess.Popen([program("gate"), *command], stdout=subprocess.DEVNULL, **options)
    watchers = []
    try:
        eventually(lambda: is_stopped(tree.pid), "the gate stands")
        logs = {}
        for kind in ("ebpf", second):
            evidence = path(f"{name}-{second}-{kind}.evidence.json")
            if kind == "strace":
                watchers.append(subprocess.Popen(["strace", "-f", "-s", "0", "-o", path(name + ".strace"), "-p", str(tree.pid)],
                                                 stderr=subprocess.DEVNULL))
                eventually(lambda: tracer_of(tree.pid) == watchers[-1].pid, "strace is attached")
                continue
            logs[kind] = path(f"{name}-{second}-{kind}.log")
            with open(logs[kind], "w", encoding="utf-8") as log:
                watchers.append(subprocess.Popen([WHITTLE, "record", "--backend", kind, "--no-stacks", "-o", evidence,
                                                  "--pid", str(tree.pid)], stderr=log))
            attached(watchers[-1], logs[kind])
        os.kill(tree.pid, signal.SIGCONT)
        if exercise is not None:
            exercise()
        assert tree.wait(240) == 0, (name, second, tree.returncode)
        for watcher in watchers:
            assert watcher.wait(60) in (0, 1), (name, second, watcher.args)
    finally:
        for process in [tree, *watchers]:
            process.kill()
            process.wait()
    counts = whittle_counts(path(f"{name}-{second}-ebpf.evidence.json"), "ebpf")
    if second == "strace":
        return counts, strace_counts(path(name + ".strace"))
    return counts, whittle_counts(path(f"{name}-{second}-ptrace.evidence.json"), "ptrace")


def values_of(evidence):
    """The sets of argument values by call and arguments; None for one that is open."""
    sets = {}
    for call in load(evidence)["runs"][0]["syscalls"]:
        for entry in call["args"]:
            sets[call["name"], entry["index"]] = set(entry["values"]) if entry["closed"] else None
        for entry in call["tuples"]:
            sets[call["name"], *entry["indexes"]] = set(map(tuple, entry["values"])) if entry["closed"] else None
    return sets


def check_import(name, ebpf):
    """The import of strace's log: nothing unread, the counts of eBPF, and its values."""
    log, evidence = path(name + ".strace"), path(name + ".import.evidence.json")
    done = whittle("import", log, "-o", evidence, expect=None)
    run = load(evidence)["runs"][0]
    lost = {what: count for what, count in run["lost"].items() if count and what != "late_start"}
    assert done.returncode in (0, 1) and not lost, (name, done.stderr)
    assert run["source"] == "strace" and run["timing"] == "perturbed", run["source"]
    counts = collections.Counter({call["name"]: call["count"] for call in run["syscalls"]})
    counts.pop("restart_syscall", None)
    assert counts == ebpf, f"{name}: {(counts - ebpf) | (ebpf - counts)}"
    seen, imported = values_of(path(f"{name}-strace-ebpf.evidence.json")), values_of(evidence)
    assert seen.keys() == imported.keys(), seen.keys() ^ imported.keys()
    differ = {what: (values, imported[what]) for what, values in seen.items()
              if values is not None and values != imported[what]}
    assert not differ, f"{name}: argument values of eBPF against the import: {differ}"
    return len(seen)


def compare(name, command, exercise=None, prepare=None, **options):
    for second in ("strace", "ptrace"):
        started = time.monotonic()
        if prepare is not None:
            prepare()
        ebpf, other = watch(name, second, command, exercise, **options)
        for counts in (ebpf, other):
            counts.pop("restart_syscall", None)
        differ = {call: (ebpf[call], other[call]) for call in ebpf | other if ebpf[call] != other[call]}
        assert not differ, f"{name}, eBPF against {second}: {differ}"
        if second == "strace":
            print(f"{name}: the import of strace's log has the same calls, and {check_import(name, ebpf)} sets of values")
        print(f"{name}: eBPF and {second} saw the same: {len(ebpf)} names, {ebpf.total():,} calls, "
              f"{time.monotonic() - started:.1f} s", flush=True)


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def redis():
    port = free_port()
    data = path("redis")

    def prepare():
        shutil.rmtree(data, ignore_errors=True)
        os.makedirs(data)

    def ask(*words):
        return run("redis-cli", "-p", str(port), *words)

    def exercise():
        eventually(lambda: ask("PING") == "PONG", "redis answers")
        for i in range(20):
            ask("SET", f"key{i}", "x" * 1000)
        ask("BGSAVE")
        eventually(lambda: "rdb_bgsave_in_progress:0" in ask("INFO", "persistence"), "the save")
        ask("CONFIG", "SET", "appendonly", "yes")
        eventually(lambda: "aof_rewrite_in_progress:0" in ask("INFO", "persistence"), "the first rewrite")
        ask("BGREWRITEAOF")
        eventually(lambda: "aof_rewrite_in_progress:0" in ask("INFO", "persistence") and
                   "aof_rewrite_scheduled:0" in ask("INFO", "persistence"), "the rewrite")
        ask("SHUTDOWN")

    compare("redis", ["redis-server", "--port", str(port), "--dir", data, "--save", "3600 1"], exercise, prepare)


def nginx():
    port = free_port()
    os.makedirs(path("www"))
    os.chmod(path("www"), 0o755)
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
            master = int(file.read())
        old = set(run("pgrep", "-P", str(master)).split())
        os.kill(master, signal.SIGHUP)
        eventually(lambda: not old & set(run("pgrep", "-P", str(master)).split()), "nginx has reloaded")
        run("curl", "-s", f"http://127.0.0.1:{port}/")
        os.kill(master, signal.SIGQUIT)

    compare("nginx", ["nginx", "-c", path("nginx.conf")], exercise)


def postgres():
    tools = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if not tools:
        skip("needs postgresql")
    data = path("pg")

    def prepare():
        shutil.rmtree(data, ignore_errors=True)
        os.makedirs(data)
        shutil.chown(data, "postgres", "postgres")

    script = f"""set -e; PATH={tools[-1]}:$PATH; export PGHOST={data} PGPORT=54329
initdb -A trust -D {data} >/dev/null
pg_ctl -D {data} -w -t 120 -o "-k {data} -p 54329 -c listen_addresses=" -l {data}/log start >/dev/null
pgbench -i -q postgres >/dev/null 2>&1; pgbench -c 2 -t 20 postgres >/dev/null 2>&1
psql -q -c checkpoint postgres; pg_ctl -D {data} -w -t 120 -m fast stop >/dev/null"""
    compare("postgres", ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", "bash", "-c", script],
            prepare=prepare, cwd="/")


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


def git_clone():
    source = path("repository")
    os.makedirs(source)
    git = ["git", "-C", source, "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "init", "-q", source], check=True)
    for i in range(20):
        with open(f"{source}/file{i}", "w", encoding="ascii") as file:
            file.write(str(i) * 10000)
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-q", "-m", str(i)], check=True)
    compare("git clone", ["git", "clone", "-q", "--no-local", source, path("clone")],
            prepare=lambda: shutil.rmtree(path("clone"), ignore_errors=True))


compare("python3", [sys.executable, "-c", "import json, threading, subprocess, socket, tempfile\n"
                    "t = [threading.Thread(target=lambda: sum(range(10000))) for _ in range(20)]\n"
                    "[x.start() for x in t]; [x.join() for x in t]\n"
                    "print(subprocess.run(['ls', '/'], capture_output=True).returncode, tempfile.gettempdir())"])
compare("bash pipeline", ["bash", "-c", "for i in 1 2 3 4 5; do seq 1 2000 | grep 7 | sort -r | uniq | wc -l; done; "
                          "ls -l / | (read a; cat) | tail -3; trap 'echo usr1' USR1; kill -USR1 $$; wait"])
compare("1,000 processes and threads", [program("crowd")])
redis()
if ALL:
    nginx()
    postgres()
    compare("node", ["node", "-e", "const h=require('http');const w=require('worker_threads');"
                     "const s=h.createServer((q,r)=>r.end('x')).listen(0,'127.0.0.1',async()=>{"
                     "for(let i=0;i<20;i++)await new Promise(d=>h.get({port:s.address().port,host:'127.0.0.1'},r=>{r.resume();r.on('end',d)}));"
                     "new w.Worker('require(\"fs\").readdirSync(\"/\")',{eval:true}).on('exit',()=>process.exit(0))})"])
    go()
    git_clone()
