"""docs/probes.md shows the table of data/probes.tsv, and tests/probes has a line for each step."""

import os

from harness import SOURCE, probe_table

with open(os.path.join(SOURCE, "data", "probes.tsv"), encoding="utf-8") as file:
    steps = [line.rstrip("\n").split("\t") for line in file if not line.startswith("#")][1:]
with open(os.path.join(SOURCE, "docs", "probes.md"), encoding="utf-8") as file:
    shown = [line.rstrip("\n") for line in file if line.startswith("| `") and line.count(" | ") == 6]

lines = ["| " + " | ".join([f"`{step[0]}`", *step[1:4], *(words.replace("|", " or ") for words in step[4:])]) + " |"
         for step in steps]
assert shown == lines, set(shown) ^ set(lines)
names = [step[0] for step in steps]
for table, column in (("none-root", 4), ("none-nobody", 5), ("docker-runc", 6)):
    expected = probe_table(table)
    assert expected == {step[0]: set(step[column].split("|")) for step in steps}, table
assert list(probe_table("nginx-runc")) == names
