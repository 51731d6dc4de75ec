"""whittle score: allowed calls, stopped exploits, and the comparison with a baseline."""

import json
import os
import tempfile

from harness import SOURCE, load, whittle

directory = tempfile.TemporaryDirectory(prefix="whittle-score-test-")
path = os.path.join(directory.name, "names.json")
names = load(f"{SOURCE}/tests/fixtures/nginx-74-names.json")["syscalls"][0]["names"]
with open(path, "w", encoding="utf-8") as file:
    json.dump({"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"],
               "syscalls": [{"names": names, "action": "SCMP_ACT_ALLOW"}]}, file)

print("fewer names are not more security: 74 bare names against Docker's default")
score = json.loads(whittle("score", path, "--against", "docker@29.4.3", "--json").stdout)
assert score["allowed_syscalls"] == {"x86_64": 74}, score["allowed_syscalls"]
assert score["exploits"]["blocked"] == 11 and score["exploits"]["total"] == 59, score["exploits"]
assert len(score["exploits"]["open"]) == 48
docker = score["against"]
assert docker["exploits"]["blocked"] == 51, docker["exploits"]
assert docker["profile"] == "baseline:docker@29.4.3"
assert set(docker["allowed_syscalls"]) == {"x86_64", "x86", "x32"}
assert docker["allowed_syscalls"]["x86_64"] > 290
assert docker["exploits"]["open_adapted"] == ["CVE-2024-26824"], docker["exploits"]

print("the exploits are those of the data")
known = {exploit["cve"] for exploit in load(f"{SOURCE}/data/exploits.json")["exploits"]}
assert len(known) == 59 and set(score["exploits"]["open"]) <= known
assert score["exploits"]["open"] == sorted(score["exploits"]["open"], key=lambda cve: [int(n) for n in cve.split("-")[1:]])

print("text, and the same by a path and by baseline:ID")
text = whittle("score", path, "--against", "docker@29.4.3").stdout
assert "74 of" in text and "11 of 59 public kernel exploits blocked" in text and "51 of 59" in text, text
assert "against" not in json.loads(whittle("score", path, "--json").stdout)
again = json.loads(whittle("score", path, "--against", "baseline:docker@29.4.3", "--json").stdout)
assert again == score
itself = json.loads(whittle("score", path, "--against", path, "--json").stdout)
assert itself["against"]["exploits"] == itself["exploits"]

print("wrong input")
assert "docker@0.1" in whittle("score", path, "--against", "docker@0.1", expect=2).stderr
whittle("score", f"{directory.name}/none.json", expect=2)
