"""Workloads: workload.yaml recorded, generated from and verified, natively and in containers of runc and
crun; every kind of exercise; what fails is named; nothing that is not known passes."""

import json
import os
import shutil
import socket
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

from harness import SOURCE, WHITTLE, load, program, require_root, skip, temporary_directory, whittle

require_root()
for tool in ("nginx", "runc", "crun", "busybox"):
    if shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None:
        skip(f"{tool} is not installed")

sys.path.insert(0, os.path.join(SOURCE, "demo"))
import traffic  # noqa: E402


def free_port():
    return traffic.free_port()


def workload(name, body, directory=None):
    """Writes a workload.yaml; its directory."""
    directory = directory or temporary_directory()
    with open(f"{directory}/workload.yaml", "w", encoding="utf-8") as file:
        file.write(f"apiVersion: whittle/v1\nkind: Workload\nname: {name}\n{body}")
    return directory


def verify(directory, *options, expect=0):
    return json.loads(whittle("verify", directory, "--json", "--no-probes", *options, expect=expect).stdout)


def exercise(report, name):
    return next(entry for entry in report["exercises"] if entry["name"] == name)


def calls(denials):
    return sorted({denial["syscall"] for denial in denials})


# --- a call that is made on a reload only ---------------------------------------------------------------
directory = temporary_directory()
cache = f"{directory}/cache"
START = f"run:\n  command: [{program('reload')}, {cache}]\nready: {{log: serving, limit: 60s}}\n"
# Where the directory may not be made the limit is waited for, and the program tries it before it ends, whatever the limit.
RELOAD = f"exercises:\n  - name: reload\n    signal: HUP\n    limit: 60s\n    holds: {{command: test -d {cache}}}\n"
REFUSED = RELOAD.replace("60s", "2s")
workload("reload", START, directory)
whittle("record", directory)
assert load(f"{directory}/reload.evidence.json")["runs"][0]["complete"]
whittle("generate", directory)
report = verify(directory)
assert report["verdict"] == "pass" and [e["name"] for e in report["exercises"]] == ["ready", "stop"], report
workload("reload", START + REFUSED, directory)
for runtime in ("none", "runc", "crun"):
    files = [f"{directory}/{runtime}.{kind}" for kind in ("xml", "md", "sarif")]
    done = whittle("verify", directory, "--json", "--no-probes", "--runtime", runtime, "--junit", files[0], "--markdown",
                   files[1], "--sarif", files[2], expect=1)
    report = json.loads(done.stdout)
    (denial,) = report["denials"]
    assert (denial["syscall"], denial["phase"], denial["comm"]) == ("mkdir", "reload", "reloader"), denial
    assert report["runtime"] == runtime and report["verdict"] == "fail" and report["complete"], report
    assert not exercise(report, "reload")["ok"] and "does not hold" in exercise(report, "reload")["detail"], report
    assert exercise(report, "ready")["ok"] and exercise(report, "stop")["ok"], report
    assert "reload failed: Operation not permitted" in done.stderr, done.stderr
    versions = report["versions"]
    assert "GLIBC" in versions["libc"] and versions["kernel"].startswith(os.uname().release), versions
    assert versions["program"].startswith(program("reload")) and "build id" in versions["program"], versions
    assert versions["whittle"] and ("runtime" in versions) == (runtime != "none"), versions
    suite = ElementTree.parse(files[0]).getroot().find("testsuite")
    failed = {case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None}
    assert failed == {"reload"} and suite.get("failures") == "1", failed
    (told,) = (case.find("failure").text for case in suite.iter("testcase") if case.find("failure") is not None)
    assert "does not hold" in told and "denied: x86_64 mkdir(" in told, told
    with open(files[1], encoding="utf-8") as file:
        assert "mkdir" in file.read()
    results = load(files[2])["runs"][0]["results"]
    assert {r["ruleId"] for r in results} == {"denied-call", "exercise-failed"}, results
    place = results[0]["locations"][0]["physicalLocation"]
    assert place["region"]["startLine"] == 8 and place["artifactLocation"]["uri"].endswith("workload.yaml"), place
assert not os.path.exists(cache)
workload("reload", START + RELOAD, directory)
report = verify(directory, "--mode", "log", expect=1)
assert exercise(report, "reload")["ok"] and calls(report["denials"]) == ["mkdir"] and os.path.isdir(cache), report
os.rmdir(cache)
whittle("record", directory)
assert {"reload"} == {phase for call in load(f"{directory}/reload.evidence.json")["syscalls"] if call["name"] == "mkdir"
                      for phase in call["phases"]}
