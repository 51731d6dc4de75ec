"""whittle kube patch and kube check --fix: the profile is set in place, and nothing else changes."""

import difflib
import json
import os
import random
import shutil

import yaml

from harness import temporary_directory, whittle

SEED = int(os.environ.get("WHITTLE_SEED", "1"))
ROUNDS = int(os.environ.get("WHITTLE_ROUNDS", "60"))
directory = temporary_directory()
MANIFEST = """# what the shop runs
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    metadata:
      labels: {app: web}   # labels
    spec:
      # the containers
      containers:
        - name: app   # main
          image: nginx
          securityContext:
            seccompProfile:
              type: "Unconfined" # why not
        - image: x
          name: side
---
apiVersion: v1
kind: Pod
metadata: {name: flow}
spec: {containers: [{name: c, image: d}]}
---
apiVersion: v1
kind: Pod
metadata: {name: block}
spec:
  securityContext:
    runAsUser: 1
  containers: [{name: c, image: d, securityContext: {seccompProfile: {type: Localhost, localhostProfile: p/a.json}}}]
---
apiVersion: v1
kind: Pod
metadata: {name: empty}
spec:
  securityContext: {}
  containers:
  - name: c
    image: d
    securityContext:
---
apiVersion: v1
kind: Pod
metadata: {name: shared}
spec:
  containers:
  - name: c
    securityContext: &sc
      seccompProfile:
        type: Localhost
        localhostProfile: x/y.json   # gone with RuntimeDefault
  - name: d
    securityContext: *sc
"""


def write(name, content):
    path = os.path.join(directory, name)
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(content)
    return path


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def changes(before, after):
    """The lines that went, and those that came."""
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0))[2:]
    return [line[1:] for line in lines if line[0] == "-"], [line[1:] for line in lines if line[0] == "+"]


def patch(path, choice, *args):
    return whittle("kube", "patch", path, "--set", choice, "-o", "-", *args).stdout


def specs(text):
    return [(one["spec"]["template"] if one["kind"] == "Deployment" else one)["spec"] for one in yaml.safe_load_all(text)]


def contexts(spec):
    return spec["containers"] + [spec]


print("every pod and every container with a profile of its own gets it; a strict reader agrees")
path = write("all.yaml", MANIFEST)
for choice, profile in (("RuntimeDefault", {"type": "RuntimeDefault"}), ("runtime/default", {"type": "RuntimeDefault"}),
                        ("localhost/profiles/a.json", {"type": "Localhost", "localhostProfile": "profiles/a.json"}),
                        ("localhost/odd name: #1", {"type": "Localhost", "localhostProfile": "odd name: #1"})):
    edited = patch(path, choice)
    for before, after in zip(specs(MANIFEST), specs(edited)):
        assert after["securityContext"]["seccompProfile"] == profile, after
        for old, new in zip(contexts(before), contexts(after)):
            had = ((old.get("securityContext") or {}).get("seccompProfile")) is not None
            assert not had or new["securityContext"]["seccompProfile"] == profile, new
            for one in (old, new):  # nothing else is different
                context = one.get("securityContext")
                if context is not None:
                    context.pop("seccompProfile", None)
                if not context:
                    one.pop("securityContext", None)
            assert old == new, (old, new)
    gone, came = changes(MANIFEST, edited)
    comments = [line[line.index("#"):] for line in MANIFEST.splitlines() if "#" in line and "gone with" not in line]
    assert all(comment in edited for comment in comments)
    assert len(gone) <= 6 and len(came) <= 20, (gone, came)
    again = patch(write("again.yaml", edited), choice)
    assert again == edited, "a second time changes nothing"

print("the layout: new lines stand below the key, with its indentation")
edited = patch(path, "RuntimeDefault")
assert """    spec:
      securityContext:
        seccompProfile:
          type: RuntimeDefault
      # the containers
""" in edited, edited
assert 'type: "RuntimeDefault" # why not' in edited
assert "spec: {securityContext: {seccompProfile: {type: RuntimeDefault}}, containers: [{name: c, image: d}]}" in edited

