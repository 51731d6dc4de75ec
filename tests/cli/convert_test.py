"""whittle convert: every form to every other and back, proven by `whittle diff`; what is lost is said."""

import copy
import json
import os
import struct
import subprocess

from harness import SOURCE, WHITTLE, temporary_directory, whittle

DIRECTORY = temporary_directory()
os.chdir(DIRECTORY)
DOCUMENTS = ("oci", "docker", "podman", "spo-v1beta1", "spo-v1", "systemd")


def write(name, content):
    with open(name, "wb") as file:
        file.write(content if isinstance(content, bytes) else
                   (content if isinstance(content, str) else json.dumps(content)).encode())
    return name


def convert(p, to, *options, expect=0):
    output = f"out.{to}"
    if os.path.exists(output):
        os.unlink(output)
    done = whittle("convert", p, "--to", to, "-o", output, *options, expect=expect)
    assert done.stdout == "" and os.path.exists(output) == (expect == 0), done
    return output if expect == 0 else done.stderr


def equivalent(a, b, *options):
    done = whittle("diff", a, b, "--json", *options)
    assert json.loads(done.stdout)["equivalent"] is True, done.stdout


def lost(p, to, *options):
    """The pointers of what is lost: listed on standard error too, with exit status 1 and nothing written."""
    done = whittle("convert", p, "--to", to, "--json", *options, expect=1)
    told = json.loads(done.stdout)
    assert told["format"] == to and told["lossless"] is False and told["document"] is None, told
    lines = [line for line in done.stderr.splitlines() if line.startswith("whittle: lost: ")]
    assert lines == [f"whittle: lost: {each['pointer']}: {each['what']}" for each in told["lost"]], (lines, told)
    text = convert(p, to, *options, expect=1)
    assert "--lossy" in text and "nothing is written" in text, text
    written = json.loads(whittle("convert", p, "--to", to, "--json", "--lossy", *options).stdout)
    assert written["lost"] == told["lost"] and written["document"] is not None
    return [each["pointer"] for each in told["lost"]]


print("a profile of names alone goes into every form and back")
NGINX = os.path.join(SOURCE, "tests", "fixtures", "nginx-74-names.json")
for to in DOCUMENTS:
    made = convert(NGINX, to)
    equivalent(NGINX, made)
    for back in DOCUMENTS:
        os.replace(made, "middle")
        equivalent(NGINX, convert("middle", back))
        os.replace("middle", made)

print("so does Docker's default, argument rules and all, where arguments can be said")
for to in DOCUMENTS[:-1] + ("bpf", "bpf-compact"):
    equivalent("baseline:docker@29.4.3", convert("baseline:docker@29.4.3", to))
    equivalent("baseline:docker@29.4.3", convert("baseline:docker@29.4.3", to, "--arch", "arm64"), "--arch", "arm64,arm")

