"""Healing: a call on a reload only is found, added with one run and one line, and holds; what is dangerous,
beyond the base or forbidden is not; the record of trials, and the way to production."""

import json
import os
import shutil
import subprocess

from harness import WHITTLE, for_everybody, load, program, require_root, skip, temporary_directory, whittle

require_root()
for tool in ("runc", "crun", "setpriv"):
    if shutil.which(tool) is None:
        skip(f"{tool} is not installed")


def workload(name, body, directory=None):
    """Writes a workload.yaml; its directory."""
    directory = directory or temporary_directory()
    with open(f"{directory}/workload.yaml", "w", encoding="utf-8") as file:
        file.write(f"apiVersion: whittle/v1\nkind: Workload\nname: {name}\n{body}")
    return directory


def report_of(verb, directory, *options, expect=0, **kwargs):
    return json.loads(whittle(verb, directory, "--json", *options, expect=expect, **kwargs).stdout)


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


# --- a call that is made on a reload only ---------------------------------------------------------------
where = temporary_directory()
cache, profile, record = f"{where}/cache", f"{where}/reload.profile.json", f"{where}/reload.trial.json"
answered = f"{where}/answered"  # there once the reload is over, whatever became of it
START = f"run:\n  command: [{program('reload')}, {cache}, {answered}]\nready: {{log: serving}}\n"
RELOAD = f"""exercises:
  - {{name: fresh, command: rm -rf {cache} {answered}}}
  - {{name: reload, signal: HUP, holds: {{command: test -e {answered}}}}}
  - {{name: cached, command: test -d {cache}}}
"""
workload("reload", START, where)
whittle("record", where)
whittle("generate", where)
before, evidence = text_of(profile), text_of(f"{where}/reload.evidence.json")
workload("reload", START + RELOAD, where)
for runtime in ("none", "runc", "crun") if os.environ.get("WHITTLE_ALL") else ("none", "runc"):
    write(profile, before)
    write(f"{where}/reload.evidence.json", evidence)
    failed = report_of("verify", where, "--no-probes", "--runtime", runtime, expect=1)
    assert [e["name"] for e in failed["exercises"] if not e["ok"]] == ["cached"], failed["exercises"]
    (denial,) = failed["denials"]
    assert (denial["syscall"], denial["phase"], denial["comm"]) == ("mkdir", "reload", "reloader"), denial
    assert denial["thread"] and denial["where"]["symbol"] == "make_cache", denial
    if runtime == "none":
        dry = report_of("heal", where, "--runtime", runtime, "--dry-run")
        assert dry["verdict"] == "pass" and dry["written"] is None and text_of(profile) == before, dry
    healed = report_of("heal", where, "--runtime", runtime)
    assert (healed["verdict"], healed["rounds"], healed["refused"]) == ("pass", 1, []), healed
    assert [t["mode"] for t in healed["trials"]] == ["log", "log", "enforce"], healed["trials"]
    (added,) = healed["added"]
    assert (added["arch"], added["syscall"], added["conditions"]) == ("x86_64", "mkdir", []), added
    assert added["exercise"] == "reload" and added["comm"] == "reloader", added
    assert added["where"]["symbol"] == "make_cache" and added["where"]["library"].endswith("reload"), added
    for word in ("reload", "reloader", "make_cache"):
        assert word in added["reason"], added
    assert report_of("verify", where, "--no-probes", "--runtime", runtime)["verdict"] == "pass"
    # One line, for people and in git.
    write(f"{where}/before.json", before)
    shown = whittle("diff", f"{where}/before.json", profile, expect=1).stdout.splitlines()
    assert len(shown) == 2 and shown[0] == "looser" and "mkdir" in shown[1], shown
    lines = subprocess.run(["diff", f"{where}/before.json", profile], capture_output=True, text=True, check=False).stdout
    assert len([line for line in lines.splitlines() if line.startswith(">")]) == 1, lines
    native = json.loads(whittle("diff", f"{where}/before.json", profile, "--json", expect=1).stdout)
    assert native["changes"] == healed["diff"]["changes"], native
    assert {c["syscall"] for c in native["changes"]} == {"mkdir", *added["counterparts"]}, native
    # What was seen is evidence: the profile can be made of it again. (What a container's runtime does
    # before the program, and recorded with it, may bring siblings of its own.)
    assert len(load(f"{where}/reload.evidence.json")["runs"]) == 2
    whittle("generate", where, "-o", f"{where}/again.json")
    whittle("diff", profile, f"{where}/again.json", expect=0 if runtime == "none" else None)
