"""whittle eval and whittle show: the answers of compiled profiles, their JSON, and wrong input."""

import json
import os
import tempfile

from harness import whittle

DIRECTORY = tempfile.TemporaryDirectory(prefix="whittle-eval-test-")


def write(name, profile):
    path = os.path.join(DIRECTORY.name, name)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(profile, file)
    return path


def evaluate(*args):
    return json.loads(whittle("eval", *args, "--json").stdout)


def action(*args):
    answer = evaluate(*args)
    return answer["action"], answer["data"]


def condition(index, op, value, value_two=0):
    return {"index": index, "value": value, "valueTwo": value_two, "op": f"SCMP_CMP_{op}"}


P = write("p.json", {
    "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
    "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    "syscalls": [
        {"names": ["read", "socketcall", "openat2"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [condition(0, "MASKED_EQ", 0x7e020000, 0)]},
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
        {"names": ["ptrace"], "action": "SCMP_ACT_TRACE", "errnoRet": 7},
        {"names": ["reboot"], "action": "SCMP_ACT_KILL_PROCESS"},
        {"names": ["lseek"], "action": "SCMP_ACT_ALLOW", "args": [condition(1, "EQ", 2**64 - 5)]},
        {"names": ["dup2"], "action": "SCMP_ACT_ALLOW",
         "args": [condition(0, "EQ", 1), condition(0, "EQ", 2), condition(1, "EQ", 7)]},
    ]})

print("the JSON of one answer")
answer = evaluate(P, "clone", "CLONE_NEWUSER|SIGCHLD", "0x10", "18446744073709551615", "--arch", "x86_64")
assert answer == {"arch": "x86_64", "syscall": "clone", "nr": 56,
                  "args": [0x10000011, 16, 2**64 - 1, 0, 0, 0],
                  "hex": ["0x10000011", "0x10", "0xffffffffffffffff", "0x0", "0x0", "0x0"],
                  "action": "errno", "data": 1}, answer

print("actions and their data")
assert action(P, "read") == ("allow", 0)
assert action(P, "clone", "0x11") == ("allow", 0)
assert action(P, "clone3") == ("errno", 38)
assert action(P, "ptrace") == ("trace", 7)
assert action(P, "reboot") == ("kill_process", 0)
assert action(P, "mount") == ("errno", 1)
assert action(P, "read", "--arch", "aarch64") == ("kill_thread", 0)

print("arguments: negative, and whole 64 bits")
assert action(P, "lseek", "0", "-5") == ("allow", 0)
assert action(P, "lseek", "0", "5") == ("errno", 1)
assert evaluate(P, "lseek", "0", "-1")["args"][1] == 2**64 - 1

print("numbers instead of names, and the difference between runtimes")
assert evaluate(P, "0")["syscall"] == "read"
assert evaluate(P, "9999")["syscall"] == "syscall_9999"
assert action(P, "9999") == ("errno", 38)
assert action(P, "9999", "--runtime", "runc") == ("errno", 38)
assert action(P, "9999", "--runtime", "crun") == ("errno", 1)
assert action(P, "0", "--arch", "x86") == ("errno", 1)
assert evaluate(P, "0", "--arch", "x32")["nr"] == 0x40000000

print("a repeated index is an OR in runtimes; libseccomp alone does not take it")
assert action(P, "dup2", "9", "7") == ("allow", 0)
assert action(P, "dup2", "9", "7", "--runtime", "crun") == ("allow", 0)
assert "/syscalls/6" in whittle("eval", P, "read", "--runtime", "none", expect=2).stderr

print("--arch all: every ABI that has the call")
answers = evaluate(P, "socketcall", "--arch", "all")
assert [a["arch"] for a in answers] == ["x86"] and answers[0]["action"] == "allow", answers
answers = evaluate(P, "clone", "CLONE_NEWUSER", "--arch", "all")
assert [a["arch"] for a in answers] == ["x86_64", "x86", "x32"], answers
assert {a["action"] for a in answers} == {"errno"}