RICH = {
    "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
    "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
    "syscalls": [
        {"names": ["read", "write", "execve"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
        {"names": ["reboot"], "action": "SCMP_ACT_KILL_PROCESS"}]}

print("an errno for a call is said in systemd too")
rich = write("rich.json", RICH)
unit = "rich.service"
os.replace(convert(rich, "systemd"), unit)
text = open(unit, encoding="utf-8").read()
assert "clone3:ENOSYS" in text and "reboot:kill" in text and "SystemCallErrorNumber=EPERM" in text, text
equivalent(rich, unit)

print("the fields of a SeccompProfile")
value = json.loads(whittle("convert", rich, "--to", "spo-v1", "--name", "web", "--json").stdout)
assert value["lossless"] is True and value["lost"] == [] and value["format"] == "spo-v1", value
document = value["document"]
assert document["apiVersion"] == "security-profiles-operator.x-k8s.io/v1" and document["kind"] == "SeccompProfile"
assert document["metadata"] == {"name": "web"}, document
assert document["spec"] == {
    "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X86_64"],
    "syscalls": [{"names": ["execve", "read", "write"], "action": "SCMP_ACT_ALLOW"},
                 {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
                 {"names": ["reboot"], "action": "SCMP_ACT_KILL_PROCESS"}]}, document["spec"]
equivalent(rich, write("spo.json", document))  # JSON is read as well
text = whittle("convert", rich, "--to", "SeccompProfile", "--namespace", "web").stdout
assert text.startswith("apiVersion: security-profiles-operator.x-k8s.io/v1beta1\nkind: SeccompProfile\nmetadata:\n"
                       "  name: rich\n  namespace: web\nspec:\n"), text
assert "name: docker-29.4.3\n" in whittle("convert", "baseline:docker@29.4.3", "--to", "spo-v1").stdout

print("what a form can't say")
conditional = copy.deepcopy(RICH)
conditional["syscalls"].append({"names": ["socket"], "action": "SCMP_ACT_ALLOW",
                                "args": [{"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}]})
conditional["flags"] = ["SECCOMP_FILTER_FLAG_LOG"]
c = write("conditional.json", conditional)
assert lost(c, "systemd") == ["/syscalls/3/args", "/flags"]
assert lost(c, "bpf") == ["/flags"] and lost(c, "bpf-compact") == ["/flags"]
equivalent(c, convert(c, "spo-v1"))
narrower = json.loads(whittle("diff", c, convert(c, "systemd", "--lossy"), "--json", expect=1).stdout)["changes"]
assert {(change["syscall"], change["direction"]) for change in narrower} == {("socket", "tighter")} or \
       {change["direction"] for change in narrower} == {"tighter"}, narrower
listening = write("listening.json", {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "flags": [],
                                     "listenerPath": "/run/l.sock", "listenerMetadata": "m", "syscalls": [
    {"names": ["mount"], "action": "SCMP_ACT_NOTIFY"}, {"names": ["read"], "action": "SCMP_ACT_LOG"},
    {"names": ["ioctl"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 1, "value": 1 << 63, "op": "SCMP_CMP_NE"}]}]})
assert lost(listening, "spo-v1") == ["/defaultErrnoRet", "/syscalls/2/args", "/flags", "/listenerPath", "/listenerMetadata"]
assert lost(listening, "podman") == ["/listenerPath", "/listenerMetadata", "/syscalls/0/action"]
assert lost(listening, "systemd") == ["/syscalls/0/action", "/syscalls/1/action", "/syscalls/2/args", "/listenerPath",
                                      "/listenerMetadata"]
equivalent(listening, convert(listening, "oci"))

print("Docker's dialect: its conditions stay in it, and are resolved elsewhere when the setting is given")
docker = write("docker.json", {
    "defaultAction": "SCMP_ACT_ERRNO", "archMap": [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]}],
    "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"},
                 {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
                 {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
                 {"names": ["dup"], "action": "SCMP_ACT_ERRNO", "errno": "ENOSYS"}]})
assert lost(docker, "oci") == ["/archMap", "/syscalls/1/includes", "/syscalls/2/includes"]
assert lost(docker, "bpf", "--caps", "none", "--kernel", "6.1") == ["/archMap"]
setting = ("--caps", "SYS_ADMIN", "--kernel", "6.1", "--arch", "amd64")
assert lost(docker, "spo-v1", *setting[:2]) == ["/archMap", "/syscalls/2/includes"]
made = convert(docker, "oci", *setting)
allowed = [json.loads(whittle("eval", made, call, "--arch", "x86_64", "--json").stdout)["action"] for call in ("mount", "ptrace")]
assert allowed == ["allow", "allow"], allowed
made = convert(docker, "oci", "--caps", "none", "--kernel", "4.7", "--arch", "arm64")
assert json.loads(whittle("eval", made, "mount", "--arch", "arm64", "--json").stdout)["action"] == "errno"
kept = json.loads(whittle("convert", docker, "--to", "docker").stdout)
assert kept["syscalls"][1]["includes"] == {"caps": ["CAP_SYS_ADMIN"]} and kept["syscalls"][3]["errnoRet"] == 38, kept
assert lost(docker, "podman") == ["/syscalls/2/includes/minKernel"]
kept = json.loads(whittle("convert", docker, "--to", "podman", "--kernel", "6.1").stdout)
assert kept["syscalls"][2] == {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {}}, kept
assert "Docker's dialect" in whittle("eval", docker, "read", expect=2).stderr

print("programs")
program = convert("baseline:docker", "bpf")
raw = open(program, "rb").read()
assert len(raw) % 8 == 0
shown = json.loads(whittle("show", "baseline:docker", "--bytes", "shown.bpf", "--json").stdout)
assert shown["filters"] == [{"instructions": len(raw) // 8}] and open("shown.bpf", "rb").read() == raw
os.replace(program, "docker.bpf")
small = convert("docker.bpf", "bpf-compact")
assert os.path.getsize(small) * 3 < len(raw), (os.path.getsize(small), len(raw))
equivalent("docker.bpf", small)
equivalent("baseline:docker", small, "--runtime", "runc")
assert convert(small, "bpf") and open("out.bpf", "rb").read() == open(small, "rb").read()
value = json.loads(whittle("convert", "docker.bpf", "--to", "bpf", "--json").stdout)
assert b"".join(struct.pack("<HBBI", *instruction) for instruction in value["document"]) == raw
crun = convert("baseline:docker", "bpf", "--runtime", "crun")
assert os.path.getsize(crun) < len(raw)  # without runc's stub
for keys, *arguments in ((("action", "data"), "eval", "X", "socket", "AF_ALG", "--json"), (("allowed_syscalls",), "score", "X", "--json")):
    answers = [json.loads(whittle(*[p if a == "X" else a for a in arguments]).stdout) for p in ("baseline:docker", small)]
    assert [answers[0][key] for key in keys] == [answers[1][key] for key in keys], answers
answers = [json.loads(whittle("score", p, "--json").stdout)["exploits"] for p in ("baseline:docker", small)]
assert all(answers[0][key] == answers[1][key] for key in ("blocked", "total", "open", "open_adapted")), answers
answers = [json.loads(whittle("show", p, "--json").stdout)["arches"] for p in ("docker.bpf", small)]
assert [[a["arch"], a["allowed"], a["refused"]] for a in answers[0]] == [[a["arch"], a["allowed"], a["refused"]] for a in answers[1]]
piped = subprocess.run(f"{WHITTLE} convert baseline:docker --to bpf | {WHITTLE} eval - read", shell=True, capture_output=True, text=True)
assert "read(): allow" in piped.stdout, piped
for arguments, said in ((("lint", small), "lint looks at documents"), (("probe", small), "BPF program"),
                        (("convert", small, "--to", "oci"), "no rules")):
    done = whittle(*arguments, expect=2)
    assert said in done.stderr and done.stdout in ("", "no errors, no warnings, no notes in 0 profiles\n",
                                                   "0 errors, 0 warnings, 0 notes in 0 profiles; 1 not readable\n"), done

print("every command reads the other forms")
config_map = write("map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata:\n  README: x\n  rich.json: |\n" +
                   "".join(f"    {line}\n" for line in json.dumps(RICH, indent=1).splitlines()))
alpha = write("alpha.yaml", whittle("convert", rich, "--to", "spo-v1").stdout.replace("x-k8s.io/v1", "x-k8s.io/v1alpha1"))
for p in (config_map, alpha, unit):
    equivalent(rich, p)
    assert "allow" in whittle("eval", p, "read").stdout
    assert json.loads(whittle("score", p, "--json").stdout) == json.loads(whittle("score", rich, "--json").stdout)
    equivalent(rich, convert(p, "oci"))
    found, wanted = [sorted((f["rule"], f["calls"]) for f in json.loads(whittle("lint", each, "--json", expect=1).stdout)["findings"])
                     for each in (p, rich)]
    assert found == wanted, (p, found, wanted)
assert "v1alpha1" in whittle("eval", alpha, "read").stderr
findings = json.loads(whittle("lint", alpha, "--json", expect=1).stdout)["findings"]
assert {(f["pointer"], f["line"]) for f in findings if f["rule"] == "compat-open"} == {("/spec/architectures/0", 8)}, findings
based = write("based.yaml", whittle("convert", rich, "--to", "spo-v1").stdout.replace("spec:\n", "spec:\n  baseProfileName: runc\n"))
assert "/spec/baseProfileName" in whittle("eval", based, "read").stderr
assert lost(based, "oci") == ["/spec/baseProfileName"]
assert "baseProfileName: runc" in whittle("convert", based, "--to", "spo-v1beta1").stdout

print("several profiles in one file")
both = write("both.yaml", open(config_map).read() + "  log.json: '{\"defaultAction\": \"SCMP_ACT_LOG\"}'\n---\n" + open(alpha).read())
done = whittle("convert", both, "--to", "oci", expect=2)
assert "3 profiles" in done.stderr and "rich.json, log.json, rich" in done.stderr, done.stderr
assert "SCMP_ACT_LOG" in whittle("convert", both, "--to", "oci", "--name", "log.json").stdout
assert "name: log\n" in whittle("convert", both, "--to", "spo-v1", "--name", "log.json").stdout
assert "--name" in whittle("show", both, expect=2).stderr

print("systemd as it is written by hand")
allowing = write("app.service", "[Service]\nExecStart=/usr/bin/app\nSystemCallArchitectures=native\n"
                 "SystemCallFilter=@system-service\nSystemCallFilter=~@privileged @resources\nSystemCallErrorNumber=EPERM\n")
oci = json.loads(whittle("convert", allowing, "--to", "oci").stdout)
names = {name for rule in oci["syscalls"] for name in rule["names"]}
assert {"read", "execve", "getrandom"} <= names and not {"mount", "setuid", "ptrace"} & names, names
assert (oci["defaultAction"], oci["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 1)
equivalent(allowing, convert(allowing, "systemd"))
denying = write("deny", "~@mount @swap:EPERM\n")
equivalent(denying, convert(denying, "systemd"))
assert "kill_process" in whittle("eval", denying, "mount").stdout and "EPERM" in whittle("eval", denying, "swapon").stdout
assert lost(write("more.service", "SystemCallFilter=read\nMemoryDenyWriteExecute=yes\n"), "oci") == ["/Service/MemoryDenyWriteExecute"]

print("bad input: one error, nothing written")
bad = [(("convert", rich), "--to"), (("convert", rich, "--to", "xml"), "xml"), (("convert", "missing", "--to", "oci"), "missing"),
       (("convert", rich, "--to", "spo-v1", "--name", "Not_valid"), "--name"),
       (("convert", rich, "--to", "spo-v1", "--namespace", "a"), "cluster"),
       (("convert", rich, "--to", "spo-v1beta1", "--namespace", "a.b"), "namespace"),
       (("convert", rich, "--to", "oci", "--namespace", "a"), "--namespace"),
       (("convert", rich, "--to", "oci", "--caps", "CAP_NOTHING"), "CAP_NOTHING"),
       (("convert", write("cut.bpf", raw[:-3]), "--to", "bpf"), "cut.bpf"),
       (("eval", write("cut2.bpf", raw[:40]), "read"), "cut2.bpf"),
       (("eval", write("nul", b"\0" * 80), "read"), "nul"),
       (("eval", write("group", "@system-servce"), "read"), "@system-service"),
       (("eval", write("pod.yaml", "apiVersion: v1\nkind: Pod\n"), "read"), "no profile"),
       (("eval", write("broken.yaml", "apiVersion: v1\nkind: [\n"), "read"), "broken.yaml:"),
       (("eval", write("deep.yaml", "apiVersion: v1\nspec: " + "[" * 5000), "read"), "deep.yaml"),
       (("eval", write("wide.yaml", "apiVersion: security-profiles-operator.x-k8s.io/v1\nkind: SeccompProfile\nspec:\n"
                       "  defaultAction: SCMP_ACT_EROR\n"), "read"), "wide.yaml:4 /spec/defaultAction")]
for arguments, said in bad:
    before = set(os.listdir("."))
    done = whittle(*arguments, expect=2)
    assert done.stderr.count("whittle: error: ") == 1 and said in done.stderr and done.stdout == "", (arguments, done.stderr)
    assert set(os.listdir(".")) == before
whittle("convert", rich, "--to", "oci", "-o", "no/such/file", expect=2)
