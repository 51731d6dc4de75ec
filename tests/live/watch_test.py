"""whittle watch: live denials and drift of a process, a cgroup and containers that run already."""

import atexit
import json
import os
import shutil
import signal
import subprocess
import time

from harness import WHITTLE, for_everybody, program, require_root, skip, temporary_directory, whittle

require_root()
for tool in ("runc", "crun", "busybox", "podman", "setpriv"):
    if shutil.which(tool) is None:
        skip(f"needs {tool}")

work = temporary_directory()
unique = f"ww{os.getpid()}"


def write(name, value):
    path = os.path.join(work, name)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file)
    return path


def profile(name, *rules, default="SCMP_ACT_ALLOW"):
    return write(name, {"defaultAction": default, "architectures": ["SCMP_ARCH_X86_64"],
                        "syscalls": [{"action": "SCMP_ACT_ERRNO", "errnoRet": 1, **rule} for rule in rules]})


NO_MKDIR = {"names": ["mkdir", "mkdirat"]}
no_mkdir = profile("no_mkdir.json", NO_MKDIR)
no_getppid = profile("no_getppid.json", {"names": ["getppid"]})


class Watch:
    """A `whittle watch` beside the test: attached when this returns, its lines read as they come."""

    def __init__(self, *args, until="judged by"):
        self.said = ""
        self.process = subprocess.Popen([WHITTLE, "watch", "--json", *map(str, args)], text=True, bufsize=1,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        atexit.register(self.process.kill)
        while until not in self.said:
            line = self.process.stderr.readline()
            assert line, f"it ended: {self.said}"
            self.said += line

    def line(self):
        text = self.process.stdout.readline()
        assert text, self.said + self.process.stderr.read()
        return json.loads(text)

    def end(self, expect=1, how=None):
        """The lines that are left; the target has ended, or it is sent a signal."""
        if how is not None:
            self.process.send_signal(how)
        out, errors = self.process.communicate(timeout=60)
        self.said += errors
        assert self.process.returncode == expect, (self.process.returncode, self.said)
        return [json.loads(text) for text in out.splitlines()]


class Shell:
    """A shell that runs what it is told, natively."""

    def __init__(self, *argv):
        self.process = subprocess.Popen([*argv, "sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, bufsize=1)
        atexit.register(self.process.kill)
        self.run("true")
        self.pid = self.process.pid

    def run(self, command):
        self.process.stdin.write(f"{command}; echo done\n")
        assert self.process.stdout.readline() == "done\n"

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def only(lines, **wanted):
    found = [line for line in lines if all(line[key] == value for key, value in wanted.items())]
    assert found, (wanted, lines)
    return found


print("a process without a filter, against a profile: told while it runs, folded, the patch tried")
shell = Shell()
watch = Watch("--pid", shell.pid, "--profile", no_mkdir, until="under no filter")
began = time.monotonic()
shell.run("mkdir /proc/none")
line = watch.line()
assert (line["kind"], line["against"], line["syscall"], line["count"]) == ("drift", "profile", "mkdir", 1), line
assert line["action"] == "errno" and line["data"] == 1 and line["comm"] == "mkdir" and line["thread"] > 0, line
assert line["text"].startswith("mkdir(0x") and line["where"]["offset"] > 0, line
assert line["patch"] == [{"op": "remove", "path": "/syscalls/0/names/0"}], line
patched = json.load(open(no_mkdir, encoding="utf-8"))
del patched["syscalls"][0]["names"][0]
answer = json.loads(whittle("eval", write("patched.json", patched), "mkdir", "--json").stdout)
assert answer["action"] == "allow", answer
shell.run("for i in 1 2 3 4 5 6 7 8 9; do mkdir /proc/none; done")
lines = watch.end(how=signal.SIGINT)
assert only(lines, syscall="mkdir")[-1]["count"] == 10, lines
# One a second at most after the first, and the last.
assert len(lines) <= int(time.monotonic() - began) + 1, lines
assert "no denial, 10 calls that are drift" in watch.said, watch.said
assert shell.process.poll() is None, "the target was ended"

print("nothing found: exit 0; SIGTERM; the time is over")
watch = Watch("--pid", shell.pid, "--profile", no_getppid, until="under no filter")
shell.run("mkdir /proc/none")
assert watch.end(expect=0, how=signal.SIGTERM) == [] and "no denial, no drift" in watch.said, watch.said
done = whittle("watch", "--pid", shell.pid, "--profile", no_getppid, "--for", "300ms", expect=0)
assert done.stdout == "" and "no denial, no drift" in done.stderr, done.stderr

print("against evidence: a call and an argument value that it has never seen")
evidence = os.path.join(work, "known.json")
socket = "python3 -c 'import socket; socket.socket(socket.{}).close()'"
known = f"true; sh -c 'exit 0'; {socket.format('AF_INET')}; mkdir /proc/none"
whittle("record", "--quiet", "-o", evidence, "--", "sh", "-c", known, expect=None)
watch = Watch("--pid", shell.pid, "--evidence", evidence, until="under no filter")
shell.run(f"{socket.format('AF_INET')}; mkdir /proc/none; true")
shell.run(f"rmdir /proc/none; {socket.format('AF_INET6')}")
lines = watch.end(how=signal.SIGINT)
assert not [line for line in lines if line["syscall"] == "mkdir"], lines
(line,) = only(lines, syscall="rmdir")
assert line["kind"] == "drift" and line["against"] == "evidence" and line["count"] == 1, line
assert line["why"] == "the call was never seen" and line["allow"]["names"] == ["rmdir"], line
(line,) = only(lines, syscall="socket")
assert line["text"].startswith("socket(AF_INET6, SOCK_STREAM") and "never AF_INET6" in line["why"], line
assert line["allow"]["args"][0] == {"index": 0, "value": 0xffffffff, "valueTwo": 10,
                                    "op": "SCMP_CMP_MASKED_EQ"}, line
shell.end()


# A process under a profile: a command that waits for its standard input, under the filter of the profile.
def under(path, *command):
    """The command under the profile's filter, loaded by verify; what verify said goes nowhere."""
    verify = subprocess.Popen([WHITTLE, "verify", "--no-probes", "--profile", path, "--", *command], stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, bufsize=1)
    atexit.register(verify.kill)
    line = verify.stderr.readline()
    while not line.startswith("ready"):
        assert line, "it did not start"
        line = verify.stderr.readline()
    return verify, int(line.split()[1])


def gone(pid):
    """Whether the process has ended, waited for or not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


print("32 threads: every denial is counted; by the filter that is read back")
storm = f"echo ready $$; read line; exec {for_everybody(program('denied'))} held 32 2000"
verify, pid = under(no_getppid, "sh", "-c", storm)
watch = Watch("--pid", pid)
verify.stdin.write("go\n")
first = watch.line()  # its executable can be told while it is there
verify.stdin.close()
lines = [first, *watch.end()]
made = verify.stderr.read()
assert "made 64000 refused 64000" in made, made
verify.wait()
denials = only(lines, kind="denial", syscall="getppid")
assert denials[-1]["count"] == 64000 and denials[-1]["against"] == "filter", denials[-1]
assert denials[-1]["exe"].endswith("/denied") and denials[-1]["where"]["symbol"] == "call", denials[-1]
assert denials[-1]["allow"] == {"names": ["getppid"], "action": "SCMP_ACT_ALLOW"}, denials[-1]
assert [line["count"] for line in denials] == sorted({line["count"] for line in denials}), denials
assert "64000 denials" in watch.said, watch.said

print("kill -9 of the target: what it did until then is told, and it ends")
verify, pid = under(no_getppid, "sh", "-c", f"echo ready $$; read line; exec {program('denied')} forever")
watch = Watch("--pid", pid)
verify.stdin.write("go\n")
first = watch.line()
assert first["syscall"] == "getppid" and first["kind"] == "denial", first
os.kill(pid, signal.SIGKILL)  # it may still be making children: they can be counted when it has gone
while not gone(pid):
    time.sleep(0.01)
children = subprocess.run(["pgrep", "-f", f"^{program('denied')} forever"], capture_output=True, text=True, check=False)
for process in children.stdout.split():
    os.kill(int(process), signal.SIGKILL)
lines = watch.end()
assert (lines or [first])[-1]["count"] >= first["count"], lines
verify.wait()

print("without privilege, without a target, with nothing to judge by")
idle = Shell()
plain = for_everybody(WHITTLE)
done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", plain, "watch", "--pid", str(idle.pid)],
                      capture_output=True, text=True, check=False)
assert done.returncode == 3 and "CAP_BPF" in done.stderr and "whittle verify --runtime none" in done.stderr, done.stderr
done = whittle("watch", "--pid", idle.pid, expect=2)
assert "under no filter" in done.stderr and "--profile" in done.stderr, done.stderr
whittle("watch", expect=2)
whittle("watch", "--pid", 4194303, "--profile", no_mkdir, expect=2)
whittle("watch", "--pid", idle.pid, "--wait", "--profile", no_mkdir, expect=2)
assert "no running container has this id or name" in whittle("watch", "--container", unique, expect=2).stderr

print("whittle under a filter itself cannot read filters: it says so, and judges by the profile")
verify, pid = under(no_getppid, "sh", "-c", f"echo ready $$; read line; exec {program('denied')} threads 1 5")
# A filter is on whittle itself when it is started under one.
watcher = f"exec {WHITTLE} watch --json --pid {pid} --profile {no_getppid}"
own = subprocess.Popen([WHITTLE, "verify", "--no-probes", "--profile", no_mkdir,
                                                                     "--json", "--", "sh", "-c", watcher],
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, bufsize=1)
atexit.register(own.kill)
said = ""
while "cannot be read back" not in said:
    line = own.stderr.readline()
    assert line, said
    said += line
assert "judged by the profile" in said, said
verify.stdin.write("go\n")
said = own.stderr.read()
verify.wait()
own.wait()
line = [json.loads(text) for text in said.splitlines() if text.startswith("{")][-1]
assert (line["kind"], line["against"], line["count"]) == ("denial", "profile", 5), line

print("a reader that has gone ends it")
watch = subprocess.Popen([WHITTLE, "watch", "--pid", str(idle.pid), "--profile", no_mkdir], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
for line in watch.stderr:
    if "under no filter" in line:
        break
watch.stdout.close()
while watch.poll() is None:
    idle.run("mkdir /proc/none; rmdir /proc/none")
    try:
        watch.wait(0.3)
    except subprocess.TimeoutExpired:
        continue
idle.end()


def bundle(command, path_of_profile):
    path = os.path.join(work, f"bundle-{len(os.listdir(work))}")
    os.makedirs(path + "/rootfs/bin")
    for directory in ("proc", "dev", "sys"):
        os.mkdir(f"{path}/rootfs/{directory}")
    shutil.copy(shutil.which("busybox"), path + "/rootfs/bin/busybox")
    for applet in ("sh", "sleep", "mkdir", "rmdir", "sync", "cat"):
        os.symlink("busybox", f"{path}/rootfs/bin/{applet}")
    subprocess.run(["runc", "spec", "--bundle", path], check=True)
    config = json.load(open(path + "/config.json", encoding="utf-8"))
    config["process"].update(terminal=False, args=["/bin/sh", "-c", command])
    del config["process"]["rlimits"]
    config["linux"]["seccomp"] = json.load(open(path_of_profile, encoding="utf-8"))
    with open(path + "/config.json", "w", encoding="utf-8") as file:
        json.dump(config, file)
    return path


def start(container, where):
    atexit.register(subprocess.run, ["runc", "delete", "--force", container], capture_output=True)
    return subprocess.Popen(["runc", "run", "--bundle", where, container], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True, bufsize=1)


print("a runc container under its profile: denied while it is watched, and what is executed in it")
place = bundle("echo ready; while read line; do $line; done", no_mkdir)
container = start(unique, place)
assert container.stdout.readline() == "ready\n"
watch = Watch("--container", unique)
container.stdin.write("mkdir /none\n")
line = watch.line()
assert (line["kind"], line["syscall"], line["action"], line["part"]) == ("denial", "mkdir", "errno", ""), line
assert line["allow"] == {"names": ["mkdir"], "action": "SCMP_ACT_ALLOW"}, line
subprocess.run(["runc", "exec", unique, "/bin/mkdir", "/none"], capture_output=True, check=False)
line = watch.line()
assert (line["kind"], line["syscall"], line["part"], line["count"]) == ("denial", "mkdir", "exec", 1), line
container.stdin.close()
watch.end()
container.wait()
assert "2 denials of 2 kinds" in watch.said, watch.said

print("a container that is waited for, and its restart: counted on")
name = unique + "-again"
again = bundle("mkdir /none; read line", no_mkdir)
watch = Watch("--container", name, "--wait", until="waiting for the container")
for times in (1, 2):
    container = start(name, again)
    line = watch.line()
    assert line["syscall"] == "mkdir" and line["count"] == times, line
    container.stdin.close()
    container.wait()
watch.end(how=signal.SIGINT)
assert "2 denials" in watch.said and "2 starts" in watch.said, watch.said

print("podman: a container by its name, under a profile of its own")
root = bundle("", no_mkdir) + "/rootfs"
name = unique + "-podman"
podman = ["podman", "--root", work + "/storage", "--runroot", work + "/run", "--storage-driver", "vfs", "--cgroup-manager",
          "cgroupfs", "--events-backend", "none", "--runtime", "runc"]
atexit.register(subprocess.run, [*podman, "rm", "-f", "-t", "0", name], capture_output=True)
started = subprocess.Popen([*podman, "run", "--rm", "-i", "--name", name, "--network", "none", "--ulimit", "nofile=512:512", "--ulimit", "nproc=512:512", "--security-opt",
                            f"seccomp={no_mkdir}", "--rootfs", root, "/bin/sh", "-c",
                            "echo ready; while read line; do $line; done"],
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)
ready = started.stdout.readline()
assert ready == "ready\n", started.stderr.read()
watch = Watch("--container", name)
started.stdin.write("mkdir /none\n")
line = watch.line()
assert (line["kind"], line["syscall"], line["count"]) == ("denial", "mkdir", 1), line
started.stdin.close()
watch.end()
started.wait()
print("good")
