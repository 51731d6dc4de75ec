"""whittle explain: each call of a profile or of evidence, why it is there, what it opens, what the base says."""

import json
import os
import shutil

from harness import SOURCE, load, temporary_directory, whittle

DIRECTORY = temporary_directory()
BASE = "docker@29.4.3"


def write(name, value):
    path = os.path.join(DIRECTORY, name)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file)
    return path


def explained(*args):
    return json.loads(whittle("explain", *args, "--json").stdout)


def call(result, name, arch="x86_64"):
    (one,) = [c for c in result["calls"] if c["syscall"] == name and c["arch"] == arch]
    return one


def observed(name, nr, count, **more):
    return {"arch": "x86_64", "name": name, "nr": nr, "count": count, "first": 0.25, "last": 1.5,
            "phases": ["startup", "load"], "errnos": {}, "args": [], "tuples": [], **more}


STACK = {"indexes": [], "values": [], "comm": "worker",
         "frames": [{"object": "/lib/libc.so.6", "offset": 16, "symbol": "socket"},
                    {"object": "/usr/bin/server", "offset": 153, "symbol": "open_port"}]}
RUN = {"id": "0123456789abcdef", "source": "ebpf", "arch": "x86_64", "kernel": "6.18", "complete": True, "lost": {},
       "started": "2026-01-01T00:00:00Z", "duration": 2, "timing": "native", "under": "none", "command": ["server"],
       "exit": 0, "syscalls": [
           observed("read", 0, 7),
           observed("access", 21, 4, errnos={"ENOENT": 4}),
           observed("socket", 41, 2, stacks=[STACK],
                    tuples=[{"indexes": [0, 1, 2], "closed": True, "values": [[2, 1, 6], [16, 524291, 0]]}]),
           observed("unshare", 272, 1, args=[{"index": 0, "kind": "flags", "closed": True, "values": [0x10000000]}]),
           observed("bpf", 321, 1, refused=1, errnos={"EPERM": 1}, refusals=[
               {"args": [5, 0, 0, 0, 0, 0], "error": "EPERM", "phase": "load", "comm": "worker", "count": 1}]),
       ]}
EVIDENCE = write("app.evidence.json", {"schema": "whittle.evidence/v1", "workload": "app", "runs": [RUN]})
PROFILE = os.path.join(DIRECTORY, "app.profile.json")
whittle("generate", EVIDENCE, "--base", BASE, "-o", PROFILE, expect=1)  # without unshare

print("the evidence beside a profile is found, and that is said")
done = whittle("explain", PROFILE, "--base", BASE, "--json")
assert "app.evidence.json" in done.stderr, done.stderr
result = json.loads(done.stdout)
assert result["profile"] == PROFILE and result["evidence"] == EVIDENCE and result["base"] == BASE

print("what a call is for, why it is allowed, who made it, when, with which values, from where")
socket = call(result, "socket")
assert socket["nr"] == 41 and socket["verdict"] == "conditional" and socket["conditions"], socket
assert socket["purpose"] and socket["group"] == "network"
assert any(r["because"] == "evidence" and "seen 2 times" in r["text"] for r in socket["reasons"]), socket["reasons"]
seen = socket["evidence"]
assert seen["count"] == 2 and seen["phases"] == ["startup", "load"] and seen["threads"] == ["worker"], seen
assert seen["programs"] == ["server"] and seen["run"] == RUN["id"] and seen["first"] == 0.25, seen
assert seen["tuples"][0]["symbols"] == ["AF_INET, SOCK_STREAM, IPPROTO_TCP",
                                        "AF_NETLINK, SOCK_RAW|SOCK_CLOEXEC, NETLINK_ROUTE"], seen["tuples"]
assert seen["stacks"][0]["frames"] == STACK["frames"] and seen["stacks"][0]["comm"] == "worker"
assert seen["stacks"][0]["origin"] == "open_port in /usr/bin/server"
assert socket["base"]["id"] == BASE and socket["base"]["verdict"] == "conditional"

