"""The jobs of docs/ci do what they say: their script lines are run as they stand, in a clean checkout of a
repository with the example workload, for a change that is good and for one that is not."""

import os
import re
import shutil
import subprocess

import yaml
from harness import SOURCE, WHITTLE, load, skip, temporary_directory

for tool in ("git", "bash", "xmllint"):
    if shutil.which(tool) is None:
        skip(f"{tool} is not installed")

CI = f"{SOURCE}/docs/ci"
HOME = temporary_directory()
os.mkdir(f"{HOME}/bin")
os.symlink(os.path.realpath(WHITTLE), f"{HOME}/bin/whittle")
ENVIRONMENT = {"PATH": f"{HOME}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": HOME, "LANG": "C.UTF-8",
               "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@localhost", "GIT_COMMITTER_NAME": "t",
               "GIT_COMMITTER_EMAIL": "t@localhost"}


def run(script, directory, expect=0, shell=("bash", "-e"), **environment):
    """A script in one shell, as a runner does it."""
    done = subprocess.run([*shell, "-c", script], cwd=directory, env={**ENVIRONMENT, **environment}, capture_output=True,
                          text=True, timeout=280, check=False)
    assert done.returncode == expect, (script, done.returncode, done.stdout, done.stderr)
    return done


# --- what docs/ci/README.md says to do once ---------------------------------------------------------------
work = f"{HOME}/work"
os.makedirs(f"{work}/docs")
shutil.copytree(CI, f"{work}/docs/ci")
run("git init -q -b main", work)
with open(f"{CI}/README.md", encoding="utf-8") as file:
    once = file.read().split("## Once")[1].split("##")[0]
lines = [line.strip() for line in once.splitlines() if line.startswith("    ")]
assert len(lines) == 5 and any("whittle record" in line for line in lines), lines
run("\n".join(lines).replace("git commit", "git commit -m profile"), work)
base = run("git rev-parse HEAD", work).stdout.strip()
print("set up as the page says")

with open(f"{CI}/github-actions.yml", encoding="utf-8") as file:
    github = yaml.safe_load(file)
with open(f"{CI}/gitlab-ci.yml", encoding="utf-8") as file:
    gitlab = yaml.safe_load(file)
# YAML 1.1, which PyYAML reads, takes the key `on` for true.
assert set(github[True]) == {"pull_request", "push"} and github["permissions"]["security-events"] == "write", github


def checkout(name):
    """A clean one of what is committed."""
    shutil.rmtree(f"{HOME}/{name}", ignore_errors=True)
    run(f"git clone -q {work} {name}", HOME)
    return f"{HOME}/{name}"


def expression(text, values):
    """The value of `${{ A || B }}`: the first that is there."""
    for name in text.strip().split(" || "):
        assert name in ("github.event.pull_request.base.sha", "github.event.before"), name
        if values.get(name):
            return values[name]
    return ""


def github_job(expect, **values):
    """Runs the steps; whether the job failed, and what it left."""
    directory = checkout("github")
    summary = f"{HOME}/summary"
    with open(summary, "w", encoding="utf-8") as file:
        file.write("before\n")
    job = github["jobs"]["profiles"]
    environment = {name: re.sub(r"\$\{\{(.*?)\}\}", lambda found: expression(found[1], values), text)
                   for name, text in job["env"].items()}
    failed = False
    used = []
    for step in job["steps"]:
        always = "cancelled()" in step.get("if", "")
        if failed and not always:
            continue
        if "uses" in step:
            used.append(step["uses"].split("@")[0])
            if "sarif_file" in step.get("with", {}):
                assert os.path.exists(f"{directory}/{step['with']['sarif_file']}"), step
            if "path" in step.get("with", {}):
                assert os.listdir(f"{directory}/{step['with']['path']}"), step
            continue
        verifies = "whittle verify" in step["run"]
        run(step["run"], directory, expect=expect if verifies else 0, shell=("bash", "--noprofile", "--norc", "-eo", "pipefail"),
            GITHUB_STEP_SUMMARY=summary, **environment)
        failed = failed or (verifies and expect != 0)
    assert used == ["actions/checkout", "github/codeql-action/upload-sarif", "actions/upload-artifact"], used
    with open(summary, encoding="utf-8") as file:
        return directory, file.read()


def gitlab_job(expect, **variables):
    """The lines of `script` one after another in one shell, until one fails."""
    directory = checkout("gitlab")
    job = gitlab["whittle"]
    assert job["variables"]["GIT_DEPTH"] == "0" and job["artifacts"]["when"] == "always", job
    run("\n".join(job["script"]), directory, expect=expect, **variables)
    return directory, job["artifacts"]["reports"]["junit"]


def check_reports(directory, junit="reports/whittle.xml"):
    subprocess.run(["xmllint", "--noout", "--schema", f"{SOURCE}/tests/fixtures/junit.xsd", f"{directory}/{junit}"], check=True,
                   capture_output=True)
    return [(result["ruleId"], result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])
            for result in load(f"{directory}/reports/whittle.sarif")["runs"][0]["results"]]


# --- a change that is good: the profile as it was ---------------------------------------------------------
run("echo more >notes && git add notes && git commit -qm notes", work)
directory, summary = github_job(0, **{"github.event.pull_request.base.sha": base})
assert summary.startswith("before\n## whittle verify: pass") and check_reports(directory) == [], summary
directory, summary = github_job(0, **{"github.event.before": base})
assert "| web | pass | enforce |" in summary, summary
directory, junit = gitlab_job(0, CI_MERGE_REQUEST_DIFF_BASE_SHA=base)
assert check_reports(directory, junit) == []
gitlab_job(0, CI_COMMIT_BEFORE_SHA=base)
print("a good change passes in both")

# --- one that loosens the profile and takes away what the workload needs ----------------------------------
with open(f"{work}/deploy/web/web.profile.json", encoding="utf-8") as file:
    text = file.read()
changed = text.replace('"bind", ', '"ptrace", ').replace('"bind"', '"ptrace"')  # without bind it ends at once
assert changed != text
with open(f"{work}/deploy/web/web.profile.json", "w", encoding="utf-8") as file:
    file.write(changed)
run("git commit -qam looser", work)
directory, summary = github_job(1, **{"github.event.pull_request.base.sha": base})
assert "## whittle verify: fail" in summary and "bind" in summary and "ptrace" in summary, summary
found = check_reports(directory)
assert ("looser-profile", "deploy/web/web.profile.json") in found, found
assert ("denied-call", "deploy/web/workload.yaml") in found and ("call-outside-profile", "deploy/web/workload.yaml") in found, found
directory, junit = gitlab_job(1, CI_MERGE_REQUEST_DIFF_BASE_SHA=base)
assert check_reports(directory, junit) == found
print(f"a bad one fails in both: {sorted(set(found))}")
