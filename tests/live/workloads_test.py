"""The main job on real programs: record, generate, run in runc under the profile with the same exercise.

Must give: no denial but fallbacks, the exercise right, every attack step refused.
"""

import json
import os
import shutil
import socket
import subprocess
import time

from harness import BUILD, WHITTLE, eventually, load, require_root, skip, temporary_directory, whittle

require_root()
for tool in ("runc", "redis-server", "redis-cli", "node", "go", "python3"):
    if shutil.which(tool) is None:
        skip(f"{tool} is not installed")

DIRECTORY = temporary_directory()
os.chmod(DIRECTORY, 0o755)


def write(name, text):
    path = os.path.join(DIRECTORY, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def run_with_exercise(arguments, command, exercise):
    """Starts whittle on the command, drives it, waits for its end. The exercise stops the command."""
    process = subprocess.Popen([WHITTLE, *arguments, "--", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True)
    try:
        if exercise is not None:
            exercise()
        output, errors = process.communicate(timeout=240)
    finally:
        process.kill()
    return process.returncode, output, errors


def main_job(name, command, exercise=None):
    evidence = os.path.join(DIRECTORY, f"{name}.evidence.json")
    profile = os.path.join(DIRECTORY, f"{name}.profile.json")
    started = time.monotonic()
    code, _, errors = run_with_exercise(["record", "-o", evidence], command, exercise)
    assert code == 0, (name, errors)
    assert load(evidence)["runs"][0]["complete"], name
    assert load(evidence)["runs"][0]["exit"] == 0, (name, load(evidence)["runs"][0]["exit"], errors[-2000:])
    whittle("generate", evidence, "-o", profile)
    code, output, errors = run_with_exercise(["verify", "--profile", profile, "--runtime", "runc", "--json"], command,
                                             exercise)
    assert output, (name, code, errors)
    report = json.loads(output)
    assert report["denials"] == [], (name, report["denials"])
    assert report["verdict"] == "pass", (name, report, errors[-2000:])
    open_steps = [probe["name"] for probe in report["probes"] if not probe["blocked"]]
    assert report["probes"] and not open_steps, (name, open_steps)
    names = sum(len(rule["names"]) for rule in load(profile)["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW")
    fallbacks = sorted({fallback["syscall"] for fallback in report["fallbacks"]})
    refused = sum(probe["blocked"] for probe in report["probes"])
    print(f"{name}: {names} names, fallbacks {fallbacks}, {refused} of {len(report['probes'])} attack steps refused, "
          f"{time.monotonic() - started:.1f} s", flush=True)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


REDIS_PORT, GO_PORT = free_port(), free_port()


def redis(*command):
    return subprocess.run(["redis-cli", "-p", REDIS_PORT, *command], capture_output=True, text=True).stdout.strip()


def exercise_redis():
    eventually(lambda: redis("PING") == "PONG", "redis answers")
    subprocess.run(["redis-benchmark", "-p", REDIS_PORT, "-n", "2000", "-q", "-t", "set,get,incr,lpush,mset"],
                   capture_output=True, check=True)
    assert redis("SET", "a", "1") == "OK" and redis("GET", "a") == "1"
    redis("BGSAVE")
    eventually(lambda: "rdb_bgsave_in_progress:0" in redis("INFO", "persistence"), "BGSAVE ends")
    redis("CONFIG", "SET", "appendonly", "yes")
    redis("BGREWRITEAOF")
    eventually(lambda: "aof_rewrite_in_progress:0" in redis("INFO", "persistence"), "the AOF is rewritten")
    redis("SHUTDOWN", "NOSAVE")


PYTHON = '''
import os, socket, subprocess, sys, threading, json, tempfile
results = []
threads = [threading.Thread(target=lambda i=i: results.append(sum(range(i * 1000)))) for i in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
assert len(results) == 8
assert subprocess.run(["/bin/echo", "hello"], capture_output=True).stdout == b"hello\\n"
assert subprocess.run("exit 3", shell=True).returncode == 3
pid = os.posix_spawn("/bin/true", ["true"], os.environ)
assert os.waitpid(pid, 0)[1] == 0
pid = os.fork()
if pid == 0: os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
a, b = socket.socketpair(); a.send(b"x"); assert b.recv(1) == b"x"
s = socket.create_server(("127.0.0.1", 0)); c = socket.create_connection(s.getsockname()); c.sendall(b"y"); d, _ = s.accept(); assert d.recv(1) == b"y"
with tempfile.TemporaryFile() as f: f.write(b"z" * 100000); f.flush(); os.fsync(f.fileno())
print(json.dumps({"ok": True}))
'''

GO = '''
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello") })
	server := &http.Server{Addr: "127.0.0.1:18942", Handler: mux}
	stopped := make(chan error, 1)
	go func() { stopped <- server.ListenAndServe() }()
	var group sync.WaitGroup
	failed := 0
	var lock sync.Mutex
	for i := 0; i < 16; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for n := 0; n < 20; n++ {
				var body []byte
				for try := 0; try < 50; try++ {
					answer, err := http.Get("http://127.0.0.1:18942/hello")
					if err == nil {
						body, _ = io.ReadAll(answer.Body)
						answer.Body.Close()
						break
					}
					time.Sleep(20 * time.Millisecond)
				}
				if string(body) != "hello\\n" {
					lock.Lock()
					failed++
					lock.Unlock()
				}
			}
		}()
	}
	group.Wait()
	server.Shutdown(context.Background())
	<-stopped
	if failed != 0 {
		os.Exit(1)
	}
}
'''

NODE = '''
const { Worker, isMainThread, parentPort } = require("worker_threads");
const http = require("http"), fs = require("fs"), os = require("os"), path = require("path");
const { execFileSync } = require("child_process");
if (!isMainThread) {
  parentPort.postMessage([...Array(1000).keys()].reduce((a, b) => a + b, 0));
} else {
  const one = () => new Promise((yes, no) => {
    const w = new Worker(__filename);
    let got; w.on("message", m => got = m); w.on("error", no); w.on("exit", () => yes(got));
  });
  const get = url => new Promise((yes, no) => http.get(url, r => {
    let s = ""; r.on("data", d => s += d); r.on("end", () => yes(s)); }).on("error", no));
  (async () => {
    const sums = await Promise.all([one(), one(), one(), one()]);
    if (!sums.every(s => s === 499500)) process.exit(1);
    const server = http.createServer((q, r) => r.end("hi " + q.url));
    await new Promise(yes => server.listen(0, "127.0.0.1", yes));
    for (let i = 0; i < 50; i++)
      if (await get(`http://127.0.0.1:${server.address().port}/${i}`) !== "hi /" + i) process.exit(2);
    const file = path.join(os.tmpdir(), "whittle-node-" + process.pid);
    await fs.promises.writeFile(file, "x".repeat(100000));
    if ((await fs.promises.readFile(file)).length !== 100000) process.exit(3);
    fs.unlinkSync(file);
    if (execFileSync("/bin/echo", ["hello"]).toString() !== "hello\\n") process.exit(4);
    server.close(() => process.exit(0));
  })();
}
'''

main_job("redis", ["redis-server", "--port", REDIS_PORT, "--dir", DIRECTORY, "--bind", "127.0.0.1"], exercise_redis)
main_job("python", ["/usr/bin/python3", write("app.py", PYTHON)])

write("main.go", GO.replace("18942", GO_PORT))
binary = os.path.join(DIRECTORY, "server")
subprocess.run(["go", "build", "-o", binary, "main.go"], cwd=DIRECTORY, check=True, capture_output=True,
               env={**os.environ, "GO111MODULE": "off", "GOCACHE": os.path.join(BUILD, "gocache"), "GOFLAGS": ""})
main_job("go", [binary])
main_job("node", [shutil.which("node"), write("app.js", NODE)])
