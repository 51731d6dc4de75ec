"""whittle score: allowed calls, stopped exploits, and the comparison with a baseline."""

import json
import os
import tempfile

from harness import SOURCE, load, whittle

directory = tempfile.TemporaryDirectory(prefix="whittle-score-test-")
path = os.path.join(directory.name, "names.json")
names = load(f"{SOURCE}/tests/fixtures/nginx-74-names.json")["syscalls"][0]["names"]
with open(path, "w", encoding="utf-8") as file:
    json.dump({"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"],
               "syscalls": [{"names": names, "action": "SCMP_ACT_ALLOW"}]}, file)

print("fewer names are not more security: 74 bare names against Docker's default")
score = json.loads(whittle("score", path, "--against", "docker@29.4.3", "--json").stdout)
assert score["allowed_syscalls"] == {"x86_64": 74}, score["allowed_syscalls"]
assert score["exploits"]["blocked"] == 11 and score["exploits"]["total"] == 59, score["exploits"]
assert len(score["exploits"]["open"]) == 48
docker = score["against"]
assert docker["exploits"]["blocked"] == 51, docker["exploits"]
assert docker["profile"] == "baseline:docker@29.4.3"
assert set(docker["allowed_syscalls"]) == {"x86_64", "x86", "x32"}
assert docker["allowed_syscalls"]["x86_64"] > 290
assert docker["exploits"]["open_adapted"] == ["CVE-2024-26824"], docker["exploits"]

print("the exploits are those of the data")
known = {exploit["cve"] for exploit in load(f"{SOURCE}/data/exploits.json")["exploits"]}
assert len(known) == 59 and set(score["exploits"]["open"]) <= known
assert score["exploits"]["open"] == sorted(score["exploits"]["open"], key=lambda cve: [int(n) for n in cve.split("-")[1:]])

print("text, and the same by a path and by baseline:ID")
text = whittle("score", path, "--against", "docker@29.4.3").stdout
assert "74 of" in text and "11 of 59 public kernel exploits blocked" in text and "51 of 59" in text, text
assert "against" not in json.loads(whittle("score", path, "--json").stdout)
again = json.loads(whittle("score", path, "--against", "baseline:docker@29.4.3", "--json").stdout)
assert again == score
itself = json.loads(whittle("score", path, "--against", path, "--json").stdout)
assert itself["against"]["exploits"] == itself["exploits"]

print("which rules would close what is open, each tried: applied by hand, the exploits that it names are blocked")
close = score["exploits"]["close"]
assert {entry["cve"] for entry in close} == set(score["exploits"]["open"]) and score["exploits"]["not_closed"] == []
assert score["exploits"]["blocked_when_closed"] == 59
(namespaces,) = [e for e in close if e["cve"] == "CVE-2024-1086"]
assert namespaces["step"] == "user-namespace" and namespaces["syscall"] == "clone" and namespaces["arch"] == "x86_64"
assert namespaces["suggestion"] == ("refuse clone with CLONE_NEWUSER: allow it only when (arg0 & CLONE_NEWUSER) == 0 "
                                    "(the rule at /syscalls/0)"), namespaces
assert namespaces["pointers"] == ["/syscalls/0"]
for step in {entry["step"] for entry in close}:
    entries = [e for e in close if e["step"] == step]
    rules = {json.dumps(rule) for e in entries for rule in e["rules"]}
    calls = {e["syscall"] for e in entries}
    changed = os.path.join(directory.name, "changed.json")
    with open(changed, "w", encoding="utf-8") as file:
        json.dump({"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"],
                   "syscalls": [{"names": [n for n in names if n not in calls], "action": "SCMP_ACT_ALLOW"},
                                *map(json.loads, rules)]}, file)
    after = json.loads(whittle("score", changed, "--json").stdout)["exploits"]["open"]
    assert not {e["cve"] for e in entries} & set(after), (step, after)
    for call in calls:  # and the call is still of use, with other arguments
        assert "allow" in whittle("eval", changed, call, "--arch", "x86_64").stdout, call
for words in ("clone with CLONE_NEWUSER", "refused steps: bpf (5)", "allow it only when arg0 != AF_ALG",
              "with all of these 59 of 59 are blocked"):
    assert words in text, (words, text)

print("with evidence: what the workload would lose, and another step where it uses the one")
evidence = os.path.join(directory.name, "e.json")
with open(evidence, "w", encoding="utf-8") as file:
    json.dump({"schema": "whittle.evidence/v1", "workload": "w", "runs": [{
        "id": "0123456789abcdef", "source": "ebpf", "arch": "x86_64", "kernel": "6.18", "complete": True, "lost": {},
        "timing": "native", "syscalls": [
            {"arch": "x86_64", "name": "socket", "nr": 41, "count": 3, "tuples": [
                {"indexes": [0, 1, 2], "closed": True, "values": [[1, 1, 0]]}]},
            {"arch": "x86_64", "name": "clone", "nr": 56, "count": 1, "args": [
                {"index": 0, "kind": "flags", "closed": True, "values": [0x10000011]}]}]}]}, file)
used = json.loads(whittle("score", path, "--evidence", evidence, "--json").stdout)["exploits"]
assert used["blocked"] == 11 and used["blocked_when_closed"] == 59
steps = {e["cve"]: e for e in used["close"]}
assert steps["CVE-2024-1086"]["step"] == "netlink-netfilter" and steps["CVE-2024-1086"]["used"] is False, steps["CVE-2024-1086"]
by_unix = {e["syscall"]: e["used"] for e in used["close"] if e["cve"] == "CVE-2023-4622"}
assert by_unix == {"socket": True, "socketpair": False}, by_unix
assert "the evidence shows socket with AF_UNIX" in whittle("score", path, "--evidence", evidence).stdout
assert "loses" not in close[0]

print("wrong input")
whittle("score", path, "--evidence", path, expect=2)
assert "docker@0.1" in whittle("score", path, "--against", "docker@0.1", expect=2).stderr
whittle("score", f"{directory.name}/none.json", expect=2)
