"""whittle syscall: names, numbers, arguments and counterparts; unknown ones get a suggestion."""

import json

from harness import whittle


def look_up(*args):
    return json.loads(whittle("syscall", *args, "--json").stdout)


print("a name has its numbers on every architecture")
openat = look_up("openat")
assert openat["name"] == "openat"
assert openat["numbers"] == {"x86_64": 257, "x86": 295, "x32": 0x40000000 + 257, "aarch64": 56, "arm": 322}, openat
assert {"open", "creat"} <= set(openat["legacy"]) and openat["modern"] == [], openat

print("a number is one of --arch")
assert look_up("56", "--arch", "aarch64")["name"] == "openat"
assert look_up("56", "--arch", "x86_64")["name"] == "clone"
assert look_up("0x38", "--arch", "amd64")["name"] == "clone"
assert look_up("520", "--arch", "x32")["name"] == "execve"
assert look_up("1073742344", "--arch", "x86_64")["name"] == "execve"
assert look_up("983045", "--arch", "arm")["name"] == "set_tls"

print("--arch leaves out the other architectures")
assert look_up("open", "--arch", "aarch64")["numbers"] == {}
assert look_up("open", "--arch", "x86")["numbers"] == {"x86": 5}
assert "not a call of aarch64" in whittle("syscall", "open", "--arch", "aarch64").stdout

print("recorded arguments")
(socket,) = look_up("socket")["arguments"]
assert socket["indexes"] == [0, 1, 2] and socket["kind"] == "enum" and socket["level"] == "safe", socket
(clone3,) = look_up("clone3")["arguments"]
assert clone3["in_struct"] is True and clone3["widths"] == [64], clone3
assert look_up("read")["arguments"] == []

print("legacy calls name what replaces them")
assert look_up("fork")["modern"] == ["clone"]
assert look_up("rename")["modern"] == ["renameat", "renameat2"]

print("calls of other architectures are known")
assert look_up("s390_runtime_instr")["numbers"] == {}
assert "other architectures" in whittle("syscall", "riscv_flush_icache").stdout

print("the text says the same")
text = whittle("syscall", "openat").stdout
assert "aarch64  56\n" in text and "1073742081 (257 with bit 30)" in text and "for creat, open\n" in text, text
assert "\x1b" not in text  # no colour into a pipe

print("what it is for, its group and family, what it opens, who allows it")
assert openat["purpose"] and openat["group"] == "files" and set(openat["family"]) == {"creat", "open", "openat2"}, openat
assert {b["id"].split("@")[0] for b in openat["baselines"]} == {"containerd", "cri-o", "docker", "podman"}
assert all(b["allows"] and b["text"] == "allow" for b in openat["baselines"]), openat["baselines"]
bpf = look_up("bpf", "--arch", "x86_64")
assert bpf["dangerous"]["severity"] and bpf["exploit_steps"] == [{"step": "bpf", "way": "bpf", "exploits": 5}], bpf
assert [b["allows"] for b in bpf["baselines"]] == [False] * 4
assert {b["arch"] for b in bpf["baselines"]} == {"x86_64"}
assert "AF_ALG" in next(b for b in look_up("socket")["baselines"] if b["id"].startswith("docker"))["text"]
assert "readv" in look_up("read")["siblings"]
assert look_up("riscv_flush_icache")["baselines"] == []
text = whittle("syscall", "unshare").stdout
for words in ("puts the caller into new namespaces", "group namespaces", "dangerous (warning)", "user-namespace", "docker@"):
    assert words in text, (words, text)

print("bad input: exit 2, nothing on standard output, a suggestion")
for args, words in [(["opnat"], 'did you mean "openat"?'), (["Openat"], "no system call"),
                    (["4096", "--arch", "x86_64"], "has no name on x86_64"), (["99999999999"], "32 bits"),
                    (["read", "--arch", "s390x"], "known are x86_64"), ([], ""), (["read", "write"], "")]:
    done = whittle("syscall", *args, expect=2)
    assert done.stdout == "" and done.stderr.startswith("whittle: error: ") and words in done.stderr, (args, done.stderr)
