"""whittle lint: the contract of its output and exit codes, inputs of every kind, suppressions, SARIF."""

import json
import os
import subprocess

from harness import SOURCE, WHITTLE, temporary_directory, whittle

directory = temporary_directory()
NGINX = os.path.join(SOURCE, "tests", "fixtures", "nginx-74-names.json")


def write(name, content):
    path = os.path.join(directory, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(content if isinstance(content, str) else json.dumps(content, indent=1))
    return path


def findings(*args, expect=1, **kwargs):
    return json.loads(whittle("lint", *args, "--json", expect=expect, **kwargs).stdout)["findings"]


def by_rule(found, rule):
    return [finding for finding in found if finding["rule"] == rule]


print("the 74 names that are copied for nginx: what aarch64 lacks and needs, clone and socket unrestricted")
found = findings(NGINX)
lacking = {finding["calls"][0]: finding["message"] for finding in by_rule(found, "missing-counterpart")}
assert set(lacking) == {"access", "arch_prctl", "dup2", "epoll_create", "epoll_wait", "stat", "unlink"}, lacking
for call, needed in {"access": "faccessat", "dup2": "dup3", "epoll_create": "epoll_create1", "epoll_wait": "epoll_pwait",
                     "stat": "newfstatat", "unlink": "unlinkat", "arch_prctl": "nothing takes its place"}.items():
    assert needed in lacking[call] and "aarch64 has no " + call in lacking[call], lacking[call]
assert by_rule(found, "clone-flags") and by_rule(found, "socket-families")
assert all(set(finding) >= {"rule", "severity", "file", "pointer", "message", "fix"} for finding in found)
clone = by_rule(found, "clone-flags")[0]
names = json.load(open(NGINX, encoding="utf-8"))["syscalls"][0]["names"]
assert clone["pointer"] == f"/syscalls/0/names/{names.index('clone')}" and clone["file"] == NGINX
assert open(NGINX, encoding="utf-8").read().splitlines()[clone["line"] - 1].strip() == '"clone",', clone["line"]

print("the same in text, with a place for each finding and a summary")
text = whittle("lint", NGINX, expect=1).stdout
assert f"{NGINX}:{clone['line']}: warning: clone-flags: clone may make new namespaces" in text, text
assert text.splitlines()[-1].endswith("in 1 profile"), text
assert "\x1b" not in text

print("--fail-on")
with open(os.path.join(SOURCE, "data", "runtime-floor.tsv"), encoding="utf-8") as file:
    rows = [line.split("\t") for line in file.read().splitlines() if line.startswith("runc\t")]
needed = sorted({name for row in rows for name in row[-1].split()} | {"exit", "umask", "getrandom"})
quiet = write("quiet.json", {"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
    {"names": needed, "action": "SCMP_ACT_ALLOW"},
    {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]})
severities = {finding["severity"] for finding in findings(quiet, expect=0)}
assert severities == {"note"}, findings(quiet, expect=None)
whittle("lint", quiet, "--fail-on", "note", expect=1)
whittle("lint", NGINX, "--fail-on", "error", expect=0)

print("a generated profile and Docker's own default: no errors")
assert not [f for f in findings("baseline:docker", "--fail-on", "error", expect=0) if f["severity"] == "error"]
assert not by_rule(findings("baseline:docker", "--base", "docker"), "looser-than-base")

print("standard input, several files, a directory")
with open(NGINX, encoding="utf-8") as file:
    assert {f["file"] for f in findings("-", stdin=file.read())} == {"standard input"}
write("tree/a/one.json", {"defaultAction": "SCMP_ACT_LOG"})
write("tree/two.json", {"defaultAction": "SCMP_ACT_ALLOW"})
write("tree/package.json", {"name": "no profile"})
write("tree/.hidden/three.json", {"defaultAction": "SCMP_ACT_LOG"})
write("tree/notes.txt", "not looked at")
done = whittle("lint", os.path.join(directory, "tree"), quiet, "--json", expect=1)
assert {os.path.basename(f["file"]) for f in json.loads(done.stdout)["findings"]} == {"one.json", "two.json", "quiet.json"}
assert "package.json: passed over" in done.stderr and "hidden" not in done.stderr, done.stderr

print("Docker's dialect: keys that change the meaning are findings, or read as Docker does")
docker = write("docker.json", {"defaultAction": "SCMP_ACT_ERRNO", "archMap": [
    {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}], "syscalls": [
    {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
    {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
    {"names": ["bpf"], "action": "SCMP_ACT_ALLOW"}]})
found = findings(docker)
assert [f["pointer"] for f in by_rule(found, "docker-only-key")] == ["/archMap", "/syscalls/1/includes"]
assert {f["calls"][0] for f in by_rule(found, "dangerous-call")} == {"mount", "bpf"}
found = findings(docker, "--dialect", "docker", "--arch", "amd64")
assert not by_rule(found, "docker-only-key") and by_rule(found, "compat-open")[0]["pointer"] == "/archMap"
assert [(f["calls"][0], f["pointer"]) for f in by_rule(found, "dangerous-call")] == [("bpf", "/syscalls/2/names/0")]
found = findings(docker, "--dialect", "docker", "--arch", "amd64", "--caps", "docker,SYS_ADMIN")
assert {f["calls"][0] for f in by_rule(found, "dangerous-call")} == {"mount", "bpf"}

print("looser than a base: by a call, by an argument, and never than itself")
base = write("base.json", {"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
    {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"},
    {"names": ["dup"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 10, "op": "SCMP_CMP_LE"}]}]})
loose = write("loose.json", {"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
    {"names": ["read", "close"], "action": "SCMP_ACT_ALLOW"},
    {"names": ["dup"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 11, "op": "SCMP_CMP_LE"}]}]})
