"""Cases of tests/verdicts through the real binary, and through an independent reader of its programs.

`whittle eval` must print each case word for word. And libpcap's own disassembler (bpf_image) reads the
program that `whittle show --bytes` writes: what its text says, followed line by line, gives the same answer.
"""

import ctypes
import ctypes.util
import glob
import json
import os
import re
import struct
import tempfile

from harness import SOURCE, skip, whittle

LIBRARY = ctypes.util.find_library("pcap")
if LIBRARY is None:
    skip("libpcap is not installed")
PCAP = ctypes.CDLL(LIBRARY)
PCAP.bpf_image.restype = ctypes.c_char_p
DIRECTORY = tempfile.TemporaryDirectory(prefix="whittle-verdicts-test-")
AUDIT = {"x86_64": 0xc000003e, "x86": 0x40000003, "x32": 0xc000003e, "aarch64": 0xc00000b7, "arm": 0x40000028}
ACTIONS = {0x80000000: "kill_process", 0: "kill_thread", 0x30000: "trap", 0x50000: "errno", 0x7fc00000: "notify",
           0x7ff00000: "trace", 0x7ffc0000: "log", 0x7fff0000: "allow"}


with open(os.path.join(SOURCE, "data", "syscalls.tsv"), encoding="utf-8") as table:
    rows = [line.rstrip("\n").split("\t") for line in table if not line.startswith("#")]
NUMBERS = {arch: {row[0]: int(row[column]) for row in rows[1:] if row[column].isdigit()}
           for column, arch in enumerate(rows[0]) if column > 0}


class Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint)]


def disassemble(path):
    """The text of libpcap for each instruction: "(003) jeq      #0x3b            jt 4	jf 7"."""
    with open(path, "rb") as file:
        data = file.read()
    lines = []
    for at in range(0, len(data), 8):
        instruction = Instruction(*struct.unpack("<HBBI", data[at:at + 8]))
        lines.append(PCAP.bpf_image(ctypes.byref(instruction), at // 8).decode())
    return lines


def follow(lines, arch, nr, args):
    """Runs the text. Only what libseccomp and runc's stub emit is understood; anything else fails the test."""
    words = struct.unpack("<16I", struct.pack("<IIQ6Q", nr, AUDIT[arch], 0, *args))
    a, at = 0, 0
    while True:
        number, operation, rest = re.fullmatch(r"\((\d+)\) (\w+)\s*(.*)", lines[at].strip()).groups()
        assert int(number) == at, lines[at]
        operand = re.match(r"#?\[?(0x[0-9a-f]+|-?\d+)\]?", rest)
        assert operand, lines[at]
        value = int(operand[1], 0) & 0xffffffff
        if operation == "ret":
            return value
        if operation == "ld":
            assert rest.startswith("[") and value % 4 == 0, lines[at]
            a, at = words[value // 4], at + 1
        elif operation == "and":
            a, at = a & value, at + 1
        elif operation in ("ja", "jmp"):
            at = value
        else:
            taken = {"jeq": a == value, "jgt": a > value, "jge": a >= value, "jset": a & value != 0}[operation]
            targets = re.search(r"jt (\d+)\s+jf (\d+)", rest)
            at = int(targets[1 if taken else 2])


def cases(group):
    for text in group.get("cases", []):
        arches, call, args, verdict = re.fullmatch(r"(\S+) (\w+)\((.*)\): (.*)", text).groups()
        for arch in arches.split(","):
            yield arch, call, args, verdict


def operand(path, group):
    if "baseline" in group:
        return f"baseline:{group['baseline']}"
    with open(path, "w", encoding="utf-8") as file:
        json.dump(group["profile"], file)
    return path


asked = followed = refused = 0
for source in sorted(glob.glob(os.path.join(SOURCE, "tests", "verdicts", "*.json"))):
    with open(source, encoding="utf-8") as file:
        groups = json.load(file)["groups"]
    for number, group in enumerate(groups):
        name = operand(os.path.join(DIRECTORY.name, "profile.json"), group)
        options = ("--runtime", group["runtime"])
        if "refused" in group:
            assert group["refused"] in whittle("eval", name, "read", *options, expect=2).stderr, group
            refused += 1
            continue
        program = os.path.join(DIRECTORY.name, "program.bpf")
        whittle("show", name, "--bytes", program, "--json", *options)
        lines = disassemble(program)
        for index, (arch, call, args, verdict) in enumerate(cases(group)):
            values = [int(arg, 16) for arg in args.split(", ") if arg]
            # Two of each group are asked of the binary, all of the disassembled text.
            if (index + number) % 16 in (0, 5):
                done = whittle("eval", name, call, *values, "--arch", arch, *options)
                shown = re.fullmatch(r"(\S+) \w+\(.*\): (.*)\n", done.stdout).groups()
                assert shown == (arch, verdict), (source, done.stdout, verdict)
                answer = json.loads(whittle("eval", name, call, *values, "--arch", arch, "--json", *options).stdout)
                assert answer["args"] == values + [0] * (6 - len(values)), (source, answer)
                asked += 1
            nr = int(call) if call.isdigit() else NUMBERS[arch][call]
            returned = follow(lines, arch, nr | (0x40000000 if arch == "x32" else 0), values + [0] * (6 - len(values)))
            assert ACTIONS[returned & 0xffff0000] == verdict.split(" ")[0], (source, arch, call, args, hex(returned))
            followed += 1
print(f"{asked} cases asked of whittle eval, {refused} refused profiles, {followed} followed in libpcap's text")