text = whittle("heal", where, "--runtime", "none", "-o", f"{where}/copy.profile.json").stdout
assert "nothing is missing" in text and "0 calls added in 0 rounds" in text and text_of(f"{where}/copy.profile.json") == text_of(profile), text
print("mkdir on SIGHUP: healed natively and in containers; one line")

# --- without privilege ----------------------------------------------------------------------------------
poor = temporary_directory()
os.chmod(poor, 0o777)
command = for_everybody(program("reload"))
workload("reload", START.replace(program("reload"), command).replace(where, poor) + RELOAD.replace(where, poor), poor)
write(f"{poor}/reload.profile.json", before)
os.chown(f"{poor}/reload.profile.json", 65534, 65534)
done = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                       for_everybody(WHITTLE), "heal", poor, "--json"], capture_output=True, text=True,
                      timeout=120, check=False)
assert done.returncode == 0, done
report = json.loads(done.stdout)
assert [a["syscall"] for a in report["added"]] == ["mkdir"] and report["rounds"] == 1, report
assert report["added"][0]["comm"] == "reloader", report
print("the same without privilege, by notification")

# --- the record of trials, and install ------------------------------------------------------------------
sha = subprocess.run(["sha256sum", profile], capture_output=True, text=True, check=True).stdout.split()[0]
trials = load(record)
assert trials["schema"] == "whittle.trial/v1" and trials["workload"] == "reload", trials
assert {t["sha256"] for t in trials["trials"]} == {sha}, trials
assert {"log", "enforce"} == {t["mode"] for t in trials["trials"]}, trials
assert all(t["verdict"] == "pass" and t["complete"] and t["versions"]["kernel"] for t in trials["trials"]), trials
root = f"{where}/root"
known = whittle("install", profile, "--root", root, "--json")
assert json.loads(known.stdout)["without_trial"] == [] and "no passed trial" not in known.stderr, known
unknown = whittle("install", f"{where}/before.json", "--root", root, "--json")
assert json.loads(unknown.stdout)["without_trial"] == [f"{where}/before.json"], unknown.stdout
assert "no passed trial is known" in unknown.stderr, unknown.stderr
write(f"{where}/changed.profile.json", text_of(profile) + "\n")
shutil.copy(record, f"{where}/changed.trial.json")
assert "no passed trial" in whittle("install", f"{where}/changed.profile.json", "--root", root).stderr
print("install: says of what no trial is known")

# --- promote ----------------------------------------------------------------------------------------------
staged = report_of("promote", where, "--to", "log")
variant = load(staged["file"])
assert staged["file"] == f"{where}/deploy/reload.log.json" and variant["defaultAction"] == "SCMP_ACT_LOG", variant
kept = {(rule["action"], name) for rule in variant["syscalls"] for name in rule["names"]}
assert ("SCMP_ACT_ERRNO", "clone3") in kept and {a for a, _ in kept} == {"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"}, kept
for call, action in (("mount", "log"), ("clone3", "errno"), ("mkdir", "allow")):
    assert json.loads(whittle("eval", staged["file"], call, "--json").stdout)["action"] == action, call
assert any("kubectl" in step["command"] for step in staged["runbook"]), staged
refused = report_of("promote", where, "--to", "enforce", "--age", "7d", expect=1)
assert not refused["promoted"] and "168.0" in refused["problems"][0], refused
assert not os.path.exists(f"{where}/deploy/reload.enforce.json")
# A week ago, and now.
history = load(record)
for trial in history["trials"][:-1]:
    trial["started"] = "2026-01-01T00:00:00.000Z"
write(record, json.dumps(history))
report_of("verify", where, "--mode", "log", "--no-probes")
promoted = report_of("promote", where, "--to", "enforce", "--age", "7d")
assert promoted["promoted"] and text_of(promoted["file"]) == text_of(profile), promoted
assert "no passed trial" not in whittle("install", promoted["file"], "--root", root).stderr
# What production shows counts, too.
whittle("record", "-o", f"{where}/live.evidence.json", "--", "sh", "-c", "ls / >/dev/null; mkdir /tmp/. 2>/dev/null; true")
refused = report_of("promote", where, "--to", "enforce", "--evidence", f"{where}/live.evidence.json", expect=1)
assert any("is refused" in problem for problem in refused["problems"]), refused
write(profile, before)
refused = report_of("promote", where, "--to", "enforce", expect=1)
assert "nothing is known" in refused["problems"][0], refused
whittle("verify", where, "--mode", "log", "--no-probes", expect=1)
refused = report_of("promote", where, "--to", "enforce", expect=1)
assert "1 call that enforce mode would refuse" in refused["problems"][0], refused
back = report_of("promote", where, "--to", "fallback", "-o", f"{where}/elsewhere")
assert back["file"] == f"{where}/elsewhere/reload.fallback.json", back
assert whittle("diff", back["file"], "baseline:docker", "--arch", "x86_64", expect=0)
whittle("promote", where, expect=2)
whittle("promote", where, "--to", "log", "--age", "7d", expect=2)
print("promote: log, enforce when it may, and back")