whittle("generate", directory)
shutil.rmtree(cache, ignore_errors=True)
assert verify(directory)["verdict"] == "pass" and os.path.isdir(cache)
print("a call on reload only: found natively, in runc and in crun, by exercise and thread")

# --- a script: it and what it ends up in ----------------------------------------------------------------
script = temporary_directory()
workload("script", f"run: {{command: [{script}/run.sh]}}\n", script)
with open(f"{script}/run.sh", "w", encoding="utf-8") as file:
    file.write("#!/usr/bin/env sh\nexit 0\n")
os.chmod(f"{script}/run.sh", 0o755)
with open(f"{script}/script.profile.json", "w", encoding="utf-8") as file:
    json.dump({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mount"], "action": "SCMP_ACT_ERRNO"}]}, file)
for options in (["--via", "ebpf"], ["--via", "notify"], ["--via", "ptrace"], ["--runtime", "runc"], ["--runtime", "crun"]):
    versions = verify(script, *options)["versions"]
    assert versions["script"] == os.path.realpath(f"{script}/run.sh"), (options, versions)
    assert versions["program"].startswith(os.path.realpath(shutil.which("sh"))), (options, versions)
    assert "build id" in versions["program"] and "GLIBC" in versions["libc"], (options, versions)
print("a script: itself and its interpreter, however it is run")

# --- several workloads, one report ----------------------------------------------------------------------
other = workload("other", "run: {command: [sh, -c, exit 3]}\n")
shutil.copy(f"{directory}/reload.profile.json", f"{other}/other.profile.json")
done = whittle("verify", directory, other, "--json", "--no-probes", "--junit", f"{other}/all.xml", expect=1)
both = json.loads(done.stdout)
assert both["verdict"] == "fail" and [w["verdict"] for w in both["workloads"]] == ["pass", "fail"], both
assert exercise(both["workloads"][1], "run")["detail"] == "exit status 3", both
assert len(ElementTree.parse(f"{other}/all.xml").getroot().findall("testsuite")) == 2
text = whittle("verify", directory, other, "--no-probes", expect=1).stdout
assert "1 of 2 workloads pass" in text, text
print("two workloads: one report")

# --- nginx with a profile of 74 names -------------------------------------------------------------------
def reload_of(site):
    """Two exercises that reload nginx: it has when there is a worker that was not there before. Without that it could be
    told to end before it reloads, and then it does not."""
    old = site.path("workers")
    return (f'{{name: workers, command: "pgrep -P $WHITTLE_PID >{old}"}}',
            f'{{name: reload, signal: HUP, holds: {{command: "pgrep -P $WHITTLE_PID | grep -vxFf {old}"}}}}')


upstream = traffic.start_upstream()
site = traffic.Site(upstream.server_port)
url = f"http://127.0.0.1:{site.port}"
WORKERS, RELOAD_IT = reload_of(site)
where = workload("nginx", f"""run:
  command: {json.dumps(site.command())}
  runtime: runc
ready: {{http: "{url}/page0.html", limit: 60s}}
exercises:
  - {{name: get, http: {{url: "{url}/page1.html", keepAlive: true}}, repeat: 50, concurrency: 4}}
  - {WORKERS}
  - {RELOAD_IT}
stop: {{signal: QUIT, limit: 60s}}
profile: {SOURCE}/tests/fixtures/nginx-74-names.json
""")
report = verify(where, expect=1)
assert report["verdict"] == "fail" and "mkdir" in calls(report["denials"]), report
assert not exercise(report, "ready")["ok"] and exercise(report, "get")["done"] == 0, report
# It is its end that is seen, not that the limit is over.
assert "when the workload ended: " in exercise(report, "ready")["detail"], report
print(f"nginx with 74 names: fails on {calls(report['denials'])}")
for temporary in ("body", "proxy", "fastcgi", "uwsgi", "scgi"):
    shutil.rmtree(site.path("tmp-" + temporary), ignore_errors=True)
needed = verify(where, "--mode", "log", expect=1)
assert all(e["ok"] for e in needed["exercises"]), needed["exercises"]
missing = calls(needed["denials"])
assert {"mkdir"} < set(missing) and needed["complete"] and not needed["undecided"], missing
profile = load(f"{SOURCE}/tests/fixtures/nginx-74-names.json")
assert not set(missing) & {name for rule in profile["syscalls"] for name in rule["names"]}, missing
print(f"... and in log mode all that it lacks in one run: {missing}")
# With those it passes: the list was the whole one.
profile["syscalls"].append({"names": missing, "action": "SCMP_ACT_ALLOW"})
with open(f"{where}/more.json", "w", encoding="utf-8") as file:
    json.dump(profile, file)
report = verify(where, "--profile", f"{where}/more.json", expect=None)
assert not report["denials"], (missing, calls(report["denials"]))
assert report["verdict"] == "pass" and exercise(report, "get")["done"] == 50, report
site.remove()

# --- a root file system of its own, and an OCI bundle in a network of its own ---------------------------
box = temporary_directory()
os.makedirs(f"{box}/rootfs/bin")
for name in ("proc", "sys", "dev", "tmp", "www"):
    os.mkdir(f"{box}/rootfs/{name}")
shutil.copy(shutil.which("busybox"), f"{box}/rootfs/bin/busybox")
with open(f"{box}/rootfs/www/index.html", "w", encoding="utf-8") as file:
    file.write("hello from the box\n")
port = free_port()
BOX = f"""ready: {{tcp: "{port}", limit: 60s}}
exercises:
  - {{name: page, http: {{url: "http://127.0.0.1:{port}/", status: 200, contains: hello}}, repeat: 3}}
  - {{name: missing, http: {{url: "http://127.0.0.1:{port}/nothing", status: 404}}}}
stop: {{signal: KILL}}
"""
HTTPD = ["/bin/busybox", "httpd", "-f", "-p", str(port), "-h", "/www"]
for runtime in ("runc", "crun"):
    workload("box", f"run:\n  rootfs: rootfs\n  command: {json.dumps(HTTPD)}\n  runtime: {runtime}\n" + BOX, box)
    whittle("record", box)
    evidence = load(f"{box}/box.evidence.json")
    assert evidence["runs"][0]["complete"] and evidence["runs"][0]["runtime"].startswith(runtime), evidence["runs"]
    assert any("page" in call["phases"] for call in evidence["syscalls"] if call["name"].startswith("accept")), evidence
    whittle("generate", box)
    for under in ("runc", "crun"):
        report = verify(box, "--runtime", under)
        assert report["verdict"] == "pass" and report["runtime"] == under, report
whittle("verify", box, "--runtime", "none", expect=2)
bundle = f"{box}/bundle"
os.mkdir(bundle)
subprocess.run(["runc", "spec"], cwd=bundle, check=True)
config = load(f"{bundle}/config.json")
config["process"]["args"] = HTTPD
config["root"] = {"path": "../rootfs", "readonly": True}
assert config["process"]["terminal"] and {"type": "network"} in config["linux"]["namespaces"], config
with open(f"{bundle}/config.json", "w", encoding="utf-8") as file:
    json.dump(config, file)
for runtime in ("runc", "crun"):
    workload("box", f"run:\n  bundle: bundle\n  runtime: {runtime}\n" + BOX, box)
    whittle("record", box)
    whittle("generate", box)
    report = verify(box)
    assert report["verdict"] == "pass" and exercise(report, "page")["done"] == 3, report
    assert report["versions"]["libc"] == "none (static)", report["versions"]
print("a root file system and a bundle with a network of its own: recorded and verified by runc and crun")

# --- a daemon: what it leaves behind is exercised and ended ----------------------------------------------
site = traffic.Site(upstream.server_port)
with open(site.path("nginx.conf"), encoding="utf-8") as file:
    text = file.read().replace("daemon off;", "daemon on;")
with open(site.path("nginx.conf"), "w", encoding="utf-8") as file:
    file.write(text)
# It is a daemon when whittle, the shell's parent, has taken it over from the command.
DAEMON = f"read -r pid <{site.pid_file} && grep -qx PPid:.$PPID /proc/$pid/status"
WORKERS, RELOAD_IT = reload_of(site)
where = workload("daemon", f"""run: {{command: {json.dumps(site.command())}}}
ready: {{command: {json.dumps(DAEMON)}, limit: 60s}}
exercises:
  - {WORKERS}
  - {RELOAD_IT}
  - {{name: get, http: "http://127.0.0.1:{site.port}/page0.html"}}
stop: {{limit: 60s}}
""")
whittle("record", where)
whittle("generate", where)
# nginx may sleep for a moment in its end, or not, whatever was recorded.
report = verify(where, "--mode", "log", expect=None)
assert all(e["ok"] for e in report["exercises"]) and set(calls(report["denials"])) <= {"clock_nanosleep"}, report
left = subprocess.run(["pgrep", "-f", site.directory], capture_output=True, text=True, check=False).stdout
assert not left, left
print("a daemon: reloaded, and stopped")
site.remove()

# --- what must not pass ---------------------------------------------------------------------------------
shutil.copy(f"{directory}/reload.profile.json", f"{other}/other.profile.json")
closed = socket.socket()  # a port that nobody listens on, and nobody else gets
closed.bind(("127.0.0.1", 0))
closed_port = closed.getsockname()[1]
for body, lost, failing, detail in (
        (f"run: {{command: [sleep, '60']}}\nready: {{tcp: '{closed_port}', limit: 500ms}}\nexercises: [{{name: a, wait: 1s}}]\n",
         ["ready", "a"], "ready", "was not there within 0.5 s"),
        ("run: {command: [sh, -c, 'echo broken; exit 7']}\nready: {log: never, limit: 20s}\n", ["ready"], "ready", "exit status 7"),
        ("run: {command: [sh, -c, 'sleep 60 & exit 7']}\nready: {log: never, limit: 60s}\n", ["ready"], "ready",
         "when the workload ended: exit status 7"),
        ("run: {command: [sh, -c, 'sleep 0.2; exit 7']}\nexercises: [{name: a, wait: 20s}]\n", ["a"], "a", "exit status 7"),
        ("run: {command: [sh, -c, 'trap \"\" TERM; echo deaf; while :; do sleep 0.1; done']}\nready: {log: deaf, limit: 60s}\n"
         "stop: {limit: 500ms}\n", ["stop"], "stop", "had to be killed"),
        ("run: {command: [sleep, '60']}\nexercises: [{name: a, command: 'echo why; exit 4'}]\n", ["a"], "a",
         "exit status 4; it printed: why"),
        (f"run: {{command: [sleep, '60']}}\nexercises: [{{name: a, http: 'http://127.0.0.1:{closed_port}/'}}]\n", ["a"], "a",
         "Connection refused"),
        (f"run: {{command: [sleep, '60']}}\nexercises: [{{name: a, limit: 500ms, repeat: 9, command: sleep 0.2}}]\n", ["a"], "a",
         "within its limit"),
        # What the workload does of itself was seen all the same.
        ("run: {command: [sh, -c, exit 3]}\n", [], "run", "exit status 3"),
        ("run: {command: [sh, -c, 'trap \"exit 5\" TERM; echo up; while :; do sleep 0.1; done']}\nready: {log: up}\n", [], "stop",
         "exit status 5"),
):
    workload("other", body, other)
    done = whittle("record", other, "-o", f"{other}/e.json", expect=1 if lost else 0)
    assert f"{failing}: " in done.stderr and detail in done.stderr, (body, done.stderr)
    (run,) = load(f"{other}/e.json")["runs"]
    assert run["complete"] == (not lost) and run["lost"]["exercises"] == len(lost), (body, run["lost"])
    assert ("not seen as workload.yaml asks: " + ", ".join(lost) in run["notes"]) == bool(lost), (body, run["notes"])
print("what is not ready, ends, fails, or will not stop: told")

# --- values past what there is room for are undecided, and no pass ---------------------------------------
FLOOD = "import os; f = os.open('/dev/zero', 0); [os.lseek(f, i, 0) for i in range(3000)]"
where = workload("flood", f"run: {{command: [python3, -c, {json.dumps(FLOOD)}]}}\n")
profile = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
    {"names": ["lseek"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 1, "value": 1 << 30, "op": "SCMP_CMP_EQ"}]}]}
with open(f"{where}/flood.profile.json", "w", encoding="utf-8") as file:
    json.dump(profile, file)
done = whittle("verify", where, "--json", "--no-probes", expect=1,
               env={**os.environ, "WHITTLE_RECORDER_ENTRIES": "256"})
report = json.loads(done.stdout)
assert report["verdict"] == "fail" and calls(report["undecided"]) == ["lseek"] and not report["denials"], report
assert report["undecided"][0]["count"] > 2000 and report["lost"]["judged"] > 2000 and not report["complete"], report
print(f"undecided: {report['undecided']}")
