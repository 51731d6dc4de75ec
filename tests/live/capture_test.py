"""whittle baseline capture: the default filter of Podman, Docker and containerd, read back out of a
container that whittle starts, and recognised as that of the installed version."""

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess

from harness import eventually, load, require_root, skip, temporary_directory, whittle

require_root()
directory = temporary_directory()
if not any(shutil.which(client) for client in ("podman", "dockerd", "containerd")):
    skip("needs podman, dockerd or containerd")


def capture(runtime, *args, **environment):
    path = os.path.join(directory, f"{runtime}.json")
    done = whittle("baseline", "capture", "--runtime", runtime, "-o", path, "--json", *args, expect=None,
                   env={**os.environ, **environment})
    assert done.returncode in (0, 1), done.stderr
    said = json.loads(done.stdout)
    assert said["own_version"] == (done.returncode == 0), (said, done.returncode)
    return path, said, load(path)


def start(name, argv, address):
    """A daemon of our own, ended with the test; None when it does not start on this host."""
    log = open(os.path.join(directory, name + ".log"), "w", encoding="utf-8")
    # Also when the test is killed: another daemon could not take its place.
    daemon = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *argv], stdout=log, stderr=log)
    atexit.register(stop, daemon)

    def answers():
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(address) == 0

    eventually(lambda: answers() or daemon.poll() is not None, f"{name} listens")
    if daemon.poll() is None:
        return daemon
    print(f"{name} does not start here: " + open(log.name, encoding="utf-8").read()[-300:])
    return None


def stop(daemon):
    if daemon.poll() is None:
        daemon.send_signal(signal.SIGTERM)
        try:
            daemon.wait(60)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def check(runtime, said, saved, caps):
    assert said["equals"].startswith(runtime + "@") and said["own_version"], said
    assert said["changes"] == [] and said["compared_with"] is None, said
    assert len(said["caps"]) == caps, said
    assert saved["schema"] == "whittle.captured-default/v1" and saved["runtime"] == runtime
    assert len(saved["filters"]) == 1 and len(saved["filters"][0]) > 500, len(saved["filters"][0])


if shutil.which("podman"):
    print("podman")

    def ours():
        names = subprocess.run(["podman", "ps", "-a", "--format", "{{.Names}}"], capture_output=True, text=True, check=True)
        return {name for name in names.stdout.split() if name.startswith("whittle-default-")}

    before = ours()
    _, said, saved = capture("podman")
    check("podman", said, saved, 11)
    assert not ours() - before, ours() - before

containerd_socket = os.path.join(directory, "containerd.sock")
if shutil.which("containerd") and shutil.which("ctr"):
    print("containerd")
    config = os.path.join(directory, "containerd.toml")
    with open(config, "w", encoding="utf-8") as file:
        file.write(f'version = 2\nroot = "{directory}/c-root"\nstate = "{directory}/c-state"\n'
                   f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\n  address = "{containerd_socket}"\n'
                   f'[ttrpc]\n  address = "{containerd_socket}.ttrpc"\n')
    daemon = start("containerd", ["containerd", "-c", config], containerd_socket)
    if daemon:
        _, said, saved = capture("containerd", CONTAINERD_ADDRESS=containerd_socket)
        check("containerd", said, saved, 14)
        left = subprocess.run(["ctr", "-a", containerd_socket, "containers", "ls", "-q"], capture_output=True, text=True)
        assert left.stdout == "", left.stdout
        stop(daemon)

docker_socket = os.path.join(directory, "docker.sock")
if shutil.which("dockerd") and shutil.which("docker"):
    print("docker")
    daemon = start("dockerd", ["dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none",
                               "--storage-driver=vfs", f"--data-root={directory}/d-data",
                               f"--exec-root={directory}/d-exec", f"--pidfile={directory}/d.pid",
                               "-H", f"unix://{docker_socket}"], docker_socket)
    if daemon:
        host = f"unix://{docker_socket}"
        _, said, saved = capture("docker", DOCKER_HOST=host)
        check("docker", said, saved, 14)
        left = subprocess.run(["docker", "-H", host, "images", "-aq"], capture_output=True, text=True)
        assert left.stdout == "", left.stdout
        stop(daemon)

print("a daemon that does not answer, a runtime that whittle starts nothing with: nothing written")
missing = os.path.join(directory, "missing.json")
if shutil.which("docker"):
    done = whittle("baseline", "capture", "--runtime", "docker", "-o", missing, expect=3,
                   env={**os.environ, "DOCKER_HOST": f"unix://{directory}/none.sock"})
    assert "daemon" in done.stderr, done.stderr
done = whittle("baseline", "capture", "--runtime", "cri-o", "-o", missing, expect=2)
assert "--container" in done.stderr, done.stderr
assert not os.path.exists(missing)
