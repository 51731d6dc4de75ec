"""whittle generate: from an evidence file to a profile, its summary, its exit status and its errors."""

import json
import os
import tempfile

from harness import load, whittle

ids = 0


def observation(name, nr, arch="x86_64", args=None, tuples=None, **more):
    entry = {"arch": arch, "name": name, "nr": nr, "count": 2, "refused": 0, "first": 0.1, "last": 0.2,
             "phases": ["startup"], "errnos": {}, "args": args or [], "tuples": tuples or []}
    entry.update(more)
    return entry


def evidence(path, calls, workload="nginx", complete=True):
    global ids
    ids += 1
    run = {"id": f"{ids:032x}", "source": "ebpf", "arch": "x86_64", "kernel": "6.1.0",
           "started": "2026-11-24T22:05:27.093Z", "duration": 1.5, "complete": complete,
           "lost": {} if complete else {"events": 3}, "timing": "native", "under": "fallbacks",
           "command": ["/usr/sbin/nginx"], "exit": 0, "notes": [],
           "syscalls": sorted(calls, key=lambda c: c["nr"])}
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"schema": "whittle.evidence/v1", "workload": workload, "runs": [run]}, file)
    return path


def rules_for(profile, name):
    return [rule for rule in profile["syscalls"] if name in rule["names"]]


sockets = [{"indexes": [0, 1, 2], "closed": True, "values": [[2, 526337, 0], [1, 1, 0]]}]
nodelay = [{"indexes": [1, 2], "closed": True, "values": [[6, 1]]}]
nginx = [observation("read", 0), observation("open", 2), observation("sendfile", 40),
         observation("socket", 41, tuples=sockets), observation("setsockopt", 54, tuples=nodelay),
         observation("clone", 56, args=[{"index": 0, "kind": "flags", "closed": True, "values": [18874385]}]),
         observation("clone3", 435, errnos={"ENOSYS": 2})]

