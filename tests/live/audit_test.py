"""whittle audit on this kernel: following its audit socket and its log, losses, containers; and auditd's log of the same
run against ausearch and auparse."""

import collections
import json
import os
import re
import select
import shutil
import signal
import subprocess

from harness import WHITTLE, eventually, program, require_root, skip, temporary_directory, whittle

require_root()
for tool in ("auditd", "ausearch", "auditctl", "setpriv", "runc"):
    if not shutil.which(tool):
        skip(f"needs {tool}")
LOGGED = program("logged")
work = temporary_directory()
os.chdir(work)


class Follow:
    """whittle audit --follow, from the moment it says so."""

    def __init__(self, *args, wrapper=()):
        self.errors = open("follow.err", "w+", encoding="utf-8")
        self.process = subprocess.Popen([*wrapper, WHITTLE, "audit", "--follow", *args], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.first = self.process.stderr.readline()
        assert "following" in self.first, self.first + self.process.stderr.read()

    def end(self):
        self.process.send_signal(signal.SIGINT)
        output, errors = self.process.communicate(timeout=60)
        assert self.process.returncode in (0, 1), errors
        return output, self.first + errors


def logged(name, times=1):
    done = subprocess.run([LOGGED, name, str(times)], capture_output=True, text=True, check=True, timeout=200)
    assert done.stdout.endswith("good\n"), done.stdout
    return int(done.stdout.splitlines()[0])


def made(first):
    return {("x86_64", "getppid", "log"): first, ("x86_64", "geteuid", "errno"): 1, ("x86_64", "getuid", "trap"): 1,
            ("x86_64", "getpgid", "trace"): 1, ("x86_64", "getsid", "notify"): 1, ("x86_64", "getgid", "kill_thread"): 1,
            ("x86_64", "getegid", "kill_process"): 1, ("x86", "getpid", "log"): 1, ("x32", "getpid", "log"): 1}


def seen(report, comm):
    return {(g["arch"], g["syscall"], g["action"]): g["count"] for g in report["groups"] if g["comm"] == comm}


print("the audit socket: every record, as it was made")
follow = Follow("--json")
pid = logged('so "me', 3000)
output, errors = follow.end()
report = json.loads(output)
assert seen(report, 'so "me') == made(3000), report
assert report["complete"], errors
group = next(g for g in report["groups"] if g["comm"] == 'so "me' and g["syscall"] == "getppid")
assert group["exe"] == LOGGED and group["pids"] == [pid] and group["signal"] == 0 and group["first"] <= group["last"]

print("each new group is printed at once, the report at the end; --for ends it")
follow = Follow("--for", "60")
logged("at-once")
lines = [follow.process.stdout.readline() for _ in made(1)]
output, errors = follow.end()
assert sum("at-once" in line for line in lines) >= 1, lines
assert output.count("at-once") >= len(made(1)), output
assert Follow("--for", "200ms").process.wait(60) in (0, 1)

print("what does not fit into the socket's buffer is counted as lost")
follow = Follow(wrapper=["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"])
follow.process.send_signal(signal.SIGSTOP)
logged("flood", 20000)
follow.process.send_signal(signal.SIGCONT)
said = b""
for _ in range(100):  # the loss is seen by what comes after it, once there is room again
    logged("after")
    while select.select([follow.process.stdout], [], [], 0.2)[0]:
        said += os.read(follow.process.stdout.fileno(), 65536)
    if b"after" in said:
        break
output, errors = follow.end()
got = sum(int(line.split()[0]) for line in output.splitlines() if re.match(r" *\d.* flood \(", line))
lost = int(re.search(r"(\d+) lost", output)[1])
assert 0 < got < 20008 and lost >= 20008 - got, (got, lost)
assert f"the kernel lost {lost} audit records" in errors, errors

print("the kernel log: what is left out of it makes the report incomplete")
follow = Follow("--json", "--source", "kmsg")
logged("kmsg", 1000)  # more than any stall lets the kernel print in time
output, errors = follow.end()
report = json.loads(output)
assert sum(seen(report, "kmsg").values()) < 1008 and not report["complete"] and "ten records in five seconds" in errors, errors

print("without the privilege: one error that says which")
done = subprocess.run(["setpriv", "--bounding-set", "-audit_read", "--inh-caps", "-audit_read", WHITTLE, "audit", "--follow",
                       "--source", "socket"], capture_output=True, text=True, timeout=30, check=False)
assert done.returncode == 3 and "CAP_AUDIT_READ" in done.stderr, done.stderr

print("a container, while its process lives")
os.makedirs("bundle/rootfs/bin")
shutil.copy(shutil.which("busybox"), "bundle/rootfs/bin/busybox")
for name in ("sh", "mkdir", "sleep"):
    os.symlink("busybox", f"bundle/rootfs/bin/{name}")
subprocess.run(["runc", "spec", "--bundle", "bundle"], check=True)
with open("bundle/config.json", encoding="utf-8") as file:
    config = json.load(file)
config["process"].update(terminal=False, args=["/bin/sh", "-c", "read go; while true; do umask 022; read go; done"])
config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
                              "syscalls": [{"names": ["umask"], "action": "SCMP_ACT_LOG"}]}
with open("bundle/config.json", "w", encoding="utf-8") as file:
    json.dump(config, file)
