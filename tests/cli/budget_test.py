"""Budgets: each rule fails what it is for, at the line of its cause, in every form of report; what is within
passes; bad input is refused before anything runs."""

import json
import os
import shutil
import subprocess

from harness import SOURCE, load, program, skip, temporary_directory, whittle

for tool in ("git", "xmllint"):
    if shutil.which(tool) is None:
        skip(f"{tool} is not installed")

REPOSITORY = temporary_directory()
DIRECTORY = "deploy/app"  # as it is given, from the repository
os.makedirs(f"{REPOSITORY}/{DIRECTORY}")
CACHE = f"{REPOSITORY}/cache"
PROFILE = f"{REPOSITORY}/{DIRECTORY}/app.profile.json"
LIMIT = "60s"  # of the exercise: it ends when its directory is there
RULES = ["looser-profile", "stale-call", "low-score", "too-many-calls", "call-outside-profile"]


def git(*words):
    subprocess.run(["git", "-c", "user.email=t@localhost", "-c", "user.name=t", *words], cwd=REPOSITORY, check=True,
                   capture_output=True)


def write(path, text):
    with open(f"{REPOSITORY}/{path}", "w", encoding="utf-8") as file:
        file.write(text)


def workload(budget="", policy=""):
    """Line 7 has `ready`, the exercise is on line 9."""
    write(f"{DIRECTORY}/workload.yaml", f"""apiVersion: whittle/v1
kind: Workload
name: app
run:
  command: [{program('reload')}, {CACHE}]
stop: {{limit: 30s}}
ready: {{log: serving, limit: 60s}}
exercises:
  - name: reload
    signal: HUP
    holds: {{command: test -d {CACHE}}}
    limit: {LIMIT}
{policy}{budget}""")


def verify(*options, expect=0):
    shutil.rmtree(CACHE, ignore_errors=True)
    done = whittle("verify", DIRECTORY, "--json", "--no-probes", *options, expect=expect, cwd=REPOSITORY)
    return json.loads(done.stdout)


def findings(*options, expect=1):
    """(rule, call, file, line) of each."""
    report = verify(*options, expect=expect)
    assert report["verdict"] == ("fail" if report["budget"] or report["denials"] else "pass"), report
    return sorted((f["rule"], f["syscall"], f["file"], f["line"]) for f in report["budget"])


def line_in(path, words, nth=1):
    with open(f"{REPOSITORY}/{path}", encoding="utf-8") as file:
        return [number for number, line in enumerate(file, 1) if words in line][nth - 1]


def change_profile(add=(), remove=()):
    profile = load(PROFILE)
    for rule in profile["syscalls"]:
        rule["names"] = [name for name in rule["names"] if name not in remove]
    profile["syscalls"] = [rule for rule in profile["syscalls"] if rule["names"]]
    if add:
        profile["syscalls"].append({"names": list(add), "action": "SCMP_ACT_ALLOW"})
    write(f"{DIRECTORY}/app.profile.json", json.dumps(profile, indent=1))


# --- recorded, generated, committed: within its budget ----------------------------------------------------
BUDGET = "budget:\n  against: git:HEAD\n  stale: 2\n  score: 40\n  calls: 120\n"
workload(BUDGET)
git("init", "-q")
git("add", "-A")
git("commit", "-qm", "zero")
# Without privilege ptrace is used, which slows down: it makes the same calls here.
whittle("record", DIRECTORY, "--repeat", "2", cwd=REPOSITORY)
whittle("generate", DIRECTORY, cwd=REPOSITORY)
report = verify()
assert report["verdict"] == "pass" and report["budget"] == [] and report["budget_checked"] == RULES, report
git("add", "-A")
git("commit", "-qm", "one")
assert findings(expect=0) == []
with open(PROFILE, encoding="utf-8") as file:
    GOOD = file.read()
print("within the budget: passes")

