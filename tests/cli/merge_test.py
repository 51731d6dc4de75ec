"""whittle merge: the union of runs, whatever the order; output checked first, written whole or not at all."""

import itertools
import json
import os

from harness import load, temporary_directory, whittle


def run(run_id, calls, **more):
    return {"id": run_id, "source": "ebpf", "arch": "x86_64", "kernel": "6.18", "complete": True, "lost": {},
            "timing": "native", "syscalls": calls, **more}


def call(name, nr, count):
    return {"arch": "x86_64", "name": name, "nr": nr, "count": count}


def save(name, runs, workload="app"):
    with open(name, "w", encoding="utf-8") as file:
        json.dump({"schema": "whittle.evidence/v1", "workload": workload, "runs": runs}, file)
    return name


directory = temporary_directory()
os.chdir(directory)
A, B = "a" * 16, "b" * 16
one = save("one.json", [run(A, [call("read", 0, 3)], complete=False, lost={"events": 2}, duration=9)])
two = save("two.json", [run(A, [call("read", 0, 5)], duration=1)])
three = save("three.json", [run(B, [call("read", 0, 1), call("write", 1, 2)])])

print("runs are united by id, the complete one of two is kept, the summary is made anew")
merged = json.loads(whittle("merge", one, two, three).stdout)
assert [r["id"] for r in merged["runs"]] == [A, B]
assert all(r["complete"] for r in merged["runs"])
assert [(c["name"], c["count"]) for c in merged["syscalls"]] == [("read", 6), ("write", 2)], merged["syscalls"]

print("any order and any repetition give the same bytes")
texts = {whittle("merge", *order).stdout for order in itertools.permutations([one, two, three])}
texts.add(whittle("merge", one, one, two, three, two).stdout)
texts.add(whittle("merge", "-", three, stdin=whittle("merge", two, one).stdout).stdout)
assert len(texts) == 1

print("an output file, which may be an input")
done = whittle("merge", two, three, "-o", two)
assert done.stdout == "" and load(two) == merged
assert "2 runs, 2 calls" in done.stderr, done.stderr

print("incomplete runs and other workloads are named; the exit code stays 0")
done = whittle("merge", one, three)
assert A in done.stderr and "lost 2 events" in done.stderr and B not in done.stderr, done.stderr
other = save("other.json", [], workload="else")
assert '"app" and "else"' in whittle("merge", three, other).stderr

print("bad evidence: one error with its place, exit 2, the output untouched")
save("bad.json", [run(A, [call("read", 1, 1)])])
for out in ("new.json", two):
    before = open(out, "rb").read() if os.path.exists(out) else None
    done = whittle("merge", three, "bad.json", "-o", out, expect=2)
    assert "bad.json:1 /runs/0/syscalls/0/nr: read is number 0 on x86_64, not 1" in done.stderr, done.stderr
    assert (open(out, "rb").read() if os.path.exists(out) else None) == before
assert whittle("merge", "missing.json", expect=2).stdout == ""
whittle("merge", expect=2)

print("the output is checked before anything is read")
done = whittle("merge", "missing.json", "-o", "no/such/directory/out.json", expect=None)
assert done.returncode in (2, 3) and "missing.json" not in done.stderr, done.stderr
