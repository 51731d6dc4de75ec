"""Workloads without privilege: bad input is refused with its place and nothing written; exercises of every
kind against a real server; natively recorded, generated from and verified."""

import http.server
import json
import os
import re
import shutil
import socket
import sys
import threading

from harness import load, temporary_directory, whittle

DIRECTORY = temporary_directory()


def workload(body, name="w", directory=DIRECTORY):
    with open(f"{directory}/workload.yaml", "w", encoding="utf-8") as file:
        file.write(f"apiVersion: whittle/v1\nkind: Workload\nname: {name}\n{body}")
    return directory


RUN = "run: {command: [sleep, '60']}\n"
for body, words in (
        (RUN + "exercise: []\n", ("exercises", ":5")),
        (RUN + "exercises: [{name: a}]\n", ("command, http, tcp, signal and wait", ":5")),
        (RUN + "exercises:\n  - {name: a, wait: 1s}\n  - {name: a, wait: 1s}\n", ("a second exercise", ":7")),
        (RUN + "exercises: [{name: stop, wait: 1s}]\n", ("phase of its own",)),
        (RUN + "exercises: [{name: a, http: 'https://127.0.0.1/'}]\n", ("speaks no TLS", "curl")),
        (RUN + "exercises: [{name: a, http: 'http://example.org/'}]\n", ("numeric address or localhost",)),
        (RUN + "exercises: [{name: a, http: {url: 'http://127.0.0.1/', method: 'GET / X'}}]\n", ("no HTTP method",)),
        (RUN + "exercises: [{name: a, http: {url: 'http://127.0.0.1/', headers: {A: \"x\\r\\ny\"}}}]\n", ("no HTTP header",)),
        (RUN + "exercises: [{name: a, tcp: {address: 'localhost:99999'}}]\n", ("not a port",)),
        (RUN + "exercises: [{name: a, signal: HUPP}]\n", ("no signal is called",)),
        (RUN + "exercises: [{name: a, wait: 1 day}]\n", ("duration",)),
        (RUN + "ready: {tcp: localhost}\n", ("/ready", "not a port")),
        (RUN + "ready: {log: '('}\n", ("/ready", "regular expression")),
        (RUN + "policy: {arguments: some}\n", ("base, safe, all",)),
        ("run: {rootfs: r, command: [a]}\n", ("runtime",)),
        ("run: {runtime: docker, command: [a]}\n", ("runc, crun or none",)),
        ("run: {}\n", ("what to run",)),
        (RUN + "stop: [TERM]\n", ("workload.yaml:5",)),
):
    workload(body)
    for verb in ("record", "verify"):
        said = whittle(verb, DIRECTORY, expect=2).stderr
        assert all(word in said for word in words) and "workload.yaml" in said, (body, said)
assert os.listdir(DIRECTORY) == ["workload.yaml"], os.listdir(DIRECTORY)

workload(RUN)
assert "whittle record" in whittle("verify", DIRECTORY, expect=2).stderr
assert "init" in whittle("record", temporary_directory(), expect=2).stderr
for arguments, word in (
        (["record", "true"], "whittle record -- CMD..."),
        (["record", DIRECTORY, "--ready", "tcp:1"], "workload.yaml"),
        (["record", DIRECTORY, "--stop-signal", "HUP"], "workload.yaml"),
        (["record", DIRECTORY, "--", "true"], "one, or the other"),
        (["record", DIRECTORY, DIRECTORY], "unexpected argument"),
        (["verify"], "workload.yaml"),
        (["verify", DIRECTORY, "--user", "1"], "workload.yaml"),
        (["verify", DIRECTORY, "--", "true"], "one, or the other"),
        (["verify", DIRECTORY, DIRECTORY, "--profile", "p"], "several"),
        (["verify", DIRECTORY, "--junit", "/no/such/directory/x.xml"], "/no/such/directory"),
        (["generate", DIRECTORY], "w.evidence.json"),
):
    said = whittle(*arguments, expect=2).stderr
    assert word in said, (arguments, said)
assert os.listdir(DIRECTORY) == ["workload.yaml"], os.listdir(DIRECTORY)
print("bad input is refused, and nothing is written")


class Answers(http.server.BaseHTTPRequestHandler):
    """Counts requests and connections; /wrong is a 500, /bytes has no length."""

    protocol_version = "HTTP/1.1"
    requests = connections = loads = 0
    lock = threading.Lock()

    def setup(self):
        with Answers.lock:
            Answers.connections += 1
        super().setup()

    def do_POST(self):
        with Answers.lock:
            Answers.requests += 1
            Answers.loads += self.path == "/load"
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = self.command.encode() + b" " + body + b" " + self.headers.get("X-Word", "").encode()
        self.send_response(500 if self.path == "/wrong" else 201 if self.command == "POST" else 200)
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"4\r\nabcd\r\n3;x=y\r\nefg\r\n0\r\n\r\n")
            return
        if self.path == "/bytes":
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


