"""A full disk: an error that says so, no half-written file, the old file untouched; and no privilege."""

import os
import subprocess

from harness import WHITTLE, for_everybody, require_root, temporary_directory, whittle

require_root()
DIRECTORY = temporary_directory()
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", DIRECTORY], check=True)
try:
    evidence = os.path.join(temporary_directory(), "true.evidence.json")
    whittle("record", "-o", evidence, "--", "true")
    target = os.path.join(DIRECTORY, "true.evidence.json")
    whittle("merge", evidence, "-o", target)
    before = open(target, "rb").read()
    fill = os.open(os.path.join(DIRECTORY, "fill"), os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(fill, b"x" * 4096)
    except OSError:
        os.close(fill)
    done = whittle("merge", evidence, "-o", target, expect=3)
    assert "No space left" in done.stderr and "hint" in done.stderr, done.stderr
    assert open(target, "rb").read() == before, "the old file was harmed"
    assert sorted(os.listdir(DIRECTORY)) == ["fill", "true.evidence.json"], os.listdir(DIRECTORY)
    print(done.stderr.strip())
finally:
    subprocess.run(["umount", DIRECTORY], check=True)

# Without privilege: eBPF when asked for is an error, auto takes ptrace and says why, a container needs root.
nobody = temporary_directory()
os.chown(nobody, 65534, 65534)


BINARY = for_everybody(WHITTLE)


def as_nobody(*arguments):
    return subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all", BINARY,
                           *arguments], capture_output=True, text=True, cwd=nobody)


done = as_nobody("record", "--backend", "ebpf", "--", "true")
assert done.returncode == 3 and "ptrace" in done.stderr and os.listdir(nobody) == [], (done.returncode, done.stderr)
print(done.stderr.strip())
done = as_nobody("record", "--", "true")
assert done.returncode == 0 and "ptrace" in done.stderr and "CAP_BPF" in done.stderr, done.stderr
done = as_nobody("generate", "true.evidence.json")
assert done.returncode == 0, done.stderr
done = as_nobody("verify", "--profile", "true.profile.json", "--", "true")
assert done.returncode == 0 and "59 of 59" in done.stdout, (done.stdout, done.stderr)
done = as_nobody("verify", "--profile", "true.profile.json", "--runtime", "runc", "--", "true")
assert done.returncode == 3 and "root" in done.stderr, (done.returncode, done.stderr)
print(done.stderr.strip())

# With privilege a failure of eBPF is an error, never a silent ptrace run: without CAP_BPF's helpers at hand.
done = subprocess.run(["setpriv", "--bounding-set", "-bpf,-perfmon,-sys_admin", "--inh-caps", "-all", WHITTLE, "record", "--backend",
                       "ebpf", "-o", os.devnull, "--", "true"], capture_output=True, text=True)
assert done.returncode == 3, (done.returncode, done.stderr)
print("root without the capabilities:", done.stderr.strip())
