"""Every rule of lint, by the cases of tests/lint/RULE.json: profiles with what the rule finds in them, and
profiles in which it finds nothing. "@floor" in a list of names stands for the calls that runtimes need."""

import json
import os
import re

from harness import SOURCE, load, whittle

FLOOR = """arch_prctl brk capget capset chdir close close_range epoll_ctl epoll_pwait execve exit exit_group faccessat2
fchown fcntl fstat fstatfs futex getcwd getdents64 getpid getppid getuid ioctl mmap mprotect nanosleep newfstatat openat
openat2 prctl read recvfrom restart_syscall rt_sigreturn sched_yield set_tid_address setgid setgroups setuid sigaltstack
statx tgkill umask write""".split()

CASES = os.path.join(SOURCE, "tests", "lint")
# Rules about the suppression file, not about profiles: lint_test.py tries them.
NOT_OF_PROFILES = {"suppression-expired", "suppression-unused"}


def expanded(profile):
    for rule in profile["syscalls"]:
        if rule.get("names") == ["@floor"]:
            rule["names"] = FLOOR
    return profile


log = json.loads(whittle("lint", "-", "--sarif", "--fail-on", "error", stdin='{"defaultAction": "SCMP_ACT_LOG"}',
                         expect=None).stdout)
known = [rule["id"] for rule in log["runs"][0]["tool"]["driver"]["rules"]]
assert known == sorted(set(known)) and len(known) > 25, known

print("every rule has a section in docs/lint.md, with an example and a fix, and a file of cases")
with open(os.path.join(SOURCE, "docs", "lint.md"), encoding="utf-8") as file:
    sections = dict(re.findall(r"^### ([a-z0-9-]+)\n(.*?)(?=^###? |\Z)", file.read(), re.M | re.S))
assert set(sections) == set(known), set(sections) ^ set(known)
for rule, text in sections.items():
    assert "**Fix**" in text and len(text) > 200, f"docs/lint.md: {rule} says too little"
files = {name[:-len(".json")] for name in os.listdir(CASES)}
assert files == set(known) - NOT_OF_PROFILES, files ^ (set(known) - NOT_OF_PROFILES)

tried = 0
for rule in sorted(files):
    cases = load(os.path.join(CASES, rule + ".json"))
    assert any(case["finds"] for case in cases), f"{rule}: no case in which it finds something"
    assert any(not case["finds"] for case in cases), f"{rule}: no case in which it finds nothing"
    for case in cases:
        done = whittle("lint", "-", "--json", *case.get("options", []), stdin=json.dumps(expanded(case["profile"])),
                       expect=None)
        assert done.returncode in (0, 1), (rule, case["name"], done.stderr)
        all_found = json.loads(done.stdout)["findings"]
        found = [finding for finding in all_found if finding["rule"] == rule]
        where = f"{rule}, {case['name']}: {json.dumps(found, indent=1)}"
        assert len(found) == len(case["finds"]) or rule == "errno-fallback" and case["finds"], where
        for expected in case["finds"]:
            assert any(finding["severity"] == expected["severity"] and finding["pointer"] == expected["pointer"]
                       and expected["says"] in finding["message"] for finding in found), (expected, where)
        worst = any(finding["severity"] != "note" for finding in all_found)
        assert done.returncode == (1 if worst else 0), where
        tried += 1
print(f"{tried} cases of {len(files)} rules, as their files say")

print("a filter of more instructions than the kernel takes")
many = {"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
    {"names": FLOOR, "action": "SCMP_ACT_ALLOW"}] + [
    {"names": ["fcntl"], "action": "SCMP_ACT_ERRNO", "errnoRet": 2, "args": [
        {"index": 1, "value": 4 * n, "op": "SCMP_CMP_EQ"}, {"index": 2, "value": n, "op": "SCMP_CMP_EQ"}]}
    for n in range(900)]}
many["syscalls"][0]["names"] = [name for name in FLOOR if name != "fcntl"]
findings = json.loads(whittle("lint", "-", "--json", stdin=json.dumps(many), expect=1).stdout)["findings"]
assert any(finding["rule"] == "refused-by-runtime" and "the kernel takes 4096" in finding["message"]
           for finding in findings), findings
