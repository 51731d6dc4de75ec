"""What whittle answers for a libseccomp release by its document, against the real one: that of Debian's next
release, fetched with apt into a directory of its own. And its miscompilations are found when it is run itself."""

import glob
import json
import os
import shutil
import subprocess

from harness import skip, temporary_directory, whittle

DIRECTORY = temporary_directory()
if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
    skip("needs apt-get and dpkg-deb")


def fetch():
    """Debian 13's libseccomp.so.2, not installed."""
    for name in ("lists/partial", "cache/archives/partial"):
        os.makedirs(os.path.join(DIRECTORY, name))
    source = os.path.join(DIRECTORY, "sources.list")
    with open(source, "w", encoding="ascii") as file:
        file.write("deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main\n")
    options = ["-qq", "-o", "APT::Sandbox::User=root", "-o", f"Dir::Etc::sourcelist={source}", "-o", "Dir::Etc::sourceparts=/dev/null",
               "-o", f"Dir::State::lists={DIRECTORY}/lists", "-o", f"Dir::Cache={DIRECTORY}/cache"]
    subprocess.run(["apt-get", *options, "update"], check=True, timeout=200)
    subprocess.run(["apt-get", *options, "download", "libseccomp2"], check=True, timeout=200, cwd=DIRECTORY)
    [package] = glob.glob(f"{DIRECTORY}/libseccomp2_*.deb")
    subprocess.run(["dpkg-deb", "-x", package, f"{DIRECTORY}/root"], check=True)
    return glob.glob(f"{DIRECTORY}/root/usr/lib/*/libseccomp.so.2")[0]


library = fetch()
answer = json.loads(whittle("eval", "baseline:docker", "mseal", "--libseccomp", library, "--json").stdout)
release = answer["libseccomp"]["version"]
assert answer["action"] == "allow", answer  # whittle's own is older than the call

for baseline in ("docker", "podman", "containerd", "cri-o", "docker@24.0.9"):
    for arch in ("x86_64", "aarch64"):
        for runtime in ("runc", "crun"):
            setting = ("show", f"baseline:{baseline}", "--runtime", runtime, "--arch", arch, "--json", "--libseccomp")
            real, documented = whittle(*setting, library), whittle(*setting, release)
            skipped = [[line for line in done.stderr.splitlines() if "does not know" in line] for done in (real, documented)]
            assert skipped[0] == skipped[1], skipped
            assert json.loads(real.stdout)["arches"] == json.loads(documented.stdout)["arches"], (baseline, arch, runtime)
print("libseccomp", release, "answers as documented")

BAD = {"dup2": [[(0, "LT", 2), (1, "LT", 1)], [(0, "LE", 2), (1, "EQ", 3)]],
       "dup3": [[(0, "LT", 8), (1, "LT", 8)], [(0, "LT", 8), (1, "EQ", 9)]]}
path = os.path.join(DIRECTORY, "bad.json")
with open(path, "w", encoding="utf-8") as file:
    json.dump({"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
        {"names": [name], "action": "SCMP_ACT_ALLOW",
         "args": [{"index": index, "op": f"SCMP_CMP_{op}", "value": value} for index, op, value in conditions]}
        for name, rules in BAD.items() for conditions in rules]}, file)
found = json.loads(whittle("lint", path, "--libseccomp", library, "--json", expect=1).stdout)["findings"]
judged = {finding["rule"]: finding["message"] for finding in found}
assert f"libseccomp {release} makes something else of the rules for dup2" in judged["miscompiled"], judged
assert f"libseccomp {release} never ends on the rules for dup3" in judged["compiler-loop"], judged
