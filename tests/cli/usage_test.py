"""The command line as a whole: help, version, usage errors, completion, the manual page, and standard
output that is full or gone. What a verb does is tested beside it."""

import os
import re
import shutil
import subprocess

from harness import WHITTLE, whittle

VERBS = re.findall(r"^  ([a-z]+)  ", whittle("--help").stdout.split("Commands\n")[1].split("\n\n")[0],
                   re.MULTILINE)
print("commands:", " ".join(VERBS))
assert {"record", "probe", "verify", "syscall"} <= set(VERBS), VERBS


def usage_error(*args):
    """One line and a hint on standard error, nothing on standard output, exit status 2."""
    done = whittle(*args, expect=2)
    assert done.stdout == "", done.stdout
    lines = done.stderr.splitlines()
    assert len(lines) == 2 and lines[0].startswith("whittle: error: "), done.stderr
    assert lines[1].startswith("  hint: "), done.stderr
    return done.stderr


print("help and version")
assert whittle().stdout == whittle("--help").stdout == whittle("-h").stdout == whittle("help").stdout
assert re.fullmatch(r"whittle \d+\.\d+\.\d+\n", whittle("--version").stdout)
for verb in VERBS:
    text = whittle("help", verb).stdout
    assert text == whittle(verb, "--help").stdout == whittle(verb, "-h").stdout
    assert text.startswith(f"whittle {verb}: ") and "\nUsage\n" in text and "\nOptions\n" in text
    assert "\x1b" not in text  # not a terminal

text = whittle("help", "help").stdout
assert text == whittle("help", "--help").stdout and text.startswith("whittle help: "), text

print("usage errors suggest what was meant")
assert "did you mean `whittle record`?" in usage_error("recrod", "--", "true")
assert "did you mean `whittle --version`?" in usage_error("--versoin")
assert "did you mean `whittle probe`?" in usage_error("help", "prob")
assert "`whittle --help` lists the commands" in usage_error("zzz")
assert "did you mean --output?" in usage_error("record", "--outptu", "x", "--", "true")
assert "did you mean ptrace?" in usage_error("record", "--backend", "ptrac", "--", "true")
assert "--output needs a value" in usage_error("record", "-o")
assert "--json takes no value" in usage_error("probe", "--json=yes", "p.json")
assert "whittle record -- CMD..." in usage_error("record", "true")
assert "no command given" in usage_error("record")
assert "P is missing" in usage_error("probe")
assert "unexpected argument" in usage_error("probe", "a", "b")
for verb in VERBS:
    assert "unknown option" in usage_error(verb, "--no-such-option")
    # `--` and then an operand too many or too few is a usage error or a run that fails, never a crash.
    assert whittle(verb, "--", "/nonexistent", expect=None, stdin="").returncode in (1, 2, 3)

print("a message shows no control characters")
assert "\x1b" not in usage_error("\x1b[31mred")

print("standard output that is full is an error, one whose reader is gone is not")
with open("/dev/full", "w", encoding="utf-8") as full:
    done = subprocess.run([WHITTLE, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
assert done.returncode == 3 and "No space left" in done.stderr, done
reader, writer = os.pipe()
os.close(reader)
done = subprocess.run([WHITTLE, "help", "--man"], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
os.close(writer)
assert done.returncode == 0 and done.stderr == "", done
done = subprocess.run(f"exec {WHITTLE} --version >&- <&-", shell=True, stderr=subprocess.PIPE, text=True, check=False)
assert done.returncode == 3 and "standard output" in done.stderr, done
done = subprocess.run(f"exec {WHITTLE} --version <&- 2>&-", shell=True, stdout=subprocess.PIPE, text=True, check=False)
assert done.returncode == 0 and done.stdout.startswith("whittle "), done

print("manual page")
page = whittle("help", "--man").stdout
assert page == whittle("help", "--man").stdout
for verb in VERBS:
    assert f'.SS "whittle {verb} ' in page, verb
if shutil.which("groff"):
    done = subprocess.run(["groff", "-man", "-ww", "-Tutf8"], input=page, capture_output=True, text=True, check=True)
    assert done.stderr == "", done.stderr
    assert "whittle - cut a container" in re.sub(r"\x1b\[\d*m|\s+", " ", done.stdout).replace("  ", " ")

print("bash completion")
script = whittle("help", "--completion", "bash").stdout


def complete(*words):
    """What bash offers for the last of the words."""
    run = script + """
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _whittle; printf '%s\\n' "${COMPREPLY[@]}"
"""
    done = subprocess.run(["bash", "-c", run, "bash", "whittle", *words], capture_output=True, text=True, check=True)
    assert done.stderr == "", done.stderr
    return done.stdout.split()


assert complete("prob") == ["probe"]
assert set(VERBS) < set(complete(""))
assert complete("probe", "--ru") == ["--runtime"]
assert complete("probe", "--runtime", "") == ["none", "runc", "crun"]
assert complete("probe", "p.json", "--runtime", "r") == ["runc"]
assert complete("record", "-o", "") == []   # files, by bash's default
assert complete("record", "--", "--b") == []  # the command's own words
assert complete("help", "mer") == ["merge"]
assert complete("record", "--under", "") == ["fallbacks", "docker", "containerd", "podman", "cri-o", "none"]
assert complete("record", "--stop-signal", "Q") == ["QUIT"]
assert complete("record", "--backend", "=", "pt") == ["ptrace"]
assert complete("record", "--backend", "=") == ["auto", "ebpf", "ptrace"]
assert complete("eval", "p.json", "openat", "--arch", "aa") == ["aarch64"]
assert complete("generate", "--allow", "unsh") == ["unshare"]
assert complete("baseline", "") == ["list", "show", "capture"]
assert complete("syscall", "clone") == ["clone", "clone3"]
# Every option that takes a value has something to offer, or files.
for verb in VERBS:
    for option in re.findall(r"^ +(?:-., )?(--[a-z-]+) [A-Z]", whittle("help", verb).stdout, re.MULTILINE):
        complete(verb, option, "")

print("usage of record is checked before anything starts")
for options in (["--ready", "tcp:0"], ["--ready", "log:("], ["--ready", "http://example.org/"], ["--ready", "https://127.0.0.1/"],
                ["--ready", "soon"], ["--ready-limit", "3s"], ["--ready", "tcp:1", "--ready-limit", "soon"],
                ["--stop-signal", "NOPE"], ["--marks", "/etc/passwd"], ["--for", "-1s"]):
    usage_error("record", *options, "--", "sh", "-c", "echo started; echo started >&2")
