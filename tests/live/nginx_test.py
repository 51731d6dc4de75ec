"""nginx's generated profile under both runtimes, with and without no_new_privileges: every request right,
no denial, every attack step refused, `unshare` EPERM; small, and worth more than Docker's default."""

import json
import os
import shutil
import signal
import subprocess
import sys

from harness import SOURCE, WHITTLE, check_probes, load, require_root, skip, temporary_directory, whittle

sys.path.insert(0, os.path.join(SOURCE, "demo"))
import traffic  # noqa: E402

require_root()
for tool in ("nginx", "runc", "crun"):
    if shutil.which(tool) is None:
        skip(f"{tool} is not installed")

DIRECTORY = temporary_directory()
os.chmod(DIRECTORY, 0o755)
# One run of the demo records, merges, generates and verifies once in runc; its files are used from here on.
demo = subprocess.run([os.path.join(SOURCE, "demo", "run"), WHITTLE, DIRECTORY + "/demo"], capture_output=True,
                      text=True, timeout=270)
print(demo.stdout)
assert demo.returncode == 0, (demo.stdout, demo.stderr)

PROFILE = f"{DIRECTORY}/demo/nginx.profile.json"
names = {name for rule in load(PROFILE)["syscalls"] for name in rule["names"]}
assert len(names) <= 110, (len(names), sorted(names))
score = json.loads(whittle("score", PROFILE, "--json").stdout)["exploits"]
assert score["total"] == 59 and score["blocked"] >= 57, score
default = json.loads(whittle("score", "baseline:docker", "--json").stdout)["exploits"]
assert default["blocked"] == 51, default
print(f"names: {len(names)}; exploits stopped: {score['blocked']} of {score['total']}, Docker's default: {default['blocked']}")

upstream = traffic.start_upstream()
site = traffic.Site(upstream.server_port)
for runtime in ("runc", "crun"):
    for no_new_privileges, stop in (("on", signal.SIGQUIT), ("off", signal.SIGTERM)):
        if os.path.exists(site.pid_file):
            os.unlink(site.pid_file)
        process = subprocess.Popen(
            [WHITTLE, "verify", "--profile", PROFILE, "--runtime", runtime, "--no-new-privileges", no_new_privileges,
             "--json", "--", *site.command()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            started = traffic.wait_for_server(site.port, process)
            if started:
                pid = traffic.wait_for_pid(site.pid_file)
                right, wrong = traffic.drive(site, pid)
                os.kill(pid, stop)
            output, errors = process.communicate(timeout=120)
        finally:
            process.kill()
        assert started, (runtime, no_new_privileges, output, errors)
        report = json.loads(output)
        assert not wrong, wrong
        assert report["denials"] == [], (runtime, no_new_privileges, report["denials"])
        assert report["verdict"] == "pass", (report, errors)
        check_probes(report["probes"], "nginx-runc")
        print(f"{runtime}, no_new_privileges {no_new_privileges}: {right} requests right, no denial, "
              f"{len(report['probes'])} attack steps refused", flush=True)

done = whittle("verify", "--profile", PROFILE, "--runtime", "runc", "--", "no-such-command-at-all", expect=2)
assert "PATH" in done.stderr, done.stderr

# What a person would try first inside the container.
done = whittle("verify", "--profile", PROFILE, "--runtime", "runc", "--json", "--no-probes", "--", "unshare", "-U", "true",
               expect=1)
report = json.loads(done.stdout)
assert "Operation not permitted" in done.stderr, done.stderr
assert [d for d in report["denials"] if d["syscall"] == "unshare" and d["args"][0] == 0x10000000], report
print("unshare in the container: EPERM, and counted as a denial")
site.remove()