looser = by_rule(findings(loose, "--base", base), "looser-than-base")
assert [f["calls"] for f in looser] == [["close"], ["dup"]] and "dup(0xb, ...)" in looser[1]["message"], looser
assert not by_rule(findings(base, "--base", base), "looser-than-base")
narrow = by_rule(findings(base, "--base", loose), "looser-than-base")
assert [f["calls"] for f in narrow] == [["write"]], narrow

print("suppressions: with a reason and a date; expired and unused ones are findings; what is missing is an error")
entry = {"rule": "clone-flags", "file": "nginx-*.json", "call": "clone", "reason": "a sandbox", "expires": "2999-12-31"}
accepted = write("accepted.yaml", "suppress:\n  - rule: clone-flags\n    file: 'nginx-*.json'\n    call: clone\n"
                                  "    reason: a sandbox\n    expires: 2999-12-31\n")
result = json.loads(whittle("lint", NGINX, "--suppress", accepted, "--json", expect=1).stdout)
assert not by_rule(result["findings"], "clone-flags")
assert [(f["rule"], f["reason"], f["expires"]) for f in result["suppressed"]] == [("clone-flags", "a sandbox", "2999-12-31")]
assert "; 1 suppressed" in whittle("lint", NGINX, "--suppress", accepted, expect=1).stdout
expired = write("expired.yaml", {"suppress": [dict(entry, expires="2020-01-31")]})
found = findings(NGINX, "--suppress", expired)
assert by_rule(found, "clone-flags") and by_rule(found, "suppression-expired")[0]["pointer"] == "/suppress/0"
unused = write("unused.yaml", {"suppress": [dict(entry, call="fork"), dict(entry, file="other.json")]})
found = findings(NGINX, "--suppress", unused)
assert by_rule(found, "clone-flags")
assert [f["pointer"] for f in by_rule(found, "suppression-unused")] == ["/suppress/0"], found
whole = write("whole.yaml", {"suppress": [dict(entry, rule="missing-counterpart", pointer="/syscalls/0", call="dup2")]})
assert len(by_rule(findings(NGINX, "--suppress", whole), "missing-counterpart")) == 6
for missing in ("rule", "reason", "expires"):
    bad = write("bad.yaml", {"suppress": [{key: value for key, value in entry.items() if key != missing}]})
    assert missing in whittle("lint", NGINX, "--suppress", bad, expect=2).stderr
for change, said in (({"reason": " "}, '"reason" is empty'), ({"expires": "soon"}, '"soon" is no date'),
                     ({"rule": "clone-flag"}, 'did you mean "clone-flags"'), ({"until": "x"}, 'unknown key "until"')):
    bad = write("bad.yaml", {"suppress": [dict(entry, **change)]})
    assert said in whittle("lint", NGINX, "--suppress", bad, expect=2).stderr, said
