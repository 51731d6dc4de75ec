"""Containers of Podman, Docker and containerd by their names: recorded from the first call on, what is
executed in them later apart, and the filter in force read back.

Podman, dockerd and containerd as Debian has them; images come from a directory with busybox.
"""

import os
import shutil
import signal
import subprocess

from harness import WHITTLE, eventually, load, require_root, skip, temporary_directory, whittle, works

require_root()
for tool in ("podman", "dockerd", "docker", "ctr", "runc", "crun"):
    if shutil.which(tool) is None:
        skip(f"needs {tool}")

DIRECTORY = temporary_directory()
ROOT = os.path.join(DIRECTORY, "root")
os.makedirs(ROOT + "/bin")
shutil.copy("/bin/busybox", ROOT + "/bin/")
for name in ("sh", "mkdir", "rmdir", "sleep"):
    os.symlink("busybox", f"{ROOT}/bin/{name}")
UNIQUE = f"wm{os.getpid()}"
SCRIPT = "mkdir /proc/none; sleep 4"
LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000", "--network=none")


def names(run):
    return {call["name"]: call["count"] for call in run["syscalls"]}


def filtered(name):
    """What `show` says of the container once it has a filter."""
    shown = whittle("show", "--container", name, expect=None).stdout
    return shown if "filter of" in shown else None


def check(manager, start, execute, runtime):
    """`start` runs the script in a container called NAME, `execute` runs something in it meanwhile."""
    name = f"{UNIQUE}{manager}"
    evidence = os.path.join(DIRECTORY, manager + ".evidence.json")
    said = os.path.join(DIRECTORY, manager + ".log")
    with open(said, "w", encoding="utf-8") as log:
        recorder = subprocess.Popen([WHITTLE, "record", "--container", name, "--wait", "-o", evidence], stderr=log)
    container = None
    try:
        eventually(lambda: "waiting" in open(said, encoding="utf-8").read(), "whittle waits")
        container = subprocess.Popen([*start(name), "/bin/sh", "-c", SCRIPT], stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL)
        # It is there before its filter is in force.
        filters = eventually(lambda: filtered(name), f"{manager}'s container runs under a filter")
        subprocess.run([*execute(name), "/bin/rmdir", "/proc/none"], capture_output=True, check=False)
        container.wait(60)
        assert recorder.wait(30) == 0, open(said, encoding="utf-8").read()
    finally:
        for process in (recorder, container):
            if process is not None and process.poll() is None:
                process.kill()
    runs = {run.get("part", ""): run for run in load(evidence)["runs"]}
    assert set(runs) == {"", "exec"}, (manager, set(runs))
    for run in runs.values():
        assert run["complete"] and run["runtime"].startswith(runtime) and run["container"], (manager, run["runtime"])
    own, later = names(runs[""]), names(runs["exec"])
    assert own["mkdir"] == 1 and "rmdir" not in own, (manager, own)
    assert later["rmdir"] == 1 and "mkdir" not in later and later["execve"] == 1, (manager, later)
    assert f"container {name}" in filters, filters[:300]
    print(f"{manager} with {runtime}: from the first call on, {sum(own.values())} calls, and an exec session apart")


for runtime in ("runc", "crun"):
    # crun refuses hybrid cgroups as long as the v2 tree is in sight and holds controllers.
    hidden = "[ ! -d /sys/fs/cgroup/unified ] || mount -t tmpfs none /sys/fs/cgroup/unified; exec \"$@\""
    wrapper = ["unshare", "-m", "sh", "-c", hidden, "sh"] if runtime == "crun" else []
    podman = [*wrapper, "podman", "--cgroup-manager=cgroupfs", "--runtime", runtime]
    check(f"podman-{runtime}", lambda name: [*podman, "run", "--rm", *LIMITS, "--name", name, "--rootfs", ROOT],
          lambda name: [*podman, "exec", name], runtime)

if os.path.exists("/var/run/docker.sock") and works("docker", "version"):
    daemon = None
else:
    # Its data is elsewhere than usual, which only its command line says.
    daemon = subprocess.Popen(["dockerd", "--iptables=false", "--bridge=none", "--storage-driver=vfs",
                               f"--data-root={DIRECTORY}/docker"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    eventually(lambda: works("docker", "version"), "dockerd answers")
    image = f"{UNIQUE}:1"
    archive = subprocess.Popen(["tar", "-C", ROOT, "-c", "."], stdout=subprocess.PIPE)
    subprocess.run(["docker", "import", "-", image], stdin=archive.stdout, check=True, capture_output=True)
    check("docker", lambda name: ["docker", "run", "--rm", *LIMITS, "--name", name, image],
          lambda name: ["docker", "exec", name], "runc")
    subprocess.run(["docker", "rmi", image], check=False, capture_output=True)
    ctr = ["ctr", "-a", "/run/docker/containerd/containerd.sock"]
    check("containerd", lambda name: [*ctr, "run", "--rm", "--seccomp", "--rootfs", ROOT, name],
          lambda name: [*ctr, "task", "exec", "--exec-id", "later", name], "runc")
finally:
    if daemon is not None:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(30)
