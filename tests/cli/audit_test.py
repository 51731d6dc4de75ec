"""whittle audit: seccomp records out of every kind of log, made by the tools themselves; losses; evidence.

The logs in tests/fixtures/audit were written by dmesg, journald, auditd and ausearch while two programs
(tests/programs/logged.c) ran."""

import collections
import json
import os

from harness import SOURCE, load, temporary_directory, whittle

LOGS = os.path.join(SOURCE, "tests/fixtures/audit")
os.environ["TZ"] = "UTC"


def fixture(name):
    return os.path.join(LOGS, name)


def audit(*args, expect=1, **kwargs):
    return json.loads(whittle("audit", "--json", *args, expect=expect, **kwargs).stdout)


def table(report):
    return collections.Counter({(g["arch"], g["syscall"], g["nr"], g["action"], g["signal"], g["comm"], g["exe"]): g["count"]
                                for g in report["groups"]})


def counts(report):
    return tuple(report[key] for key in ("records", "duplicates", "malformed", "lost", "rate_limited"))


# What tests/programs/logged.c makes, in a process of that name.
def made(comm, exe="/usr/bin/logged", first=2, kill_process="kill_process", kill_thread="kill_thread"):
    calls = [("x86_64", "getppid", 110, "log", 0, first), ("x86_64", "geteuid", 107, "errno", 0, 1),
             ("x86_64", "getuid", 102, "trap", 0, 1), ("x86_64", "getpgid", 121, "trace", 0, 1),
             ("x86_64", "getsid", 124, "notify", 0, 1), ("x86_64", "getgid", 104, kill_thread, 31, 1),
             ("x86_64", "getegid", 108, kill_process, 31, 1), ("x86", "getpid", 20, "log", 0, 1),
             ("x32", "getpid", 0x40000000 + 39, "log", 0, 1)]
    return collections.Counter({(*call[:5], comm, exe): call[5] for call in calls})


SPLIT = "/opt/a b sig=0 arch=x86_64 syscall=read"
AUDITD = made('a "b') + made("beef") + made("a exe=/x", first=1) + made("x", SPLIT, first=1)

print("auditd's log, raw and enriched, and ausearch's raw and default output")
for name in ("auditd-enriched.log", "auditd-raw.log", "ausearch-raw.txt", "ausearch.txt"):
    report = audit(fixture(name))
    assert table(report) == AUDITD, (name, table(report) - AUDITD, AUDITD - table(report))
    assert counts(report) == (38, 0, 0, 0, 0) and report["complete"], (name, report)
    assert min(g["first"] for g in report["groups"]) == "2026-11-27T07:22:01.060Z", name

print("ausearch -i: the same, but that it does not tell the kills apart")
report = audit(fixture("ausearch-i.txt"))
killed = [dict(kill_process="kill", kill_thread="kill")] * 4
assert table(report) == (made('a "b', **killed[0]) + made("beef", **killed[0]) + made("a exe=/x", first=1, **killed[0]) +
                         made("x", SPLIT, first=1, **killed[0])), table(report)
assert min(g["first"] for g in report["groups"]) == "2026-11-27T07:22:01.060Z"

print("dmesg with each of its options, and /dev/kmsg")
kernel = audit(fixture("dmesg.txt"))
assert table(kernel) >= made('a "b'), table(kernel)
for name in ("dmesg-T", "dmesg-x", "dmesg-r", "dmesg-iso", "dmesg-t", "dmesg-d", "dmesg-J", "kmsg"):
    assert audit(fixture(name + ".txt")) == kernel, name

print("journalctl's outputs: copies by journald and the kernel count once")
journal = audit(fixture("journal-json.txt"))
assert counts(journal) == (29, 9, 0, 0, 4), journal
assert table(journal) >= made('a "b') + made("plain", first=1)
for name in ("export", "pretty", "verbose", "sse", "seq", "short", "iso", "cat", "mono", "unix", "full"):
    other = audit(fixture(f"journal-{name}.txt"))
    assert table(other) == table(journal) and counts(other) == counts(journal), name
assert [g["first"] for g in audit(fixture("journal-iso.txt"))["groups"]] == [g["first"] for g in journal["groups"]]

print("several logs at once, and standard input: what both hold counts once")
both = audit(fixture("auditd-enriched.log"), fixture("ausearch-raw.txt"))
assert table(both) == AUDITD and both["duplicates"] == 38
with open(fixture("auditd-raw.log"), encoding="utf-8") as file:
    text = file.read()
assert audit("-", stdin=text) == audit(fixture("auditd-raw.log"))
for line_end in ("\r\n",):
    assert table(audit("-", stdin=text.replace("\n", line_end))) == AUDITD