# --- looser, and stale ------------------------------------------------------------------------------------
at = f"{DIRECTORY}/app.profile.json"
yaml = f"{DIRECTORY}/workload.yaml"
change_profile(add=["ptrace"])
line = line_in(at, '"ptrace"')
assert findings() == [("looser-profile", "ptrace", at, line), ("stale-call", "ptrace", at, line)]
workload(BUDGET, "policy:\n  allow:\n    - ptrace\n")
line = line_in(yaml, "- ptrace")
assert findings() == [("looser-profile", "ptrace", yaml, line), ("stale-call", "ptrace", yaml, line)]
workload(BUDGET + "  looser: [ptrace]\n  keep: [ptrace]\n")
assert findings(expect=0) == []
workload(BUDGET.replace("stale: 2", "stale: 3"))  # there are two recordings
assert [f[0] for f in findings()] == ["looser-profile"]
text = whittle("verify", DIRECTORY, "--no-probes", cwd=REPOSITORY, expect=1).stdout
assert "3 recordings wanted, the evidence has 2" in text and f"{at}:" in text, text
# A call that an exercise used once is stale by that exercise.
workload(BUDGET.replace("stale: 2", "stale: 1"))
write(f"{DIRECTORY}/app.profile.json", GOOD)
evidence = load(f"{REPOSITORY}/{DIRECTORY}/app.evidence.json")
newest = max(evidence["runs"], key=lambda run: run["started"])
newest["syscalls"] = [call for call in newest["syscalls"] if call["name"] != "mkdir"]
write(f"{DIRECTORY}/older.evidence.json", json.dumps(evidence))
workload(BUDGET.replace("stale: 2", "stale: 1") + "  evidence: [older.evidence.json]\n")
siblings = [f for f in findings(expect=None) if f[0] == "stale-call"]
assert ("stale-call", "mkdir", yaml, 9) in siblings, siblings
print("looser and stale: at the policy, the exercise or the profile")

# --- numbers ----------------------------------------------------------------------------------------------
workload("budget:\n  score: 5000\n  calls: 3\n")
assert {f[0] for f in findings()} == {"low-score", "too-many-calls"}
assert {(f[2], f[3]) for f in findings()} == {(yaml, line_in(yaml, "score:")), (yaml, line_in(yaml, "calls:"))}
write("b.yaml", "calls: 3\n")
assert {f[:4] for f in findings("--budget", "b.yaml")} == {("too-many-calls", None, "b.yaml", 1)}
print("score and calls: at the line of the budget")

# --- outside: recorded, and denied ------------------------------------------------------------------------
LIMIT = "2s"  # all of it is waited for: the directory is never there
workload("budget: {}\n")
change_profile(remove=["mkdir"])
assert findings() == [("call-outside-profile", "mkdir", yaml, 9)]
os.rename(f"{REPOSITORY}/{DIRECTORY}/app.evidence.json", f"{REPOSITORY}/kept.json")
assert findings() == [("call-outside-profile", "mkdir", yaml, 9)]  # by the trial alone
workload("budget: {outside: [mkdir]}\n")
assert findings() == []
os.rename(f"{REPOSITORY}/kept.json", f"{REPOSITORY}/{DIRECTORY}/app.evidence.json")
print("outside the profile: at the exercise that needs it")

# --- the same in every report -----------------------------------------------------------------------------
workload("budget: {calls: 3}\n")
whittle("verify", f"./{DIRECTORY}/", "--no-probes", "--junit", "j.xml", "--sarif", "s.sarif", "--markdown", "m.md", expect=1,
        cwd=REPOSITORY)
subprocess.run(["xmllint", "--noout", "--schema", f"{SOURCE}/tests/fixtures/junit.xsd", f"{REPOSITORY}/j.xml"], check=True,
               capture_output=True)
cases = subprocess.run(["xmllint", "--xpath", "//testcase[failure]/@name", f"{REPOSITORY}/j.xml"], check=True,
                       capture_output=True, text=True).stdout