name = f"whittle-audit-{os.getpid()}"
follow = Follow("--json")
container = subprocess.Popen(["runc", "run", "--bundle", "bundle", name], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
container.stdin.write(b"\n\n")
container.stdin.flush()
try:
    # The report is asked for when the record is there: another follower says so.
    probe = Follow("--for", "60")
    container.stdin.write(b"\n\n")
    container.stdin.flush()
    while "umask" not in (line := probe.process.stdout.readline()):
        assert line, "no record of umask"
    probe.end()
    output, errors = follow.end()
finally:
    subprocess.run(["runc", "kill", name, "KILL"], check=False)
    container.wait(60)
    subprocess.run(["runc", "delete", "-f", name], check=False)
report = json.loads(output)
assert any(g["container"] == name for g in report["groups"] if g["syscall"] == "umask"), report

print("auditd's own log: raw, enriched, ausearch and auparse all say the same of it")
if "pid 0" not in subprocess.run(["auditctl", "-s"], capture_output=True, text=True, check=True).stdout:
    skip("an audit daemon runs here")


def auditd_log(form):
    os.makedirs(form)
    shutil.copytree("/etc/audit", f"{form}/conf")
    with open("/etc/audit/auditd.conf", encoding="utf-8") as file:
        conf = file.read()
    for key, value in (("log_file", f"{work}/{form}/audit.log"), ("log_format", form), ("flush", "SYNC"), ("log_group", "root")):
        conf = re.sub(rf"(?m)^{key} = .*$", f"{key} = {value}", conf)
    with open(f"{form}/conf/auditd.conf", "w", encoding="utf-8") as file:
        file.write(conf)
    # Also when the test is killed: the kernel has one audit daemon at a time.
    daemon = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "auditd", "-n", "-c", f"{work}/{form}/conf"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: f"pid {daemon.pid}\n" in subprocess.run(["auditctl", "-s"], capture_output=True, text=True,
                                                                   check=True).stdout, "auditd has started", process=daemon)
        logged('so "me', 20)
        logged("beef", 5)
        with open(f"{form}/audit.log", encoding="utf-8") as file:  # there before auditd tells the kernel of itself
            read = ""

            def last_call_written():
                nonlocal read
                read += file.read()
                return re.search(r'comm="beef".* syscall=1073741863.*\n', read)

            eventually(last_call_written, "the log has the last call")
    finally:
        daemon.terminate()
        daemon.wait(60)
        subprocess.run(["auditctl", "-e", "0"], stdout=subprocess.DEVNULL, check=False)
    return f"{form}/audit.log"


AUPARSE = """
import auparse, collections, json, sys
parser = auparse.AuParser(auparse.AUSOURCE_FILE, sys.argv[1])
found = collections.Counter()
while parser.parse_next_event():
    parser.first_record()
    while True:
        if parser.get_type_name() == "SECCOMP":
            texts = []
            for key in ("arch", "syscall", "code", "comm", "exe"):
                parser.first_field()
                parser.find_field(key)
                # It has no name for any call of a SECCOMP record: "unknown-syscall(-1)".
                texts.append(parser.get_field_str() if key == "syscall" else parser.interpret_field())
            found[tuple(texts)] += 1
        if not parser.next_record():
            break
print(json.dumps(list(found.items())))
"""


def by_auparse(log):
    """(arch, number, action, comm, exe) -> records, by libaudit's own parser, with Debian's Python."""
    done = subprocess.run(["/usr/bin/python3", "-c", AUPARSE, log], capture_output=True, text=True, check=False)
    if "No module named 'auparse'" in done.stderr:
        skip("needs python3-audit")
    assert done.returncode == 0, done.stderr
    return collections.Counter({tuple(key): count for key, count in json.loads(done.stdout)})


WORDS = {"kill_thread": "kill", "kill_process": "kill", "notify": "user-notify"}
ARCHES = {"x86": "i386", "x32": "x86_64"}


def in_libaudit_words(report):
    found = collections.Counter()
    for g in report["groups"]:
        found[ARCHES.get(g["arch"], g["arch"]), str(g["nr"]), WORDS.get(g["action"], g["action"]), g["comm"], g["exe"]] += g["count"]
    return found


for form in ("RAW", "ENRICHED"):
    log = auditd_log(form)
    done = json.loads(whittle("audit", "--json", log, expect=1).stdout)
    assert seen(done, 'so "me') == made(20) and seen(done, "beef") == made(5), done
    oracle = by_auparse(log)
    ours = in_libaudit_words(done)
    assert ours == oracle, (ours - oracle, oracle - ours)
    assert {g["syscall"] for g in done["groups"]} == {call for _, call, _ in made(1)}
    environment = {**os.environ, "LC_ALL": "C"}
    for options in (["-i"], ["--raw"], []):
        text = subprocess.run(["ausearch", *options, "-m", "SECCOMP", "-if", log], capture_output=True, text=True, check=True,
                              env=environment).stdout
        again = json.loads(whittle("audit", "--json", "-", stdin=text, expect=1).stdout)
        assert in_libaudit_words(again) == oracle, (form, options)
        assert again["malformed"] == 0 and again["records"] == done["records"]
        if options == ["-i"]:  # it names them, but for x32
            names = collections.Counter(re.findall(r" syscall=(\S+)", text))
            assert names.pop("unknown-syscall(1073741863)") == 2, names
            ours = collections.Counter()
            for g in done["groups"]:
                ours[g["syscall"]] += g["count"] if g["arch"] != "x32" else 0
            assert ours == names, (ours, names)
