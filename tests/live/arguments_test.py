"""Argument values: known calls with known values give exactly these sets, for every row of the argument table.

Both backends, both entry points of x86_64, and registers with a sign or rubbish above the bits that the kernel looks
at. A row without a case here fails.
"""

import functools
import json
import os
import platform

from harness import SOURCE, load, program, require_root, temporary_directory, whittle

require_root()
DIRECTORY = temporary_directory()
NATIVE = platform.machine()
BACKENDS = ("ebpf", "ptrace") if NATIVE == "x86_64" else ("ptrace",)
ABIS = ("x86_64", "x86") if NATIVE == "x86_64" else (NATIVE,)
MOST_VALUES = 256

RUBBISH = 0xdeadbeef << 32
SIGN = 0xffffffff << 32
NOBODY = 0x7ffffffe  # no process has this id
NO_FD = 0xffffffff


def at(index, *values, **others):
    """One call for each value, which stands at `index`; `others` are the other registers: a0=..., a1=..."""
    calls = []
    for value in values:
        registers = [others.get(f"a{i}", 0) for i in range(6)]
        registers[index] = value
        calls.append(registers)
    return calls


# What each call is made with. All fail, or change nothing outside the program: descriptors, addresses and process ids
# that do not exist, lengths of 0.
CASES = {
    "arch_prctl": at(0, 0x1003, RUBBISH | 0x1004, SIGN | 0x80001001),
    "bpf": at(0, 0, RUBBISH | 5, SIGN | 0xffffffff),
    "clone": at(0, 0x11, RUBBISH | 0x811, SIGN | 0x80000811),  # the others: CLONE_SIGHAND without CLONE_VM
    "fcntl": at(1, 1, RUBBISH | 3, SIGN | 0x80000404, a0=NO_FD),
    "fcntl64": at(1, 2, RUBBISH | 4, SIGN | 0x80000405, a0=NO_FD),
    "futex": at(1, 0x81, RUBBISH | 0x8a),
    "futex_time64": at(1, 1, RUBBISH | 0xa),
    "getsockopt": [[NO_FD, 1, 4], [NO_FD, RUBBISH | 6, RUBBISH | 11], [NO_FD, SIGN | 0xfffffffe, SIGN | 0xfffffffd]],
    "io_uring_register": at(1, 8, RUBBISH | 2, SIGN | 0x80000014, a0=NO_FD),
    "ioctl": at(1, 0x5401, RUBBISH | 0x541b, SIGN | 0x802c542a, a0=NO_FD),
    "keyctl": at(0, 0, RUBBISH | 11, SIGN | 0xfffffffe),
    "kill": at(1, 0, RUBBISH | 15, SIGN | 0xffffffff, a0=NOBODY),
    "madvise": at(2, 4, RUBBISH | 8, SIGN | 0xffffffff),
    "memfd_create": at(1, 1, RUBBISH | 2, SIGN | 0x80000003),
    "mmap": [[0, 0, 3, 0x22, NO_FD], [0, 0, RUBBISH | 1, 0x4002, NO_FD], [0, 0, 7, SIGN | 0x80000001, NO_FD]],
    "mmap2": [[0, 0, 3, 0x22, NO_FD], [0, 0, RUBBISH | 1, 0x4002, NO_FD], [0, 0, 7, SIGN | 0x80000001, NO_FD]],
    "mount": at(3, 0x1000, RUBBISH | 0x20, SIGN | 0xc0ed0001),
    "mprotect": at(2, 0, RUBBISH | 1, SIGN | 0x80000005),
    "mremap": at(3, 1, RUBBISH | 3, SIGN | 0x80000004, a0=1),
    "perf_event_open": at(4, 8, RUBBISH | 1, SIGN | 0x80000002, a2=NO_FD, a3=NO_FD),
    "personality": at(0, 0xffffffff, RUBBISH | 0, SIGN | 0xffffffff),
    "pidfd_send_signal": at(1, 0, RUBBISH | 15, SIGN | 0xffffffff, a0=NO_FD),
    "pipe2": at(1, 0x80000, RUBBISH | 0x80, SIGN | 0x80000001),
    "pkey_mprotect": at(2, 0, RUBBISH | 1, SIGN | 0x80000005, a3=NO_FD),
    "prctl": at(0, 3, RUBBISH | 0x7ffe, SIGN | 0xfffffffe),
    "prlimit64": at(1, 7, RUBBISH | 3, SIGN | 0xffffffff),
    "process_madvise": at(3, 20, RUBBISH | 21, SIGN | 0xffffffff, a0=NO_FD),
    "ptrace": at(0, 16, RUBBISH | 0x4206, SIGN | 0x80000011, a1=NOBODY),
    "rt_sigqueueinfo": at(1, 0, RUBBISH | 15, SIGN | 0xffffffff, a0=NOBODY),
    "rt_tgsigqueueinfo": at(2, 0, RUBBISH | 15, SIGN | 0xffffffff, a0=NOBODY, a1=NOBODY),
    "seccomp": [[1, 3], [RUBBISH | 2, RUBBISH | 1], [SIGN | 0xffffffff, SIGN | 0x80000001]],
    "setns": at(1, 0x40000000, RUBBISH | 0x20000, SIGN | 0x80000001, a0=NO_FD),
    "setsockopt": [[NO_FD, 1, 9], [NO_FD, RUBBISH | 6, RUBBISH | 1], [NO_FD, SIGN | 0xfffffffe, SIGN | 0xfffffffd]],
    "socket": [[1, 0x80001, 0], [RUBBISH | 2, RUBBISH | 2, RUBBISH | 17], [SIGN | 0xffffffff, 1, SIGN | 0xfffffffe]],
    "socketpair": [[1, 1, 0], [RUBBISH | 1, RUBBISH | 2, RUBBISH], [SIGN | 0xffffffff, 1, SIGN | 0xfffffffe]],
    "tgkill": at(2, 0, RUBBISH | 15, SIGN | 0xffffffff, a0=NOBODY, a1=NOBODY),
    "tkill": at(1, 0, RUBBISH | 15, SIGN | 0xffffffff, a0=NOBODY),
    "umount2": at(1, 2, RUBBISH | 8, SIGN | 0x80000001),
    "unshare": at(0, 0x200, RUBBISH | 0x400, SIGN | 0x80000400),
    "userfaultfd": at(0, 0x80000, RUBBISH | 0x40000000, SIGN | 0x80000001),
}
CLONE3 = [(0, 17), (0x800, 17), (0x100000800, 17)]  # flags, exit signal