assert cases.split('"')[1::2] == ["reload", "budget: too-many-calls", "budget: call-outside-profile"], cases
log = load(f"{REPOSITORY}/s.sarif")
assert log["version"] == "2.1.0" and log["runs"][0]["tool"]["driver"]["name"] == "whittle", log
rules = log["runs"][0]["tool"]["driver"]["rules"]
seen = set()
for result in log["runs"][0]["results"]:
    assert rules[result["ruleIndex"]]["id"] == result["ruleId"] and result["message"]["text"], result
    assert result["level"] == "error" and rules[result["ruleIndex"]]["shortDescription"]["text"], result
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == yaml and place["region"]["startLine"] >= 1, place
    seen.add((result["ruleId"], place["region"]["startLine"]))
assert {("denied-call", 9), ("exercise-failed", 9), ("call-outside-profile", 9)} < seen, seen
prints = [r["partialFingerprints"]["primaryLocationLineHash"] for r in log["runs"][0]["results"]]
assert len(set(prints)) == len(prints), prints
with open(f"{REPOSITORY}/m.md", encoding="utf-8") as file:
    markdown = file.read()
for words in ("## whittle verify: fail", "| app | **fail** | enforce | none |", "| budget: too-many-calls |", "| reload | denied: "):
    assert words in markdown, markdown
# Without a workload.yaml the profile is the place.
whittle("verify", "--profile", PROFILE, "--no-probes", "--sarif", "c.sarif", "--budget", "b.yaml", "--for", "1s", "--",
        program("reload"), CACHE, expect=1, cwd=REPOSITORY)
places = {(r["ruleId"], r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])
          for r in load(f"{REPOSITORY}/c.sarif")["runs"][0]["results"]}
assert ("too-many-calls", "b.yaml") in places, places
print("JUnit, SARIF and Markdown say the same")

# --- another commit, and a new profile --------------------------------------------------------------------
LIMIT = "60s"
workload()
write(f"{DIRECTORY}/app.profile.json", GOOD)
change_profile(add=["ptrace"])
git("commit", "-qam", "two")
assert findings("--against", "git:HEAD", expect=0) == []
assert [f[:2] for f in findings("--against", "git:HEAD~1")] == [("looser-profile", "ptrace")]
assert findings("--against", "docker", expect=0) == []  # newer kernels' default allows ptrace
write(f"{DIRECTORY}/new.profile.json", GOOD)
text = whittle("verify", DIRECTORY, "--no-probes", "--profile", f"{DIRECTORY}/new.profile.json", "--against", "git:HEAD",
               cwd=REPOSITORY).stdout
assert f"git:HEAD has no {DIRECTORY}/new.profile.json" in text, text
print("--against another commit, a baseline; new profiles")

# --- bad input --------------------------------------------------------------------------------------------
for budget, words in (
        ("budget: {call: 3}\n", ("call", 'did you mean "calls"', "workload.yaml:13")),
        ("budget: {stale: 0}\n", ("/budget/stale", "from 1 to 1000")),
        ("budget: {keep: [ptrase]}\n", ("ptrase", "did you mean ptrace")),
        ("budget: {evidence: [none.json]}\n", ("none.json",)),
        ("budget: {against: none.json}\n", ("none.json",)),
        ("budget: {against: 'git:nowhere'}\n", ("nowhere", "fetch-depth")),
        ("budget: {against: 'git:--output=x'}\n", ("names no commit", "git:main")),
        ("budget: 3\n", ("/budget",)),
):
    workload(budget)
    said = whittle("verify", DIRECTORY, "--junit", "never.xml", expect=2, cwd=REPOSITORY).stderr
    assert all(word in said for word in words), (budget, said)
workload()
assert "gone.yaml" in whittle("verify", DIRECTORY, "--budget", "gone.yaml", expect=2, cwd=REPOSITORY).stderr
assert not os.path.exists(f"{REPOSITORY}/never.xml")
print("bad input is refused before anything runs")
