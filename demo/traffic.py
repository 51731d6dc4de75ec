"""The traffic that an nginx sees in production, in small: every answer is checked.

Used by demo/run and by the live tests. Standard library only.
"""

import http.client
import http.server
import os
import random
import shutil
import signal
import socket
import tempfile
import threading
import time

NGINX = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
BIG = 8 << 20
FILES = {f"page{i}.html": f"<h1>page {i}</h1>\n".encode() * (i * 40 + 1) for i in range(8)}


class Upstream(http.server.BaseHTTPRequestHandler):
    """The application behind the proxy: answers with the path and the size of what it was sent."""

    protocol_version = "HTTP/1.1"

    def answer(self, received):
        body = f"{self.path} {received}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(0)

    def do_POST(self):
        left = size = int(self.headers["Content-Length"])
        while left > 0:
            left -= len(self.rfile.read(min(left, 65536)))
        self.answer(size)

    def log_message(self, *args):
        pass


class QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        pass


def start_upstream():
    """Starts it on a free port of the loopback; returns the server (shutdown() ends it)."""
    server = QuietServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def free_port():
    """A TCP port that nobody has, and that the kernel gives to nobody by itself: one from below
    ip_local_port_range (ip(7)), so that no connection takes it before the server does."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        below = int(file.read().split()[0])
    while True:
        port = random.randrange(max(below - 20000, 1024), below)
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
                return port
            except OSError:
                continue


class Site:
    """A directory with an nginx configuration, what it serves, its logs and its pid file."""

    def __init__(self, upstream_port):
        # Not below the current directory: nginx's workers run as www-data, and it may be root's own.
        self.directory = tempfile.mkdtemp(prefix="whittle-nginx.")
        os.chmod(self.directory, 0o755)
        self.port = free_port()
        self.pid_file = self.path("nginx.pid")
        os.mkdir(self.path("www"))
        pages = {**FILES, "index.html": b"<h1>whittle</h1>\n", "big.bin": os.urandom(1 << 16) * (BIG >> 16)}
        for name, content in pages.items():
            with open(self.path("www/" + name), "wb") as file:
                file.write(content)
        with open(os.path.join(os.path.dirname(__file__), "nginx.conf.in"), encoding="utf-8") as file:
            text = file.read()
        words = {"USER": "user www-data;" if os.geteuid() == 0 else "", "DIR": self.directory, "PORT": str(self.port),
                 "UPSTREAM": str(upstream_port)}
        for word, value in words.items():
            text = text.replace(f"@{word}@", value)
        with open(self.path("nginx.conf"), "w", encoding="utf-8") as file:
            file.write(text)

    def path(self, name):
        return os.path.join(self.directory, name)

    def command(self):
        return [NGINX, "-c", self.path("nginx.conf")]

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)


class Client:
    """Counts right and wrong answers; one connection, reopened when the server has closed it."""

    def __init__(self, port, host="127.0.0.1"):
        self.address = (host, port)
        self.connection = None
        self.right = 0
        self.wrong = []

    def ask(self, method, path, status, body=None, check=None):
        for attempt in (1, 2):  # a kept-alive connection may be closed by a reload: ask once more
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection(*self.address, timeout=60)
                self.connection.request(method, path, body)
                answer = self.connection.getresponse()
                content = answer.read()
                break
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if attempt == 2:
                    self.wrong.append(f"{method} {path}: {error!r}")
                    return
        if answer.status != status or (check is not None and not check(content)):
            self.wrong.append(f"{method} {path}: status {answer.status}, {len(content)} bytes")
        else:
            self.right += 1

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def browse(client, rounds, upstream):
    for i in range(rounds):
        name = f"page{i % len(FILES)}.html"
        client.ask("GET", "/" + name, 200, check=lambda content, name=name: content == FILES[name])
        client.ask("GET", "/missing", 404)
        client.ask("HEAD", "/", 200)
        if upstream:
            client.ask("GET", f"/api/item/{i}", 200, check=lambda content, i=i: content == f"/api/item/{i} 0\n".encode())
    client.close()


def workers(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return set(file.read().split())


def reload(pid, seconds=60):
    """Has the configuration read anew, and waits until new workers have taken the place of the old ones."""
    before = workers(pid)
    os.kill(pid, signal.SIGHUP)
    deadline = time.monotonic() + seconds
    while not workers(pid) or workers(pid) & before:
        if time.monotonic() >= deadline:
            raise RuntimeError(f"nginx has not reloaded within {seconds} s")
        time.sleep(0.01)


def drive(site, pid, upstream=True, clients=64, rounds=6):
    """All of the traffic against a running nginx whose master is `pid`. Returns (right, wrong)."""
    port = site.port
    everybody = [Client(port) for _ in range(clients)]
    threads = [threading.Thread(target=browse, args=(client, rounds, upstream)) for client in everybody]
    for thread in threads:
        thread.start()
    one = Client(port)
    everybody.append(one)
    with open(site.path("www/big.bin"), "rb") as file:
        big = file.read()
    one.ask("GET", "/", 200)
    one.ask("GET", "/big.bin", 200, check=lambda content: content == big)
    if upstream:
        one.ask("POST", "/upload", 200, body=big[:1 << 20], check=lambda content: content == f"/upload {1 << 20}\n".encode())
    for thread in threads:
        thread.join()
    os.kill(pid, signal.SIGUSR1)  # reopen the logs, as logrotate asks for
    reload(pid)
    after = [Client(port), Client(port, "::1")]
    everybody += after
    for client in after:
        browse(client, 2, upstream)
        client.ask("GET", "/big.bin", 200, check=lambda content: content == big)
        client.close()
    one.close()
    return sum(client.right for client in everybody), [text for client in everybody for text in client.wrong]


def wait_for_server(port, process, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return False
        client = Client(port)
        client.ask("GET", "/", 200)
        client.close()
        if client.right:
            return True
        time.sleep(0.05)
    return False


def wait_for_pid(path, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with open(path, encoding="ascii") as file:
                return int(file.read())
        except (OSError, ValueError):
            time.sleep(0.02)
    raise RuntimeError(f"no pid in {path}")
