"""install: what lands where, what is refused, going back, pruning, the engines' defaults."""
import json
import os
import stat
import subprocess

from harness import WHITTLE, temporary_directory

work = temporary_directory()
root = os.path.join(work, "seccomp")
os.umask(0o077)


def profile(name, *calls):
    path = os.path.join(work, name)
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"],
                   "syscalls": [{"names": list(calls), "action": "SCMP_ACT_ALLOW"}]}, file)
    return path


def install(*args, expect=0, store=root, **kwargs):
    done = subprocess.run([WHITTLE, "install", "--root", store, *args], capture_output=True, text=True, check=False,
                          timeout=60, **kwargs)
    assert done.returncode == expect, (args, done)
    return done


def changes(*args, store=root):
    report = json.loads(install("--json", *args, store=store).stdout)
    return {file["name"]: file["change"] for file in report["files"]}


def content(name):
    with open(os.path.join(root, name), encoding="utf-8") as file:
        return file.read()


def mode(name):
    return stat.S_IMODE(os.stat(os.path.join(root, name)).st_mode)


first, second = profile("app.json", "read", "write"), profile("other.json", "read")

# Only said, then done; the umask does not count; what is unchanged keeps its inode and times.
assert changes(first, "--dry-run") == {"app.json": "new"} and not os.path.exists(root)
assert changes(first) == {"app.json": "new"}
assert mode("app.json") == 0o644 and mode(".") == 0o755
before = os.stat(os.path.join(root, "app.json"))
assert changes(first) == {"app.json": "unchanged"}
after = os.stat(os.path.join(root, "app.json"))
assert (before.st_ino, before.st_mtime_ns, before.st_ctime_ns) == (after.st_ino, after.st_mtime_ns, after.st_ctime_ns)
os.chmod(os.path.join(root, "app.json"), 0o600)
assert changes(first) == {"app.json": "mode"} and mode("app.json") == 0o644
assert changes(second, "--into", "team/a") == {"team/a/other.json": "new"}
assert mode("team") == mode("team/a") == 0o755

# A new version, back, and forth; what was new goes away and comes again.
old = content("app.json")
profile("app.json", "read", "write", "close")
assert changes(first, second) == {"app.json": "replaced", "other.json": "new"}
new = content("app.json")
assert new != old
assert changes("--rollback", "--dry-run") == {"app.json": "restored", "other.json": "removed"} and content("app.json") == new
assert changes("--rollback") == {"app.json": "restored", "other.json": "removed"}
assert content("app.json") == old and not os.path.exists(os.path.join(root, "other.json"))
assert changes("--rollback", "app.json") == {"app.json": "restored"} and content("app.json") == new
assert changes("--rollback", "other.json") == {"other.json": "restored"}
assert "not installed" in install("--rollback", "never.json", expect=2).stderr

# Somebody else's file is replaced, said so, and kept.
with open(os.path.join(root, "theirs.json"), "w", encoding="utf-8") as file:
    file.write("mine")
report = json.loads(install(first, "--name", "theirs.json", "--json").stdout)
assert report["files"][0]["foreign"] is True and report["files"][0]["change"] == "replaced"
assert changes("--rollback", "theirs.json") == {"theirs.json": "restored"} and content("theirs.json") == "mine"

# What can't be installed: one line that says why, exit 2, and nothing happens.
listing = sorted(os.listdir(root))
os.symlink(work, os.path.join(root, "link"))
os.symlink(first, os.path.join(root, "linked.json"))
os.mkdir(os.path.join(root, "directory.json"))
for arguments, word in (([first, "--name", "../out.json"], "leads out"), ([first, "--name", "a/../../out.json"], "leads out"),
                        ([first, "--name", "/abs.json"], "empty"), ([first, "--name", "a\nb.json"], "character"),
                        ([first, "--name", ".hidden"], "hidden"), ([first, "--name", "n" * 300], "200 bytes"),
                        ([first, "--name", b"\xff.json"], "character"), ([first, "--into", "link"], "symbolic link"),
                        ([first, "--name", "linked.json"], "a link"), ([first, "--name", "directory.json"], "a link"),
                        ([first, first], "both become"), ([first, second, "--name", "x"], "one profile"),
                        (["-"], "needs a name"), ([], "which profile"), ([work + "/missing.json"], "missing.json"),
                        ([first, "--list", "--prune"], "give one")):
    done = install(*arguments, expect=2, stdin=subprocess.DEVNULL)
    assert word in done.stderr and done.stderr.count("error:") == 1, (arguments, done.stderr)
bad = os.path.join(work, "bad.json")
for text, word in (('{"defaultAction": "SCMP_ACT_ERRNO", "archMap": [{"architecture": "SCMP_ARCH_X86_64"}]}', "Docker"),
                   ('{"defaultAction": "SCMP_ACT_NOTIFY"}', "runc"), ('{"defaultAction"', "bad.json:1")):
    with open(bad, "w", encoding="utf-8") as file:
        file.write(text)
    assert word in install(first, bad, expect=2).stderr
assert sorted(set(os.listdir(root)) - {"link", "linked.json", "directory.json"}) == listing
assert not [name for name in os.listdir(root) if name.startswith(".whittle-tmp")]

# Directories, standard input, baselines.
many = os.path.join(work, "many")
os.mkdir(many)
os.mkdir(os.path.join(many, "..data"))
for i in range(30):
    profile(f"many/p{i}.json", "read", *(["write"] if i % 2 else []))
assert len(changes(many, "--into", "many")) == 30 and set(changes(many, "--into", "many").values()) == {"unchanged"}
with open(first, "rb") as file:
    install("-", "--name", "stdin.json", stdin=file)
assert changes("baseline:docker@29.4.3") == {"docker@29.4.3.json": "new"}

# The engines' defaults; what uses a profile keeps it from being pruned.
etc = os.path.join(work, "etc")
os.makedirs(etc + "/docker")
with open(etc + "/docker/daemon.json", "w", encoding="utf-8") as file:
    json.dump({"log-level": "warn", "seccomp-profile": "/old.json"}, file)
install(first, "--as-default", "docker", "--etc", etc)
install("stdin.json", "--as-default", "podman", "--etc", etc, cwd=root)
with open(etc + "/docker/daemon.json", encoding="utf-8") as file:
    assert json.load(file) == {"log-level": "warn", "seccomp-profile": root + "/app.json"}
with open(etc + "/containers/containers.conf.d/50-whittle-seccomp.conf", encoding="utf-8") as file:
    assert f'seccomp_profile = "{root}/stdin.json"' in file.read()
files = {file["name"]: file for file in json.loads(install("--list", "--json", "--etc", etc).stdout)["files"]}
assert files["app.json"]["used_by"] == ["Docker's default"] and files["stdin.json"]["used_by"] == ["Podman's default"]
assert files["theirs.json"]["state"] == "foreign" and files["app.json"]["state"] == "installed"
with open(os.path.join(root, "foreign.json"), "w", encoding="utf-8") as file:
    file.write("{}")
if os.geteuid() == 0:  # who uses what can't be seen by others
    install("--prune", "--etc", etc)
    kept = {name for name in os.listdir(root) if name.endswith(".json")}
    assert kept == {"app.json", "stdin.json", "theirs.json", "foreign.json", "linked.json", "directory.json"}, kept
    install("--prune", "--etc", os.path.join(work, "none"))
    assert not os.path.exists(os.path.join(root, "app.json"))
with open(os.path.join(root, ".whittle/installed.json"), "w", encoding="utf-8") as file:
    file.write("{")
assert "installed.json" in install(first, expect=2).stderr