def rows():
    """The argument table, as a reader of the file sees it."""
    with open(os.path.join(SOURCE, "data/arguments.tsv"), encoding="utf-8") as file:
        lines = [line.rstrip("\n").split("\t") for line in file if not line.startswith("#")]
    return [dict(zip(lines[0], line)) for line in lines[1:]]


@functools.cache
def numbers(call):
    return json.loads(whittle("syscall", call, "--json").stdout)["numbers"]


def number(call, abi):
    return numbers(call).get(abi)


def text_of(call, abi):
    prefix = "" if abi == NATIVE else "x86:"
    return [f"{prefix}{number(call, abi):x}:" + ",".join(f"{register:x}" for register in registers)
            for registers in CASES[call]]


def record(name, backend, calls):
    path = os.path.join(DIRECTORY, f"{name}-{backend}.evidence.json")
    whittle("record", "--backend", backend, "--under", "none", "-o", path, "--", program("raw_calls"), *calls)
    evidence = load(path)
    assert evidence["runs"][0]["complete"] is True, evidence["runs"][0]["lost"]
    return {(call["arch"], call["name"]): call for call in evidence["runs"][0]["syscalls"]}


def units(call):
    """The sets of a call by their indexes, each with whether it is closed."""
    found = {(unit["index"],): (unit["closed"], {(value,) for value in unit["values"]})
             for unit in call.get("args", [])}
    found |= {tuple(unit["indexes"]): (unit["closed"], {tuple(value) for value in unit["values"]})
              for unit in call.get("tuples", [])}
    return found