print("one container, one workload")
edited = patch(path, "localhost/a.json", "--container", "side")
assert changes(MANIFEST, edited) == ([], ["          securityContext:", "            seccompProfile:", "              type: Localhost",
                                          "              localhostProfile: a.json"]), changes(MANIFEST, edited)
edited = patch(path, "RuntimeDefault", "--workload", "Pod/block")
assert [spec.get("securityContext") for spec in specs(edited)].count({"seccompProfile": {"type": "RuntimeDefault"}}) == 0
assert specs(edited)[2]["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}, "runAsUser": 1}
assert "nothing to set" in whittle("kube", "patch", path, "--set", "RuntimeDefault", "--workload", "nobody", expect=2).stderr

print("JSON, carriage returns, a byte order mark, no newline at the end")
pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"securityContext": {"runAsUser": 5}, "containers": [
    {"name": "a", "image": "b"}]}}
text = json.dumps(pod, indent=2) + "\n"
edited = patch(write("pod.json", text), "localhost/a.json")
assert json.loads(edited)["spec"]["securityContext"] == {"runAsUser": 5, "seccompProfile": {
    "type": "Localhost", "localhostProfile": "a.json"}}
assert changes(text, edited) == ([], ['      "seccompProfile": {"type": "Localhost", "localhostProfile": "a.json"},']), edited
whittle("kube", "patch", write("pod2.json", json.dumps(pod)), "--set", "RuntimeDefault")
assert json.loads(read(os.path.join(directory, "pod2.json")))["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
windows = write("crlf.yaml", "\ufeffapiVersion: v1\r\nkind: Pod\r\nmetadata: {name: \u00e4}\r\nspec:\r\n  containers:\r\n  - name: c")
whittle("kube", "patch", windows, "--set", "RuntimeDefault")
edited = read(windows)
assert edited.count("\r\n") == edited.count("\n") == 8 and edited.startswith("\ufeff") and edited.endswith("- name: c"), edited

print("what an anchor shares is not changed behind the back of others: refused, and the file stays")
shared = write("shared.yaml", """apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  securityContext: &sc {runAsUser: 1}
  containers:
  - name: c
    securityContext: *sc
""")
before = read(shared)
done = whittle("kube", "patch", shared, "--set", "RuntimeDefault", expect=2)
assert "can't be edited in place" in done.stderr and read(shared) == before, done.stderr
block = write("block.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: c\n    image: i\n"
                            "    securityContext:\n      seccompProfile:\n        type: >-\n          Unconfined\n")
before = read(block)
done = whittle("kube", "patch", block, "--set", "RuntimeDefault", expect=2)
assert "block.yaml:10" in done.stderr and read(block) == before, done.stderr

print("check --fix: what is unset or unconfined, and no more; the mode of the file stays")
fixed = write("fixed.yaml", MANIFEST)
os.chmod(fixed, 0o640)
done = whittle("kube", "check", "--fix", fixed, expect=0)
assert "fixed.yaml: edited" in done.stderr, done.stderr
assert os.stat(fixed).st_mode & 0o777 == 0o640
gone, came = changes(MANIFEST, read(fixed))
assert gone == ['              type: "Unconfined" # why not', "spec: {containers: [{name: c, image: d}]}", "  securityContext: {}"], gone
assert "localhostProfile: p/a.json" in read(fixed) and "localhostProfile: x/y.json" in read(fixed)
stamp = os.stat(fixed).st_mtime_ns
whittle("kube", "check", "--fix", fixed, expect=0)
assert os.stat(fixed).st_mtime_ns == stamp, "nothing to fix, nothing written"
local = write("local.yaml", MANIFEST)
whittle("kube", "check", "--fix", "--set", "localhost/profiles/a.json", local, expect=0)
assert read(local).count("localhostProfile: profiles/a.json") == 4, read(local)



def random_pod(rng):
    def context():
        one = {}
        if rng.random() < 0.5:
            one["runAsUser"] = rng.randint(1, 9)
        if rng.random() < 0.5:
            one["seccompProfile"] = rng.choice([{"type": "Unconfined"}, {"type": "RuntimeDefault"}, None, {},
                                                {"localhostProfile": "a b.json", "type": "Localhost"}])
        return rng.choice([one, one, one, None])

    def owner(**more):
        return {**more, "securityContext": context()} if rng.random() < 0.6 else more

    containers = [owner(name=f"c{i}", image="i", args=["a: b", "# no comment", "two\nlines\n"]) for i in range(rng.randint(1, 3))]
    members = list(owner(containers=containers, hostNetwork=False, nodeSelector={}).items())
    rng.shuffle(members)
    return {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p"}, "spec": dict(members)}


def random_text(rng, pod):
    """The pod in some layout, with comments."""
    if rng.random() < 0.2:
        return json.dumps(pod, indent=rng.choice([None, 1, 2, 4])) + rng.choice(["", "\n"])
    text = yaml.dump(pod, sort_keys=False, default_flow_style=rng.choice([False, False, None, True]), indent=rng.randint(2, 6),
                     width=rng.choice([30, 80, 1000]), default_style=rng.choice([None] * 9 + ['"', "'"]))
    lines = text.splitlines(keepends=True)
    for _ in range(rng.randint(0, 6)):
        at = rng.randrange(len(lines))
        tried = lines.copy()
        tried[at] = rng.choice([tried[at].rstrip("\n") + "  # comment\n", tried[at] + " " * rng.randint(0, 8) + "# comment\n", tried[at] + "\n"])
        try:
            if yaml.safe_load("".join(tried)) == pod:
                lines = tried
        except yaml.YAMLError:
            pass
    return "".join(lines)


print("random pods in random layouts: what a strict reader sees is what was asked for, or it is refused and says why")
rng = random.Random(SEED)
edited_number = 0
for _ in range(ROUNDS):
    pod = random_pod(rng)
    text = random_text(rng, pod)
    choice, profile = rng.choice([("RuntimeDefault", {"type": "RuntimeDefault"}),
                                  ("localhost/p/a.json", {"type": "Localhost", "localhostProfile": "p/a.json"})])
    done = whittle("kube", "patch", "-", "--set", choice, "-o", "-", stdin=text, expect=None)
    if done.returncode != 0:
        assert done.returncode == 2 and "can't be edited in place" in done.stderr and not done.stdout, (text, done.stderr)
        continue
    edited_number += 1
    wanted = json.loads(json.dumps(pod))
    owned = [one for one in wanted["spec"]["containers"] if (one.get("securityContext") or {}).get("seccompProfile") is not None]
    for one in [wanted["spec"]] + owned:
        one["securityContext"] = {**(one.get("securityContext") or {}), "seccompProfile": profile}
    assert yaml.safe_load(done.stdout) == wanted, (text, done.stdout)
    # A comment goes only with the line of a localhostProfile that goes.
    lost = text.count("# comment") - done.stdout.count("# comment")
    assert 0 <= lost <= sum("# comment" in line and "localhostProfile" in line for line in text.splitlines()), (text, done.stdout)
assert edited_number > ROUNDS * 0.85, edited_number
print(f"{edited_number} of {ROUNDS} edited (WHITTLE_SEED={SEED})")

print("several files are edited or none; usage")
good, bad = write("good.yaml", MANIFEST), shared
whittle("kube", "patch", good, bad, "--set", "RuntimeDefault", expect=2)
assert read(good) == MANIFEST
for args, words in (([path], "--set is missing"), ([path, "--set", "Localhost"], "no seccomp profile"),
                    ([path, "--set", "localhost//a"], "no path below"), ([path, "--set", "localhost/../a"], "no path below"),
                    ([path, bad, "--set", "RuntimeDefault", "-o", "-"], "-o takes one manifest"),
                    (["-", path, "--set", "RuntimeDefault"], "standard input can't be edited"),
                    ([path, "--pss", "baseline", "--set", "RuntimeDefault"], "--pss is an option of another command")):
    done = whittle("kube", "patch", *args, expect=2)
    assert words in done.stderr, (args, done.stderr)
piped = whittle("kube", "patch", "-", "--set", "RuntimeDefault", "-o", "-", stdin=MANIFEST).stdout
assert piped == patch(path, "RuntimeDefault")
assert piped == whittle("kube", "patch", "-", "--set", "RuntimeDefault", stdin=MANIFEST).stdout
assert patch(path, "Localhost/p/a.json") == patch(path, "localhost/p/a.json")
shutil.rmtree(directory)