assert any(v.startswith("AF_INET, SOCK_STREAM [") and v.endswith("IPPROTO_TCP") for v in socket["values"]), socket["values"]
assert socket["base"]["values"] == []
assert "allow with (AF_" in whittle("explain", PROFILE, "socket", "--base", BASE, "--arch", "x86_64").stdout

print("what it opens: a subsystem, and steps of exploits, with whether the rest of the profile stops them")
exploits = [e for e in socket["exposes"] if e["kind"] == "exploit"]
assert {e["step"] for e in exploits} == {"netlink-route"} and not any(e["open"] for e in exploits), exploits
assert {e["cve"] for e in exploits} <= {x["cve"] for x in load(f"{SOURCE}/data/exploits.json")["exploits"]}
assert socket["exposes"][0]["kind"] == "subsystem"

print("what the runtime needs, what only failed, what was refused, what is missing")
assert call(result, "execve")["reasons"][0]["because"] == "floor" and call(result, "execve")["evidence"] is None
assert call(result, "access")["evidence"]["only_failed"] and not seen["only_failed"]
bpf = call(result, "bpf")
assert bpf["verdict"] == "refused" and not bpf["missing"] and bpf["reasons"] == [] and bpf["exposes"] == [], bpf
assert bpf["evidence"]["refused"] == 1 and bpf["evidence"]["refusals"][0]["args"][0] == 5, bpf["evidence"]
unshare = call(result, "unshare")
assert unshare["missing"] and unshare["left_out"][0]["fix"] == "--allow unshare", unshare
assert call(result, "clone3")["reasons"][0]["because"] == "fallback"

print("evidence by itself is explained by what generate makes of it")
own = explained(EVIDENCE, "--base", BASE)
assert "profile" not in own and own["evidence"] == EVIDENCE
assert own["calls"] == result["calls"]

print("a rule beyond the base, and one by hand that nothing explains")
HAND = write("hand.json", {"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
    {"names": ["read", "unshare", "mount", "execve"], "action": "SCMP_ACT_ALLOW"},
    {"names": ["socket"], "action": "SCMP_ACT_ALLOW",
     "args": [{"index": 0, "value": 4294967295, "valueTwo": 2, "op": "SCMP_CMP_MASKED_EQ"}]}]})
by_hand = explained(HAND, "--evidence", EVIDENCE, "--base", BASE)
assert {r["because"] for r in call(by_hand, "unshare")["reasons"]} == {"evidence", "allowed"}
mount = call(by_hand, "mount")
assert mount["reasons"] == [] and mount["base"]["verdict"] == "refused", mount
assert {e["kind"] for e in mount["exposes"]} >= {"danger", "exploit"}
assert call(by_hand, "socket")["missing_values"] == ["AF_NETLINK, SOCK_RAW|SOCK_CLOEXEC, NETLINK_ROUTE"]
text = whittle("explain", HAND, "--evidence", EVIDENCE, "--base", BASE).stdout
assert "added by hand" in text and "Mounts and file systems" in text, text

print("a name that nobody has is passed over with a warning, as a runtime does")
odd = write("odd.json", {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
    {"names": ["frobnicate", "read"], "action": "SCMP_ACT_LOG"}]})
done = whittle("explain", odd, "read")
assert "frobnicate" in done.stderr and "profile: log" in done.stdout, (done.stderr, done.stdout)

print("without evidence it says so, and tells what it can")
done = whittle("explain", HAND, "--base", BASE, "--json")
assert "no evidence was given" in done.stderr
bare = json.loads(done.stdout)
assert "evidence" not in bare and call(bare, "read")["evidence"] is None
assert call(bare, "execve")["reasons"][0]["because"] == "floor" and call(bare, "unshare")["reasons"] == []

