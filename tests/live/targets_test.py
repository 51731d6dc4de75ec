"""Recording what whittle did not start: a running process, a cgroup, containers of runc and crun."""

import atexit
import json
import os
import shutil
import subprocess
import time

from harness import WHITTLE, load, program, require_root, skip, temporary_directory, whittle

require_root()
for tool in ("runc", "crun", "busybox"):
    if shutil.which(tool) is None:
        skip(f"needs {tool}")

work = temporary_directory()
unique = f"wt{os.getpid()}"


class Recording:
    """A `whittle record` that runs beside the test, attached when this returns."""

    def __init__(self, *args, name="e"):
        self.output = os.path.join(work, name + ".evidence.json")
        self.log = os.path.join(work, name + ".log")
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([WHITTLE, "record", *map(str, args), "-o", self.output],
                                            stderr=log, stdin=subprocess.DEVNULL)
        atexit.register(self.process.kill)
        while not self.attached() and self.process.poll() is None:
            time.sleep(0.02)

    def said(self):
        with open(self.log, encoding="utf-8") as log:
            return log.read()

    def attached(self):
        return any(line.endswith("\n") and ("recording the" in line or "recording process" in line or "waiting for" in line)
                   for line in self.said().splitlines(keepends=True))

    def end(self, expect):
        status = self.process.wait(timeout=60)
        assert status == expect, f"exit {status}, expected {expect}\n{self.said()}"
        return load(self.output)["runs"]


def calls(run):
    return {call["name"]: call["count"] for call in run["syscalls"]}


def main_run(runs):
    (run,) = [run for run in runs if run.get("part", "") == ""]
    return run


def exec_run(runs):
    (run,) = [run for run in runs if run.get("part") == "exec"]
    return run


class Runtime:
    """runc or crun with a bundle of busybox; crun with the v2 tree of a hybrid host out of sight."""

    def __init__(self, name):
        self.name = name
        self.wrapper = []
        if name == "crun" and os.path.isdir("/sys/fs/cgroup/unified"):
            self.wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                            'mount -t tmpfs none /sys/fs/cgroup/unified && exec "$@"', "sh"]

    def bundle(self, command):
        path = os.path.join(work, f"bundle-{self.name}-{abs(hash(command))}")
        if os.path.isdir(path):
            return path
        os.makedirs(path + "/rootfs/bin")
        for directory in ("proc", "dev", "sys"):
            os.mkdir(f"{path}/rootfs/{directory}")
        shutil.copy(shutil.which("busybox"), path + "/rootfs/bin/busybox")
        for applet in ("sh", "sleep", "mkdir", "rmdir", "sync"):
            os.symlink("busybox", f"{path}/rootfs/bin/{applet}")
        subprocess.run(["runc", "spec", "--bundle", path], check=True)
        config = load(path + "/config.json")
        config["process"].update(terminal=False, args=["/bin/sh", "-c", command])
        del config["process"]["rlimits"]
        with open(path + "/config.json", "w", encoding="utf-8") as file:
            json.dump(config, file)
        return path

    def command(self, *args):
        return [*self.wrapper, self.name, *args]

    def start(self, container, command):
        atexit.register(self.delete, container)
        return subprocess.Popen(self.command("run", "--bundle", self.bundle(command), container),
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)

    def execute(self, container, *command):
        return subprocess.run(self.command("exec", container, *command), stdin=subprocess.DEVNULL,
                              capture_output=True, check=False).returncode

    def delete(self, container):
        subprocess.run(self.command("delete", "--force", container), capture_output=True, check=False)

    def wait_until_running(self, container):
        limit = time.monotonic() + 60
        while time.monotonic() < limit:
            state = subprocess.run(self.command("state", container), capture_output=True, check=False)
            if state.returncode == 0 and json.loads(state.stdout)["status"] == "running":
                return
            time.sleep(0.02)
        raise AssertionError(f"{container} does not run")


def wait_for_file(path):
    while not os.path.exists(path):
        time.sleep(0.02)


print("a running process with its threads and descendants, before and after")
script = (f"(while [ ! -e {work}/go ]; do sleep 0.05; done; mkdir /proc/none) 2>/dev/null & "
          f"while [ ! -e {work}/go ]; do sleep 0.05; done; "
          "(rmdir /proc/none; exec mkfifo /proc/none) 2>/dev/null; wait")
target = subprocess.Popen(["sh", "-c", script])
other = subprocess.Popen(["sh", "-c", f"while [ ! -e {work}/go ]; do sleep 0.05; done; sync"])
recording = Recording("--pid", target.pid, name="pid")
assert f"recording process {target.pid}" in recording.said(), recording.said()
open(work + "/go", "w", encoding="utf-8").close()
(run,) = recording.end(expect=1)
other.wait()
target.wait()
seen = calls(run)
assert seen["mkdir"] == seen["rmdir"] == seen["mknodat" if "mknodat" in seen else "mknod"] == 1, seen
assert "sync" not in seen and seen["execve"] >= 3, seen
assert run["lost"]["late_start"] == 1 and not run["complete"]
assert any("ran already" in note for note in run["notes"]), run["notes"]
assert any(call.get("stacks") for call in run["syscalls"])
assert run["command"][:2] == ["sh", "-c"]