print("losses are counted and said")
lossy = (text.splitlines()[0] + "\n" + text.splitlines()[1][:100] + """
[ 1.0] audit: audit_lost=3 audit_rate_limit=0 audit_backlog_limit=64
[ 1.0] audit: backlog limit exceeded
[ 2.0] audit: audit_lost=9 audit_rate_limit=0 audit_backlog_limit=64
[ 3.0] kauditd_printk_skb: 160 callbacks suppressed
Nov 27 07:00:00 host evil[3]: audit: """ + "type=1326 audit(1.000:1): pid=1 arch=c000003e syscall=1 code=0x0\n")
done = whittle("audit", "--json", "-", stdin=lossy, expect=1)
report = json.loads(done.stdout)
assert counts(report) == (1, 0, 1, 9, 160) and report["foreign"] == 1 and not report["complete"], report
for word in ("lost 9 audit records", "160 records were not printed", "1 seccomp record could not be read", "not believed"):
    assert word in done.stderr, (word, done.stderr)
clean = whittle("audit", "-", stdin="nothing here\n", expect=0)
assert "0 records" in clean.stdout

print("evidence: what was logged was made, the rest was refused; it merges with itself to itself")
os.chdir(temporary_directory())
whittle("audit", fixture("auditd-raw.log"), "-o", "a.evidence.json", expect=1)
evidence = load("a.evidence.json")
run = evidence["runs"][0]
assert run["source"] == "audit" and not run["complete"] and run["lost"]["not_logged"] == 1
calls = {(c["arch"], c["name"]): c for c in run["syscalls"]}
assert calls["x86_64", "getppid"]["count"] == 6 and calls["x86_64", "getppid"].get("refused", 0) == 0
assert calls["x86_64", "geteuid"]["count"] == calls["x86_64", "geteuid"]["refused"] == 4
assert calls["x32", "getpid"]["nr"] == 0x40000000 + 39
whittle("audit", fixture("auditd-enriched.log"), "-o", "b.evidence.json", expect=1)
assert json.loads(whittle("merge", "a.evidence.json", "b.evidence.json").stdout)["runs"] == evidence["runs"]

print("a change of the profile: dangerous calls only when named, arguments and fallbacks told apart")


def record(serial, nr, arch="c000003e", code="0x50000", comm="app"):
    return (f'type=SECCOMP msg=audit(1700000000.000:{serial}): auid=1 uid=0 gid=0 ses=1 pid=7 comm="{comm}" exe="/bin/{comm}" sig=0 '
            f"arch={arch} syscall={nr} compat=0 ip=0x1 code={code}\n")


with open("p.json", "w", encoding="utf-8") as file:
    json.dump({"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
        {"names": ["read"], "action": "SCMP_ACT_ALLOW"}, {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
        {"names": ["prctl"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 15, "op": "SCMP_CMP_EQ"}]}]}, file)
# mkdir, mount, clone3, prctl, socket, read, x32 getpid, a number without a name
log = "".join(record(i + 1, nr) for i, nr in enumerate((83, 83, 165, 435, 157, 41, 0, 0x40000000 + 39, 5000)))
suggestion = audit("-", "--profile", "p.json", stdin=log)["suggestion"]
advice = {c["syscall"]: c["advice"] for c in suggestion["calls"]}
assert advice == {"mkdir": "add", "mount": "dangerous", "clone3": "fallback", "prctl": "arguments", "socket": "arguments",
                  "read": "allowed", "getpid": "closed", "syscall_5000": "nameless"}, advice
assert suggestion["add"] == [{"names": ["mkdir"], "action": "SCMP_ACT_ALLOW"}]
assert any("no arguments" in text for text in suggestion["cautions"]) and any("errno" in text for text in suggestion["cautions"])
named = audit("-", "--profile", "p.json", "--allow", "mount", stdin=log)["suggestion"]
assert named["add"][0]["names"] == ["mkdir", "mount"]
assert [c["dangerous"] for c in named["calls"] if c["syscall"] == "mount"] == [True]
text = whittle("audit", "-", "--profile", "p.json", stdin=log, expect=1).stdout
assert "+ mkdir" in text and "2 records on x86_64, by app" in text and "--allow mount" in text, text
assert '{"names":["mkdir"],"action":"SCMP_ACT_ALLOW"}' in text and "caution" in text
assert "did you mean" in whittle("audit", "-", "--profile", "p.json", "--allow", "mont", stdin=log, expect=2).stderr
whittle("audit", "-", "--allow", "mount", stdin=log, expect=2)
whittle("audit", "--follow", "log", expect=2)
whittle("audit", "--for", "3", "-", expect=2)

print("bad input: one clear error, nothing written")
with open("log.gz", "wb") as file:
    file.write(b"\x1f\x8b\x08\x00rest")
done = whittle("audit", "log.gz", "-o", "new.json", expect=2)
assert "compressed by gzip" in done.stderr and "zcat log.gz | whittle audit -" in done.stderr, done.stderr
assert not os.path.exists("new.json")
assert "cannot read the log" in whittle("audit", "missing.log", expect=2).stderr
assert "directory" in whittle("audit", ".", expect=2).stderr