server = Server(("127.0.0.1", 0), Answers)
threading.Thread(target=server.serve_forever, daemon=True).start()
URL = f"http://127.0.0.1:{server.server_port}"
echo = socket.create_server(("127.0.0.1", 0))


def echo_back():
    while True:
        connection, _ = echo.accept()
        with connection:
            connection.sendall(b"you said " + connection.recv(1000))


threading.Thread(target=echo_back, daemon=True).start()
ECHO = echo.getsockname()[1]


def record(exercises, expect=0):
    """What record says of these exercises of a program that sleeps."""
    workload("run: {command: [sleep, '60']}\nexercises:\n" + "".join(f"  - {e}\n" for e in exercises))
    return whittle("record", DIRECTORY, expect=expect).stderr


said = record([
    f'{{name: post, http: {{url: "{URL}/", method: POST, body: hello, status: 201, contains: "POST hello it", headers: {{X-Word: it}}}}}}',
    f'{{name: kept, http: {{url: "{URL}/", keepAlive: true}}, repeat: 40, concurrency: 4}}',
    f'{{name: chunked, http: {{url: "{URL}/chunked", contains: abcdefg, keepAlive: true}}, repeat: 3}}',
    f'{{name: bytes, http: {{url: "{URL}/bytes", contains: GET}}}}',
    f'{{name: tcp, tcp: {{address: "{ECHO}", send: hi, expect: you said hi}}, repeat: 2}}',
    # 20 of them; fewer where the machine has no time for them all.
    f'{{name: load, http: "{URL}/load", rate: 10, for: 2s, background: true}}',
    '{name: pid, command: \'test "$WHITTLE_WORKLOAD" = w && grep -q sleep /proc/$WHITTLE_PID/comm && test -f workload.yaml\'}',
    f'{{name: idle, wait: 100ms, holds: [{{http: "{URL}/"}}, {{command: "true"}}]}}',
])
for words in ("post: POST", "kept: GET", "40 times", "chunked: GET", "tcp: tcp", "2 times", "pid: command", "idle: waited 0.1 s",
              "load: GET"):
    assert words in said, (words, said)
assert Answers.connections <= 1 + 4 + 1 + 1 + 20 + 1 and Answers.requests == 1 + 40 + 3 + 1 + Answers.loads + 1, vars(Answers)
done = re.search(r"load: GET \S+, (?:(\d+) times in )?", said)
assert int(done[1] or 1) == Answers.loads <= 20, (said, Answers.loads)
runs = load(f"{DIRECTORY}/w.evidence.json")["runs"]
assert len(runs) == 1 and runs[0]["command"] == ["sleep", "60"], runs
for exercise, words in (
        (f'{{name: a, http: "{URL}/wrong"}}', "status 500, expected 2xx or 3xx; body: GET"),
        (f'{{name: a, http: {{url: "{URL}/", contains: nothing}}}}', 'does not have "nothing"'),
        (f'{{name: a, tcp: {{address: "{ECHO}", send: hi, expect: bye}}}}', 'expected "bye", came: you said hi'),
        (f'{{name: a, http: "http://127.0.0.1:{ECHO}/"}}', "not an HTTP answer"),
        ("{name: a, wait: 0, limit: 200ms, holds: {command: echo so; false}}", "does not hold: command echo so; false"),
        # The second one's time comes after the limit, which is not waited for.
        ("{name: a, command: 'true', repeat: 5, rate: 0.01, limit: 90s}", "1 of 5 done within its limit of 90 s"),
):
    said = record([exercise], expect=1)
    assert words in said, (words, said)
print("exercises of every kind: tried, counted, and what is wrong is said")

workload("run: {command: [cat, /etc/hostname]}\npolicy: {architectures: [x86_64], arguments: base}\n")
whittle("record", DIRECTORY)
whittle("generate", DIRECTORY)
profile = load(f"{DIRECTORY}/w.profile.json")
assert "SCMP_ARCH_AARCH64" not in profile["architectures"], profile["architectures"]
report = json.loads(whittle("verify", DIRECTORY, "--json", "--no-probes").stdout)
assert report["verdict"] == "pass" and report["versions"]["program"].startswith(shutil.which("cat")[:4]), report
print("recorded, generated by its policy, and verified")
sys.exit(0)