print("one call: by name, by number, on every architecture of the profile or on one")
assert {c["arch"] for c in explained(PROFILE, "socket", "--base", BASE)["calls"]} == {"x86_64", "aarch64"}
(one,) = explained(PROFILE, "198", "--arch", "aarch64", "--base", BASE)["calls"]
assert one["syscall"] == "socket" and one["arch"] == "aarch64" and one["evidence"] is None, one
detail = whittle("explain", PROFILE, "socket", "--arch", "x86_64", "--base", BASE).stdout
for words in ("/usr/bin/server+0x99 open_port", "thread worker", "AF_INET, SOCK_STREAM, IPPROTO_TCP", "startup, load",
              "netlink-route", f"base {BASE}: "):
    assert words in detail, (words, detail)
refused = explained(PROFILE, "mount", "--base", BASE, "--arch", "x86_64")["calls"][0]
assert refused["verdict"] == "refused" and not refused["missing"]

print("the list: grouped, a paragraph a call, nothing twice")
text = whittle("explain", PROFILE, "--base", BASE).stdout
lines = text.splitlines()
assert lines[0].startswith(PROFILE) and "\x1b" not in text
names = [line.split()[0] for line in lines if line.startswith("  ") and not line.startswith("   ")]
assert len(names) == len(set(names)) and set(names) == {c["syscall"] for c in result["calls"]}
assert max(len(line) for line in lines if line.startswith("    ")) <= 100 or "/" in text

print("baselines, other bases, other settings")
docker = explained(f"baseline:{BASE}", "clone", "--base", "podman@5.8.2", "--arch", "x86_64")
assert docker["calls"][0]["base"]["id"] == "podman@5.8.2" and docker["calls"][0]["verdict"] == "conditional"
free = explained(f"baseline:{BASE}", "clone", "--arch", "x86_64", "--caps", "docker,SYS_ADMIN")
assert free["calls"][0]["verdict"] == "allowed", free["calls"][0]
assert explained(PROFILE, "mount", "--base", "none", "--arch", "x86_64")["calls"][0]["base"]["verdict"] == "allowed"
only = explained(EVIDENCE, "--arch", "x86_64", "--base", BASE)
assert {c["arch"] for c in only["calls"]} == {"x86_64"}

print("standard input, a profile or evidence")
with open(PROFILE, encoding="utf-8") as file:
    piped = whittle("explain", "-", "--evidence", EVIDENCE, "--base", BASE, "--json", stdin=file.read())
assert json.loads(piped.stdout)["calls"] == result["calls"]
with open(EVIDENCE, encoding="utf-8") as file:
    assert json.loads(whittle("explain", "-", "--json", "--base", BASE, stdin=file.read()).stdout)["calls"] == own["calls"]

print("bad input: exit 2, nothing on standard output")
shutil.copy(PROFILE, os.path.join(DIRECTORY, "broken.profile.json"))
write("broken.evidence.json", {"schema": "whittle.evidence/v9", "runs": []})
for args, words in [([PROFILE, "sockt"], 'did you mean "socket"?'), ([PROFILE, "99999999999"], "32 bits"),
                    ([PROFILE, "4000"], "no call of"), ([PROFILE, "open", "--arch", "aarch64"], "no call of"),
                    ([PROFILE, "read", "--arch", "s390x"], "unknown architecture"),
                    ([PROFILE, "--base", "docker@99"], "docker@29"), ([EVIDENCE, "--evidence", EVIDENCE], "evidence itself"),
                    ([f"{DIRECTORY}/broken.profile.json"], "schema"), ([f"{DIRECTORY}/none.json"], "none.json"), ([], ""),
                    ([write("list.json", [1, 2])], "list.json"),
                    ([write("s390.json", {"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_S390X"]})],
                     "s390.json /architectures/0")]:
    done = whittle("explain", *args, expect=2)
    assert done.stdout == "" and "whittle: error: " in done.stderr and words in done.stderr, (args, done.stderr)
