"""whittle init on real servers: the file that it writes is recorded as it is; ports, HTTP, the signal that ends
each best, reloads."""

import json
import os
import shutil
import subprocess
import sys

from harness import SOURCE, free_port, load, require_root, skip, temporary_directory, whittle

require_root()
for tool in ("nginx", "redis-server"):
    if shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None:
        skip(f"{tool} is not installed")

sys.path.insert(0, os.path.join(SOURCE, "demo"))
import traffic  # noqa: E402


def init(directory, *command):
    """The report of init, and the text of the file. The limits are for a machine that is busy."""
    report = json.loads(whittle("init", "-o", f"{directory}/workload.yaml", "--for", "60s", "--limit", "60s", "--json", "--", *command,
                                cwd=directory).stdout)
    with open(f"{directory}/workload.yaml", encoding="utf-8") as file:
        return report, file.read()


def record(directory, name):
    """Phases of what was recorded, which is complete, with every exercise done: exit status 0."""
    whittle("record", directory, cwd="/")
    evidence = load(f"{directory}/{name}.evidence.json")
    assert evidence["runs"][0]["complete"], evidence["runs"][0]["lost"]
    return {phase for call in evidence["syscalls"] for phase in call["phases"]}


def left(mark):
    return subprocess.run(["pgrep", "-f", mark], capture_output=True, text=True, check=False).stdout


# --- nginx: HTTP, reloads; and as a daemon ------------------------------------------------------------------
upstream = traffic.start_upstream()
for daemon in (False, True):
    site = traffic.Site(upstream.server_port)
    if daemon:
        with open(site.path("nginx.conf"), encoding="utf-8") as file:
            text = file.read().replace("daemon off;", "daemon on;")
        with open(site.path("nginx.conf"), "w", encoding="utf-8") as file:
            file.write(text)
    where = temporary_directory()
    report, text = init(where, *site.command())
    found = {port["port"]: port["http"] for port in report["ports"]}
    assert found[site.port] is not None and report["reload"] and report["daemon"] == daemon, report
    assert report["stop"] == "SIGTERM" and report["stops"][0]["status"] == 0, report
    assert f"- name: http-{site.port}" in text and "signal: HUP" in text and "holds: {http:" in text, text
    assert {f"http-{site.port}", "reload", "startup", "stop"} <= record(where, "nginx"), text
    assert not left(site.directory), left(site.directory)
    site.remove()
print("nginx, in the foreground and as a daemon: http, reload, TERM")

# --- redis: no HTTP, SIGHUP ignored -------------------------------------------------------------------------
where = temporary_directory()
port = free_port()
report, text = init(where, "redis-server", "--port", str(port), "--save", "", "--unixsocket", f"{where}/redis.sock")
assert [(p["port"], p["http"]) for p in report["ports"]] == [(port, None)], report
assert report["sockets"] == [f"{where}/redis.sock"] and report["stop"] == "SIGTERM" and not report["reload"], report
assert f'ready: {{tcp: "{port}"}}' in text and "it ignores SIGHUP" in text, text
assert f"tcp-{port}" in record(where, "redis-server"), text
# By its socket alone.
report, text = init(temporary := temporary_directory(), "redis-server", "--port", "0", "--save", "", "--unixsocket",
                    f"{where}/redis.sock")
assert report["ports"] == [] and f"test -S {where}/redis.sock" in text, text
record(temporary, "redis-server")
assert not left(where), left(where)
print("redis: tcp and a Unix socket, TERM")

# --- python: ends with 0 by INT only; a port that is another one each time ------------------------------------
where = temporary_directory()
port = free_port()
report, text = init(where, "python3", "-m", "http.server", str(port))
assert report["ports"] == [{"address": f"127.0.0.1:{port}", "port": port, "http": 200}], report
assert report["stop"] == "SIGINT" and [s["signal"] for s in report["stops"]] == ["SIGTERM", "SIGINT"], report
assert f'ready: {{http: "http://127.0.0.1:{port}/"}}' in text and "stop: {signal: INT" in text, text
assert f"http-{port}" in record(where, "python3")
report, text = init(temporary_directory(), "python3", "-m", "http.server", "0")
assert report["ports"] == [] and "not at another start: it is left out" in text, (report, text)
print("python3 -m http.server: INT; ports that change are left out")

# --- a server that computes, or waits for its turn on a busy machine, before it opens its second port ------------
where = temporary_directory()
ports = sorted((free_port(), free_port()))
report, text = init(where, "python3", "-c", f"""
import select, socket, time
first = socket.create_server(("127.0.0.1", {ports[0]}))
while time.process_time() < 0.9: pass
second = socket.create_server(("127.0.0.1", {ports[1]}))
while True:
    for one in select.select([first, second], [], [])[0]: one.accept()[0].close()
""")
assert [port["port"] for port in report["ports"]] == ports, report
print("a second port after 0.9 s of computing: found")

# --- a command that ends by itself ------------------------------------------------------------------------
where = temporary_directory()
report, text = init(where, "ls", "-l", "/usr/bin")
assert report["ended"] == 0 and report["starts"] == 1, report
assert record(where, "ls") <= {"startup", "run", "ready", "stop"}
whittle("generate", where)
verdict = json.loads(whittle("verify", where, "--json", "--no-probes").stdout)
assert verdict["verdict"] == "pass", verdict
print("ls: recorded, generated, verified")