with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)

    print("the default output, the rules and the summary")
    evidence("nginx.evidence.json", nginx)
    done = whittle("generate", "nginx.evidence.json")
    assert done.stdout == "", done.stdout
    assert "calls open" in done.stderr and "answered ENOSYS: clone3" in done.stderr, done.stderr
    profile = load("nginx.profile.json")
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    assert profile["architectures"] == ["SCMP_ARCH_AARCH64", "SCMP_ARCH_X86_64"] or \
        profile["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"], profile["architectures"]
    assert rules_for(profile, "sendfile") and rules_for(profile, "openat") and rules_for(profile, "capset")
    assert not rules_for(profile, "mount") and not rules_for(profile, "splice")
    [clone3] = rules_for(profile, "clone3")
    assert (clone3["action"], clone3["errnoRet"]) == ("SCMP_ACT_ERRNO", 38), clone3
    assert all(rule["args"] for rule in rules_for(profile, "socket"))
    for rule in rules_for(profile, "socket") + rules_for(profile, "setsockopt"):
        indexes = [arg["index"] for arg in rule["args"]]
        assert len(set(indexes)) == len(indexes), rule

    print("the same bytes again, and from standard input")
    first = open("nginx.profile.json", "rb").read()
    whittle("generate", "nginx.evidence.json", "-o", "again.json")
    assert open("again.json", "rb").read() == first
    piped = whittle("generate", "-", "-o", "-", stdin=open("nginx.evidence.json", encoding="utf-8").read())
    assert piped.stdout.encode() == first

    print("--json")
    answer = json.loads(whittle("generate", "nginx.evidence.json", "-o", "p.json", "--json").stdout)
    assert answer["profile"] == "p.json" and answer["left_out"] == [] and "clone3" in answer["enosys"]
    assert answer["names"] > 20 and answer["argument_rules"] > 5, answer
    assert answer["allowed"]["x86_64"] < answer["base"]["allowed"]["x86_64"], answer
    reasons = {entry["syscall"]: entry["why"] for entry in answer["reasons"]}
    assert reasons["sendfile"][0]["because"] == "evidence" and "startup" in reasons["sendfile"][0]["text"]
    assert reasons["openat"] and reasons["capset"][0]["because"] == "floor"

    print("what the base refuses is left out, and --allow admits it")
    newuser = [{"index": 0, "kind": "flags", "closed": True, "values": [268435456]}]
    evidence("u.evidence.json", nginx + [observation("unshare", 272, args=newuser)], workload="u")
    done = whittle("generate", "u.evidence.json", "--json", expect=1)
    [left] = json.loads(done.stdout)["left_out"]
    assert (left["syscall"], left["value"], left["fix"]) == ("unshare", "CLONE_NEWUSER", "--allow unshare"), left
    assert "--allow unshare" in done.stderr
    assert not rules_for(load("u.profile.json"), "unshare")
    whittle("generate", "u.evidence.json", "--allow", "unshare")
    [rule] = rules_for(load("u.profile.json"), "unshare")
    assert rule["args"][0]["index"] == 0, rule

    print("options: base, architecture, default, runtime, arguments, headroom, log")
    done = whittle("generate", "u.evidence.json", "--base", "none", "--json")
    assert json.loads(done.stdout)["base"]["id"] == "none", done.stdout
    assert rules_for(load("u.profile.json"), "unshare")
    whittle("generate", "nginx.evidence.json", "--arch", "amd64", "--default", "kill", "--runtime", "none",
            "--arguments", "base", "--headroom", "none", "--log-denials", "-o", "o.json")
    profile = load("o.json")
    assert profile["architectures"] == ["SCMP_ARCH_X86_64"]
    assert profile["defaultAction"] == "SCMP_ACT_KILL_PROCESS"
    assert "SECCOMP_FILTER_FLAG_LOG" in profile["flags"]
    assert not rules_for(profile, "capset") and not rules_for(profile, "openat")
    assert not rules_for(profile, "setsockopt")[0].get("args")
    whittle("generate", "nginx.evidence.json", "--caps", "docker,SYS_ADMIN", "-o", "caps.json")

    print("several files are merged")
    evidence("more.evidence.json", [observation("splice", 275)])
    whittle("generate", "nginx.evidence.json", "more.evidence.json", "-o", "both.json")
    assert rules_for(load("both.json"), "splice") and rules_for(load("both.json"), "sendfile")

    print("incomplete evidence is a warning")
    evidence("part.evidence.json", nginx, complete=False)
    done = whittle("generate", "part.evidence.json", "-o", "part.json")
    assert "incomplete" in done.stderr, done.stderr

    print("a workload's name never leads out of the directory")
    evidence("evil.evidence.json", nginx, workload="../../evil")
    whittle("generate", "evil.evidence.json")
    assert os.path.exists("evil.profile.json")

    print("bad usage and bad input: status 2, a hint, nothing written")
    for arguments, words in [
            (["nginx.evidence.json", "--allow", "unshar"], "unshare"),
            (["nginx.evidence.json", "--allow", "clone3"], "clone3"),
            (["nginx.evidence.json", "--arch", "x86"], "native"),
            (["nginx.evidence.json", "--runtime", "rkt"], "runc"),
            (["nginx.evidence.json", "--base", "docker@1.0"], "docker"),
            (["nginx.evidence.json", "--headroom", "static"], "siblings"),
            (["missing.evidence.json"], "missing.evidence.json"),
            ([], "EVIDENCE")]:
        done = whittle("generate", *arguments, "-o", "bad.json", expect=2)
        assert words in done.stderr, done.stderr
    whittle("generate", "nginx.evidence.json", "-o", "no/such/folder/p.json", expect=2)
    whittle("generate", "nginx.evidence.json", "-o", "-", "--json", expect=2)
    with open("broken.evidence.json", "w", encoding="utf-8") as file:
        file.write('{"schema": "whittle.evidence/v1", "runs": [')
    whittle("generate", "broken.evidence.json", "-o", "bad.json", expect=2)
    assert not os.path.exists("bad.json")

print("ok")