print("text")
assert whittle("eval", P, "clone", "CLONE_NEWUSER").stdout == "x86_64 clone(CLONE_NEWUSER): errno EPERM\n"

print("standard input and baselines")
with open(P, encoding="utf-8") as file:
    assert whittle("eval", "-", "read", stdin=file.read()).stdout == "x86_64 read(): allow\n"
assert action("baseline:docker", "clone3") == ("errno", 38)
# Docker refuses AF_ALG, but with a bit above the 32 that the kernel looks at it gets through.
assert action("baseline:docker@29.4.3", "socket", "AF_ALG") == ("errno", 1)
assert action("baseline:docker@29.4.3", "socket", "0x100000026") == ("allow", 0)
assert action("baseline:docker@29.4.3", "mount") == ("errno", 1)
assert action("baseline:docker@29.4.3", "mount", "--caps", "docker,SYS_ADMIN") == ("allow", 0)

print("wrong input: one error with a hint")
for args, said in ((("opennat",), "did you mean"), (("socketcall",), "x86_64 has no system call"),
                   (("read", "AF_NOSUCH"), "AF_NOSUCH"), (("read", "1", "2", "3", "4", "5", "6", "7"), "unexpected"),
                   (("99999999999",), "32 bits"), (("read", "--arch", "z80"), "z80")):
    done = whittle("eval", P, *args, expect=2)
    assert said in done.stderr and done.stdout == "", (args, done.stderr)

print("rules that libseccomp refuses, or that make it loop for ever")
clash = write("clash.json", {"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
    {"names": ["dup"], "action": "SCMP_ACT_ALLOW", "args": [condition(0, "EQ", 5)]},
    {"names": ["dup"], "action": "SCMP_ACT_LOG", "args": [condition(0, "EQ", 5)]}]})
error = whittle("eval", clash, "dup", expect=2).stderr
assert f"{clash} /syscalls/1" in error and "dup" in error, error
endless = write("endless.json", {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
    {"names": ["dup2"], "action": "SCMP_ACT_ERRNO", "args": [condition(0, "LT", 8), condition(1, "LT", 8)]},
    {"names": ["dup2"], "action": "SCMP_ACT_ERRNO", "args": [condition(0, "LT", 8), condition(1, "EQ", 9)]}]})
assert "for ever" in whittle("eval", endless, "dup2", expect=2).stderr

print("show: calls by architecture, and the raw program")
dump = os.path.join(DIRECTORY.name, "p.bpf")
shown = json.loads(whittle("show", P, "--json", "--bytes", dump).stdout)
assert shown["filters"] == [{"instructions": os.path.getsize(dump) // 8}]
x86_64, x86, x32 = shown["arches"]
assert x86_64["arch"] == "x86_64" and x86_64["allowed"] == ["openat2", "read"]
conditional = {call["syscall"]: call["allowed_when"] for call in x86_64["conditional"]}
assert sorted(conditional) == ["clone", "dup2", "lseek"], conditional
assert conditional["clone"] == ["(arg0 & 0x7e020000) == 0x0"]
assert conditional["lseek"] == ["arg1 == 0xfffffffffffffffb"]
refused = {(group["action"], group["data"]): group["syscalls"] for group in x86_64["refused"]}
assert "faccessat2" in refused[("errno", 38)] and "mount" in refused[("errno", 1)]
assert refused[("kill_process", 0)] == ["reboot"] and refused[("trace", 7)] == ["ptrace"]
assert "socketcall" in x86["allowed"] and x32["arch"] == "x32"
text = whittle("show", P).stdout
assert "allowed (2): openat2 read" in text and "clone: (arg0 & (CLONE_NEWNS|CLONE_NEWCGROUP|" in text, text
assert "name a profile or a process" in whittle("show", expect=2).stderr
assert "name a profile or a process" in whittle("show", P, "--container", "web", expect=2).stderr
assert "no process id" in whittle("show", "--pid", "0", expect=2).stderr