TABLE = rows()
expected = {}
for row in TABLE:
    call, indexes = row["syscall"], tuple(map(int, row["indexes"].split(",")))
    widths = list(map(int, row["widths"].split(",")))
    if call == "clone3":
        expected.setdefault((NATIVE, call), {})[indexes] = (True, {(flags | signal,) for flags, signal in CLONE3})
        continue
    assert call in CASES, f"no case for {call}: add one to CASES"
    for abi in ABIS:
        if number(call, abi) is None or abi in row["not_on"]:
            continue
        # A 32-bit register has no upper half.
        masks = [(1 << (32 if abi == "x86" else width)) - 1 for width in widths]
        expected.setdefault((abi, call), {})[indexes] = (True, {
            tuple(registers[index] & mask for index, mask in zip(indexes, masks)) for registers in CASES[call]})
unused = set(CASES) - {row["syscall"] for row in TABLE}
assert not unused, f"cases for calls that the table does not have: {unused}"

calls = [text for abi in ABIS for call in CASES if number(call, abi) is not None for text in text_of(call, abi)]
calls += [f"clone3:{flags:x},{signal:x}" for flags, signal in CLONE3]
for backend in BACKENDS:
    seen = record("table", backend, calls)
    for key, wanted in sorted(expected.items()):
        assert key in seen, (backend, key, "not seen")
        assert "ENOSYS" not in seen[key].get("errnos", {}), (backend, key, seen[key]["errnos"])
        assert units(seen[key]) == wanted, (backend, key, units(seen[key]), wanted)
    others = {key: units(call) for key, call in seen.items() if key not in expected and units(call)}
    assert not others, (backend, others)
    print(f"{backend}: exactly the values of {len(calls)} calls, {sum(map(len, expected.values()))} sets")

# A set as large as it may get is closed; one value more opens it, and the values kept stay as many.
CLOSED, OPEN = number("fcntl", NATIVE), number("ioctl", NATIVE)
calls = [f"{CLOSED:x}:ffffffff,{i:x}" for i in range(MOST_VALUES)] * 2
calls += [f"{OPEN:x}:ffffffff,{i:x}" for i in range(MOST_VALUES + 1)]
for backend in BACKENDS:
    seen = record("bound", backend, calls)
    assert units(seen[NATIVE, "fcntl"])[1,] == (True, {(i,) for i in range(MOST_VALUES)}), backend
    closed, values = units(seen[NATIVE, "ioctl"])[1,]
    assert not closed and len(values) == MOST_VALUES, (backend, closed, len(values))
    assert seen[NATIVE, "ioctl"]["count"] == MOST_VALUES + 1, (backend, seen[NATIVE, "ioctl"]["count"])
    print(f"{backend}: {MOST_VALUES} values are a closed set, {MOST_VALUES + 1} an open one")

# What a filter refuses is kept with its arguments, among the refusals and not among the values.
keyctl = number("keyctl", NATIVE)
for backend in BACKENDS:
    path = os.path.join(DIRECTORY, f"refused-{backend}.evidence.json")
    whittle("record", "--backend", backend, "--under", "docker", "-o", path, "--", program("raw_calls"),
            f"{keyctl:x}:b,58", f"{keyctl:x}:b,58", f"{keyctl:x}:{RUBBISH | 1:x},58")
    run = load(path)["runs"][0]
    assert run["complete"] is True, run["lost"]
    refused = [call for call in run["syscalls"] if call["name"] == "keyctl"]
    assert len(refused) == 1 and refused[0]["refused"] == 3 and not units(refused[0]), (backend, refused)
    kinds = [(kind["args"][:2], kind["error"], kind["comm"], kind["count"]) for kind in refused[0]["refusals"]]
    assert kinds == [([0xb, 0x58], "EPERM", "raw_calls", 2), ([RUBBISH | 1, 0x58], "EPERM", "raw_calls", 1)], (backend, kinds)
    assert refused[0]["refusals_closed"] is True
    print(f"{backend}: refused calls are kept with their arguments")