whittle("lint", NGINX, "--suppress", os.path.join(directory, "none.yaml"), expect=2)
write("here/.whittle-lint.yaml", {"suppress": [entry]})
assert not by_rule(findings(NGINX, cwd=os.path.join(directory, "here")), "clone-flags")

print("SARIF 2.1.0: rules, places, levels, suppressions")
log = json.loads(whittle("lint", NGINX, "--suppress", accepted, "--sarif", expect=1).stdout)
assert log["version"] == "2.1.0" and log["$schema"].startswith("https://") and len(log["runs"]) == 1
driver = log["runs"][0]["tool"]["driver"]
assert driver["name"] == "whittle"
results = log["runs"][0]["results"]
assert len(results) == len(findings(NGINX))
for result in results:
    rule = driver["rules"][result["ruleIndex"]]
    assert rule["id"] == result["ruleId"] and rule["help"]["text"].endswith("docs/lint.md#" + result["ruleId"])
    assert result["level"] in ("error", "warning", "note") and result["message"]["text"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "file://" + NGINX and place["region"]["startLine"] >= 1
suppressed = [result for result in results if "suppressions" in result]
assert [r["ruleId"] for r in suppressed] == ["clone-flags"]
assert suppressed[0]["suppressions"] == [{"kind": "external", "justification": "a sandbox"}]
odd = write("a b%.json", {"defaultAction": "SCMP_ACT_LOG"})
log = json.loads(whittle("lint", os.path.basename(odd), "--sarif", expect=1, cwd=directory).stdout)
assert log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20b%25.json"
assert "give one" in whittle("lint", NGINX, "--sarif", "--json", expect=2).stderr

print("bad input: one clear error with its place, exit 2, and the other files are looked at")
good = write("good.json", {"defaultAction": "SCMP_ACT_LOG"})
for name, content, said in (
        ("cut.json", '{"defaultAction": "SCMP_ACT_ERRNO",\n "syscalls": [', "cut.json:2"),
        ("twice.json", '{"defaultAction": "SCMP_ACT_ERRNO",\n"defaultAction": "SCMP_ACT_ALLOW"}', "stands twice"),
        ("deep.json", "[" * 100_000, "nested deeper"),
        ("action.json", '{"defaultAction": "SCMP_ACT_ALOW"}', 'did you mean "SCMP_ACT_ALLOW"'),
        ("index.json", '{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["dup"], "action": "SCMP_ACT_ALLOW",\n'
                       '"args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]}]}', "index.json:2 /syscalls/0/args/0/index"),
        ("array.json", "[]", "an object is expected"),
        ("list.json", '{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": {}}', "/syscalls"),
        ("empty.json", "", "empty.json:1"),
        ("bytes.json", "\x00\x01\x02", "bytes.json:1"),
        ("huge.json", '{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"action": "SCMP_ACT_ALLOW", "names": ['
         + ",".join('"read"' for _ in range(70_000)) + "]}]}", "over the limit")):
    done = whittle("lint", write(name, content), good, "--json", expect=2)
    assert said in done.stderr, (name, done.stderr)
    assert len([line for line in done.stderr.splitlines() if "error:" in line]) == 1, done.stderr
    assert {os.path.basename(f["file"]) for f in json.loads(done.stdout)["findings"]} == {"good.json"}
whittle("lint", os.path.join(directory, "none.json"), expect=2)
whittle("lint", expect=2)
whittle("lint", NGINX, "--fail-on", "fatal", expect=2)
whittle("lint", NGINX, "--base", "docker@0.1", expect=2)

print("names that try to write to the terminal")
evil = write("evil.json", {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
    {"names": ["\x1b[2Jread"], "action": "SCMP_ACT_ALLOW"}]})
text = whittle("lint", evil, expect=1).stdout
assert "\x1b" not in text and "[2Jread" in text

print("rules made to take for ever: bounded, and said")
many = write("many.json", {"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
    {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [
        {"index": i, "value": (1 << (n % 60)) + n, "op": "SCMP_CMP_NE"} for i in range(6)]} for n in range(60)]})
done = subprocess.run([WHITTLE, "lint", many, "--base", "docker"], capture_output=True, text=True, timeout=120, check=False)
assert done.returncode in (1, 2), done