print("threads of a running process")
threads = subprocess.Popen([program("pause_threads"), "8"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
assert threads.stdout.readline() == b"ready\n"
recording = Recording("--pid", threads.pid, "--no-stacks", name="threads")
assert "9 tasks" in recording.said(), recording.said()
threads.stdin.close()  # each of the nine calls getppid once, then they end
(run,) = recording.end(expect=1)
assert threads.wait() == 0
assert calls(run)["getppid"] == 9, calls(run)
assert not any(call.get("stacks") for call in run["syscalls"]), run["syscalls"]

print("a cgroup: what runs in it, what enters it later, and one that is empty")
hierarchy = "/sys/fs/cgroup/pids" if os.path.isdir("/sys/fs/cgroup/pids") else "/sys/fs/cgroup"
group = f"{hierarchy}/{unique}"
os.makedirs(group + "/below")
atexit.register(lambda: [os.rmdir(path) for path in (group + "/below", group) if os.path.isdir(path)])


def in_group(path, command):
    return subprocess.Popen(["sh", "-c", f'echo $$ >{path}/cgroup.procs; exec sh -c "$0"', command])


os.remove(work + "/go")
first = in_group(group, f"while [ ! -e {work}/go ]; do sleep 0.05; done; mkdir /proc/none 2>/dev/null")
while first.pid not in map(int, open(group + "/cgroup.procs", encoding="utf-8")):
    time.sleep(0.02)
recording = Recording("--cgroup", group, name="cgroup")
second = in_group(group + "/below", "rmdir /proc/none 2>/dev/null")
second.wait()
open(work + "/go", "w", encoding="utf-8").close()
(run,) = recording.end(expect=1)
first.wait()
assert calls(run)["mkdir"] == 1 and calls(run)["rmdir"] == 1, calls(run)
recording = Recording("--cgroup", "/" + unique, name="empty")
assert "waiting for a task" in recording.said(), recording.said()
in_group(group, "mkdir /proc/none 2>/dev/null").wait()
(run,) = recording.end(expect=0)
assert run["complete"] and calls(run)["mkdir"] == 1, run
for bad in ("/", hierarchy, "/no/such/cgroup"):
    assert "cgroup" in whittle("record", "--cgroup", bad, expect=2).stderr

for runtime in (Runtime("runc"), Runtime("crun")):
    print(f"{runtime.name}: a container from its first call on, and what is executed in it apart")
    container = f"{unique}-{runtime.name}"
    everything = "sync; mkdir /proc/none; read line </fifo"
    recording = Recording("--container", container, "--wait", name=runtime.name)
    assert f"waiting for the container {container}" in recording.said(), recording.said()
    os.mkfifo(runtime.bundle(everything) + "/rootfs/fifo")
    started = runtime.start(container, everything)
    runtime.wait_until_running(container)
    assert runtime.execute(container, "/bin/rmdir", "/proc/none") == 1
    runtime.execute(container, "/bin/sh", "-c", "echo >/fifo")
    runs = recording.end(expect=0)
    started.wait()
    runtime.delete(container)
    run, entered = main_run(runs), exec_run(runs)
    assert run["complete"] and run["container"] == container and run["runtime"] == runtime.name, run
    assert run["command"][:2] == ["/bin/sh", "-c"], run["command"]
    seen = calls(run)
    assert seen["sync"] == seen["mkdir"] == 1 and "rmdir" not in seen, seen
    # None of the runtime's own: it sets up a container with these.
    for call in ("mount", "pivot_root", "unshare", "setns", "sethostname", "capset", "umount2"):
        assert call not in seen and call not in calls(entered), call
    assert calls(entered)["rmdir"] == 1 and "sync" not in calls(entered), calls(entered)

    print(f"{runtime.name}: the same while it runs")
    started = runtime.start(container, everything)
    runtime.wait_until_running(container)
    recording = Recording("--container", container[: len(container)], name=runtime.name + "2")
    runtime.execute(container, "/bin/rmdir", "/proc/none")
    runtime.execute(container, "/bin/sh", "-c", "echo >/fifo")
    runs = recording.end(expect=1)
    started.wait()
    runtime.delete(container)
    assert main_run(runs)["lost"]["late_start"] == 1
    assert "rmdir" not in calls(main_run(runs)) and calls(exec_run(runs))["rmdir"] == 1

print("two recordings at once, each of its own container, and two lives of one")
runc = Runtime("runc")
recordings = [Recording("--container", f"{unique}-a", "--wait", "--repeat", 2, name="a"),
              Recording("--container", f"{unique}-b", "--wait", name="b")]
containers = [runc.start(f"{unique}-a", "mkdir /proc/none"), runc.start(f"{unique}-b", "rmdir /proc/none")]
for process in containers:
    process.wait()
runc.start(f"{unique}-a", "sync").wait()
first, second = recordings[0].end(expect=0)
assert "mkdir" in calls(first) and "rmdir" not in calls(first) and "sync" not in calls(first)
assert "sync" in calls(second) and "mkdir" not in calls(second)
(run,) = recordings[1].end(expect=0)
assert "rmdir" in calls(run) and "mkdir" not in calls(run)

print("what cannot be: no such container, nothing appears, a client, ptrace, a command as well")
done = whittle("record", "--container", f"{unique}-none", expect=2)
assert "no running container has this id or name" in done.stderr and "--wait" in done.stderr
done = whittle("record", "--container", f"{unique}-none", "--wait", "--for", "300ms", expect=2)
assert f"no container {unique}-none has started" in done.stderr, done.stderr
assert "whittle record --container web --wait" in whittle(
    "record", "--", "docker", "run", "--name", "web", "nginx", expect=2).stderr
assert "eBPF only" in whittle("record", "--container", "x", "--backend", "ptrace", expect=2).stderr
whittle("record", "--pid", os.getpid(), "--", "true", expect=2)
whittle("record", "--pid", "2000000000", expect=2)
whittle("record", "--pid", "1", "--cgroup", "/x", expect=2)