# --- what is not added ----------------------------------------------------------------------------------
place = temporary_directory()
HEAD = f"""import ctypes, os, socket, time
libc = ctypes.CDLL(None)
open('{place}/up', 'w').close()
while True:  # sleeps at least once, so that this call is known
    time.sleep(0.01)
    if os.path.exists('{place}/go'): break
socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0)
"""
MORE = f"""libc.syscall(165, 0, 0, 0, 0, 0)  # mount: dangerous
libc.syscall(425, 1, 0)  # io_uring_setup: dangerous
libc.syscall(272, 0x20000)  # unshare: dangerous
socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)  # new values of a known call
libc.syscall(41, 38, 5, 0)  # socket(AF_ALG): beyond the base
os.mkdir('{place}/made'); os.rmdir('{place}/made')  # rmdir: forbidden by the policy
"""
TAIL = f"open('{place}/done', 'w').close()\nwhile True: time.sleep(1)\n"
for name, script in (("quiet", HEAD + TAIL), ("loud", HEAD + MORE + TAIL)):
    write(f"{place}/{name}.py", script)
    workload("py", f"""run: {{command: [/usr/bin/python3, -S, {place}/{name}.py]}}
ready: {{command: "test -e {place}/up"}}
exercises:
  - {{name: go, command: "touch {place}/go", holds: {{command: "test -e {place}/done"}}}}
  - {{name: clean, command: "rm {place}/up {place}/go {place}/done"}}
policy: {{deny: [rmdir]}}
""", place)
    if name == "quiet":
        whittle("record", place)
        whittle("generate", place)
original = text_of(f"{place}/py.profile.json")
report = report_of("heal", place, expect=1)
assert report["verdict"] == "fail" and text_of(f"{place}/py.profile.json") == original, report
why = {entry["syscall"]: (entry["reason"], entry["fix"]) for entry in report["refused"]}
assert why["mount"][0].startswith("dangerous") and why["mount"][1] == "--allow mount", why
assert {"io_uring_setup", "unshare", "socket", "rmdir"} <= set(why), why
assert "policy.deny" in why["rmdir"][0] and why["rmdir"][1] == "", why
calls = {entry["syscall"]: entry for entry in report["added"]}
assert "mkdir" in calls and "socket" in calls and not {"mount", "rmdir", "unshare"} & set(calls), calls
assert any("AF_NETLINK" in text for text in calls["socket"]["conditions"]), calls["socket"]
assert not any("AF_ALG" in text for text in calls["socket"]["conditions"]), calls["socket"]
assert not any(change["direction"] == "tighter" for change in report["diff"]["changes"]), report["diff"]
text = whittle("heal", place, "--allow", "mount", "--allow", "rmdir", "--dry-run", expect=1).stdout
added, left = text.split("not added\n", 1)
assert "x86_64 mount  when arg3 == 0" in added and "rmdir" not in added, text
assert "rmdir(" in left and "to admit it: --allow unshare" in left and "mount(0, 0" not in left, text
assert "nothing is written" in left, text
print("dangerous calls, those beyond the base and forbidden ones: left out, with the reason")

# --- what cannot be healed --------------------------------------------------------------------------------
other = workload("other", "run: {command: [sh, -c, exit 3]}\n")
shutil.copy(profile, f"{other}/other.profile.json")
report = report_of("heal", other, "--dry-run", expect=1)
assert report["verdict"] == "fail", report
workload("other", "run: {command: [sh, -c, exit 3]}\nprofile: missing.json\n", other)
whittle("heal", other, expect=2)
whittle("heal", other, "--rounds", "0", expect=2)
whittle("heal", where, "-o", "-", "--json", expect=2)
assert "did you mean mkdir" in whittle("heal", where, "--allow", "mkdri", expect=2).stderr
print("what is not for the profile: told")
