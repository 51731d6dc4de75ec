"""whittle explain on programs that were just recorded: what it tells is what they did, their own symbols included."""

import json
import os
import subprocess

from harness import free_port, require_root, temporary_directory, whittle

require_root()
DIRECTORY = temporary_directory()

SOURCE = r"""
#include <sys/socket.h>
#include <sys/prctl.h>
#include <unistd.h>
__attribute__((noinline)) static int open_the_door(int family) {
  int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  __asm__ volatile("" ::: "memory");  /* no tail call: the frame stays */
  return fd;
}
__attribute__((noinline)) int ask_for_urgent_data(int fd) {
  char byte;
  long got = recv(fd, &byte, 1, MSG_DONTWAIT);
  __asm__ volatile("" ::: "memory");
  return (int)got;
}
int main(void) {
  prctl(PR_SET_NAME, "doorkeeper");
  int fd = open_the_door(AF_UNIX);
  int got = ask_for_urgent_data(fd);
  close(fd);
  return access("/no/such/file", R_OK) == 0 || got == 0;
}
"""
source = os.path.join(DIRECTORY, "door.c")
program = os.path.join(DIRECTORY, "door")
with open(source, "w", encoding="utf-8") as file:
    file.write(SOURCE)
subprocess.run(["cc", "-O1", "-fno-omit-frame-pointer", "-o", program, source], check=True)

evidence = os.path.join(DIRECTORY, "door.evidence.json")
profile = os.path.join(DIRECTORY, "door.profile.json")
# A program as short as this is gone before eBPF's events are read; ptrace looks while it is stopped.
whittle("record", "--backend", "ptrace", "-o", evidence, "--", program)
whittle("generate", evidence, "-o", profile)


def explained(*args):
    return json.loads(whittle("explain", *args, "--json").stdout)


print("the list of the profile tells what the program did")
calls = {c["syscall"]: c for c in explained(profile, "--arch", "x86_64")["calls"]}
socket = calls["socket"]
assert socket["verdict"] == "conditional" and socket["reasons"][0]["because"] == "evidence", socket
assert socket["evidence"]["count"] == 1 and socket["evidence"]["threads"] == ["doorkeeper"], socket["evidence"]
assert socket["evidence"]["programs"] == [program]
assert socket["evidence"]["tuples"][0]["symbols"][0].startswith("AF_UNIX, SOCK_DGRAM|SOCK_CLOEXEC"), socket["evidence"]
# The loader asks for /etc/ld.so.preload, which is not there either.
assert calls["access"]["evidence"]["only_failed"], calls["access"]["evidence"]
assert calls["access"]["evidence"]["errnos"] == {"ENOENT": calls["access"]["evidence"]["count"]}

print("from where: the program's own functions, with an offset that names the same place")
for name, symbol in (("socket", "open_the_door"), ("recvfrom", "ask_for_urgent_data")):
    stack = calls[name]["evidence"]["stacks"][0]
    assert stack["origin"] == f"{symbol} in {program}", stack
    (frame,) = [f for f in stack["frames"] if f["symbol"] == symbol]
    told = subprocess.run(["addr2line", "-f", "-e", program, hex(frame["offset"])], check=True, capture_output=True,
                          text=True).stdout.splitlines()[0]
    assert told == symbol, (told, frame)

print("the same for people")
text = whittle("explain", profile, "socket", "--arch", "x86_64").stdout
assert f"{program}+0x" in text and "open_the_door" in text and "thread doorkeeper" in text, text
assert f"first from open_the_door in {program}" in " ".join(whittle("explain", profile).stdout.split())

print("what it opens is what score counts as open, and the rule that score suggests takes it away")
score = json.loads(whittle("score", profile, "--evidence", evidence, "--json").stdout)["exploits"]
opened = {e["cve"] for c in calls.values() for e in c["exposes"] if e["kind"] == "exploit" and e["open"]}
assert opened == set(score["open"]), (opened, score["open"])
assert "CVE-2023-4622" in opened
(suggested,) = [e for e in score["close"] if e["cve"] == "CVE-2023-4622" and e["syscall"] == "socket"]
assert suggested["used"] is True and "AF_UNIX" in suggested["loses"], suggested

print("a server at full speed: nginx starts its workers from ngx_spawn_process, and that is told")
config = os.path.join(DIRECTORY, "nginx.conf")
port = free_port()
with open(config, "w", encoding="utf-8") as file:
    file.write(f"""daemon off; worker_processes 2; pid {DIRECTORY}/nginx.pid; error_log {DIRECTORY}/error.log;
events {{}} http {{ access_log off; server {{ listen 127.0.0.1:{port}; location / {{ return 204; }} }} }}""")
evidence = os.path.join(DIRECTORY, "nginx.evidence.json")
profile = os.path.join(DIRECTORY, "nginx.profile.json")
# The first worker answers before the second one is there.
with open(os.path.join(DIRECTORY, "workload.yaml"), "w", encoding="utf-8") as file:
    file.write(f"""apiVersion: whittle/v1
kind: Workload
name: nginx
run: {{command: [nginx, -c, {config}]}}
ready: {{http: "http://127.0.0.1:{port}/"}}
exercises:
  - name: workers
    http: {{url: "http://127.0.0.1:{port}/"}}
    holds: {{command: "test $(wc -w </proc/$WHITTLE_PID/task/$WHITTLE_PID/children) = 2"}}
""")
whittle("record", "--backend", "ebpf", DIRECTORY)
whittle("generate", evidence, "-o", profile)
calls = {c["syscall"]: c for c in explained(profile, "--arch", "x86_64")["calls"]}
clone = calls["clone"]
assert clone["evidence"]["count"] == 2 and clone["evidence"]["threads"] == ["nginx"], clone["evidence"]
assert clone["evidence"]["stacks"][0]["origin"].startswith("ngx_spawn_process in /"), clone["evidence"]["stacks"]
assert len(clone["values"]) == 1 and clone["values"][0].startswith("SIGCHLD ["), clone["values"]
assert clone["exposes"] and not [e for e in clone["exposes"] if e["kind"] == "exploit"], clone["exposes"]
short = [c["syscall"] for c in calls.values() if c["missing"] or c["missing_values"]]
assert short == [], short  # the profile allows all that was seen
