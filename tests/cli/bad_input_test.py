"""Bad input gets one clear error with its place, the right exit code, and leaves nothing behind."""

import json
import os
import subprocess

from harness import WHITTLE, temporary_directory, whittle

DIRECTORY = temporary_directory()
os.chdir(DIRECTORY)


def write(name, content):
    with open(name, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    return name


def fails(*arguments, code=2, says=(), leaves=(), **kwargs):
    before = set(os.listdir("."))
    done = whittle(*arguments, expect=code, **kwargs)
    lines = done.stderr.strip().splitlines()
    errors = [line for line in lines if line.startswith("whittle: error: ")]
    assert len(errors) == 1, (arguments, done.stderr)
    assert len(lines) <= 2 and all(line.startswith("whittle: error: ") or line.strip().startswith("hint: ") for line in lines), lines
    assert done.stdout == "", done.stdout
    for text in says:
        assert text in done.stderr, (arguments, text, done.stderr)
    left = set(os.listdir(".")) - before - set(leaves)
    assert not left, (arguments, left)
    print("exit", code, "|", errors[0][len("whittle: error: "):][:140])


# Commands that cannot be run: said before anything is recorded.
write("script", "echo hi\n")
fails("record", "--", "no-such-command-at-all", says=["no-such-command-at-all", "PATH"])
fails("record", "--", "./script", says=["not executable", "chmod"])
fails("record", "--", "./", says=["directory"])
fails("record", "--", "./missing", says=["no such file"])
os.chmod("script", 0o755)
fails("record", "--backend", "ptrace", "--", "./script", says=["Exec format error"])  # no "#!"
fails("record", says=["no command given", "--pid"])
fails("record", "--ready", "nonsense", "--", "true", says=["--ready", "tcp:"])
fails("record", "--for", "soon", "--", "true", says=["--for"])
fails("record", "--repeat", "0", "--", "true", says=["--repeat"])
fails("record", "--backend", "magic", "--", "true", says=["magic"])
fails("record", "--under", "dokcer", "--", "true", says=["dokcer"])

# Output that cannot be written is an error before the work, so that no recording is thrown away.
os.mkdir("folder")
fails("record", "-o", "no/such/folder/e.json", "--", "sh", "-c", "touch ran", says=["no/such/folder"])
fails("record", "-o", "folder", "--", "sh", "-c", "touch ran", says=["directory"])
assert not os.path.exists("ran"), "the command ran though its evidence could not be written"
fails("merge", "-o", "no/such/e.json", "missing.json", says=["no/such"])

closed = subprocess.run(f"exec {WHITTLE} record --backend ptrace -o - -- touch ran >&-", shell=True, stderr=subprocess.PIPE, text=True)
assert closed.returncode == 3 and "standard output" in closed.stderr and not os.path.exists("ran"), closed

# A later run that fails does not take the ones before it along.
write("once", "#!/bin/sh\nrm once\n")
os.chmod("once", 0o755)
done = whittle("record", "--backend", "ptrace", "--repeat", "2", "-o", "once.json", "--", "./once", expect=2)
assert "no such file" in done.stderr and len(json.load(open("once.json"))["runs"]) == 1, done.stderr
os.unlink("once.json")

# A pipe behind /dev/stdout is written into.
piped = subprocess.run(f"{WHITTLE} record --backend ptrace -o /dev/stdout -- true | cat", shell=True, capture_output=True, text=True)
assert json.loads(piped.stdout)["runs"][0]["complete"] is True, piped

# Evidence: missing, empty, cut, wrong, hostile, deep, huge.
good = '{"schema":"whittle.evidence/v1","workload":"w","runs":[],"syscalls":[]}'
run = {"id": "0123456789abcdef", "source": "ebpf", "arch": "x86_64", "kernel": "6.1", "complete": True, "lost": {},
       "timing": "native", "exit": 0,
       "syscalls": [{"arch": "x86_64", "name": "read", "nr": 0, "count": 1, "phases": ["startup"], "errnos": {},
                     "args": [], "tuples": []}]}


def evidence(**changes):
    return json.dumps({"schema": "whittle.evidence/v1", "workload": "w", "runs": [{**run, **changes}], "syscalls": []})


whittle("merge", write("good.json", good))
whittle("merge", write("one.json", evidence()))
bad = {
    "missing": None,
    "empty": "",
    "cut": evidence()[:-20],
    "other-schema": good.replace("v1", "v9"),
    "not-json": "nginx: read write open",
    "array": "[]",
    "twice": good[:-1] + ',"workload":"x"}',
    "trailing": good + "{}",
    "wrong-number": evidence(syscalls=[{**run["syscalls"][0], "nr": 1}]),
    "negative": evidence(syscalls=[{**run["syscalls"][0], "count": -1}]),
    "fraction": evidence(syscalls=[{**run["syscalls"][0], "count": 1.5}]),
    "too-large": evidence(syscalls=[{**run["syscalls"][0], "count": 1 << 70}]),
    "bad-arch": evidence(arch="vax"),
    "lies": evidence(lost={"calls": 7}),
    "phases": evidence(syscalls=[{**run["syscalls"][0], "phases": [str(i) for i in range(100000)]}]),
    "deep": "[" * 100000 + "]" * 100000,
    "nul": b"\0" * 1000,
    "control": evidence(syscalls=[{**run["syscalls"][0], "name": "\x1b[31mread\x07", "nr": 77777}]),
}
for name, content in bad.items():
    path = f"{name}.evidence.json"
    if content is not None:
        write(path, content)
    for arguments in (["merge", path, "-o", "out.json"], ["generate", path, "-o", "out.json"]):
        done = whittle(*arguments, expect=None)
        if name == "control" and done.returncode in (0, 1):
            assert "\x1b" not in done.stderr, done.stderr
            os.unlink("out.json")
            continue
        fails(*arguments, says=[path])
fails("generate", "one.json", "-o", "one.json", says=["one.json"])
os.truncate(write("huge.evidence.json", good), 5 << 30)  # sparse: reading must stop at the limit
fails("merge", "huge.evidence.json", says=["larger than"])
os.unlink("huge.evidence.json")

# Profiles likewise, by every command that reads one.
profile = '{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64"],"syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}'
whittle("eval", write("good.profile.json", profile), "read")
for name, content in {
    "missing": None, "empty": "", "cut": profile[:-10], "array": "[]", "deep": '{"syscalls":' * 5000,
    "action": profile.replace("SCMP_ACT_ALLOW", "ALLOW"),
    "key": profile.replace('"syscalls"', '"syscals"'),
    "docker": profile.replace('"action"', '"includes":{"caps":["CAP_SYS_ADMIN"]},"action"'),
    "nul": profile.replace('"read"', '"read\\u0000x"'),
    "negative": profile.replace('"action"', '"args":[{"index":0,"value":-1,"op":"SCMP_CMP_EQ"}],"action"'),
    "index": profile.replace('"action"', '"args":[{"index":6,"value":1,"op":"SCMP_CMP_EQ"}],"action"'),
}.items():
    path = f"{name}.profile.json"
    if content is not None:
        write(path, content)
    for arguments in (["eval", path, "read"], ["show", path], ["score", path], ["probe", path],
                      ["verify", "--profile", path, "--", "true"]):
        fails(*arguments, says=[path])
fails("eval", "baseline:docker@99.0.0", "read", says=["99.0.0"])
fails("eval", "good.profile.json", "raed", says=["raed", "read"])
fails("verify", "--", "true", says=["--profile"])
fails("verify", "--profile", "good.profile.json", "--user", "root", "--runtime", "runc", "--", "true", says=["--user"])
fails("verify", "--profile", "good.profile.json", "--", "no-such-command-at-all", says=["no-such-command-at-all"])
fails("no-such-verb", says=["no-such-verb"])
fails("recrod", "--", "true", says=["record"])

# A profile under which the program cannot even start: no hang, no success.
done = whittle("verify", "--profile", "good.profile.json", "--", "true", expect=None, timeout=60)
assert done.returncode in (1, 2) and ("execve" in done.stderr + done.stdout), (done.returncode, done.stdout, done.stderr)
print("exit", done.returncode, "| a profile without execve")

# Standard output closed early ends quietly; a full one is an error.
quiet = subprocess.run(f"{WHITTLE} baseline list | head -n 1", shell=True, capture_output=True, text=True)
assert quiet.stderr == "", quiet.stderr
full = subprocess.run(f"{WHITTLE} baseline list > /dev/full", shell=True, capture_output=True, text=True)
assert full.returncode == 3 and "No space left" in full.stderr, (full.returncode, full.stderr)
print("exit 3 | a full standard output")
