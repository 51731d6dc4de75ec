"""Calls that do not come back as they went: each is counted once, under its name and its ABI, by eBPF (both
ways to see an exec) and by ptrace."""

import os

from harness import load, program, require_root, temporary_directory, whittle

require_root()
DIRECTORY = temporary_directory()
# What each program makes of these calls, its own first execve included. See tests/programs.
EXPECTED = {
    "exec_forms execve": {"execve": 2, "getppid": 1, "exit_group": 1},
    "exec_forms execveat": {"execve": 1, "execveat": 1, "getppid": 1, "exit_group": 1},
    "exec_forms thread": {"execve": 2, "getppid": 1, "exit_group": 1, "pause": 2},
    "exec_forms orphan": {"execve": 2, "getppid": 1, "exit_group": 1, "exit": 1},
    "exec_forms fail": {"execve": 3, "exit_group": 1},
    "raw_exec_x86": {"execve": 1, "x86 execve": 1, "exit_group": 1},  # by the 32-bit entry point
    # 64 to 32 bits (the first execve), and back.
    "raw32_exec @raw_abis": {"execve": 1, "x86 execve": 1, "x86 getpid": 2, "getpid": 1, "exit_group": 1},
    "raw_abis": {"execve": 1, "getpid": 1, "x86 getpid": 1, "exit_group": 1},
    "raw_x32": {"execve": 1, "x32 getpid": 1, "exit_group": 1},
    "forks": {"fork": 1, "vfork": 1, "getppid": 6},
    "killed": {"execve": 1, "getppid": 1, "epoll_wait": 1, "accept4": 1, "exit_group": 1},
    "signals": {"rt_sigreturn": 3, "restart_syscall": 1, "pause": 1, "poll": 1, "exit_group": 2},
    "filtered": {"getppid": 1, "getuid": 1, "getgid": 1, "geteuid": 1, "getegid": 1, "rt_sigreturn": 1, "exit_group": 3},
}
ERRNOS = {
    "exec_forms fail": {"execve": {"EACCES": 1, "ENOENT": 1}},
    "raw_x32": {"x32 getpid": {"ENOSYS": 1}},
    "signals": {"read": {"ERESTARTSYS": 1}, "pause": {"ERESTARTNOHAND": 1},
                "poll": {"ERESTART_RESTARTBLOCK": 1}, "rt_sigreturn": {}, "restart_syscall": {}},
    "filtered": {"geteuid": {"EOWNERDEAD": 1}, "getegid": {}},
}
WAYS = {
    "eBPF": ("ebpf", {}),
    "eBPF, exec seen at sys_enter": ("ebpf", {"WHITTLE_EXEC_HOOK": "sys_enter"}),
    "ptrace": ("ptrace", {}),
}


def recorded(command, backend, environment):
    evidence = os.path.join(DIRECTORY, "e.json")
    name, *arguments = command.replace("@", program("")).split()
    whittle("record", "--backend", backend, "--under", "none", "-o", evidence, "--", program(name), *arguments,
            env={**os.environ, **environment})
    run = load(evidence)["runs"][0]
    assert run["complete"] and run["exit"] == 0, (command, backend, run["lost"], run["exit"])
    return {(call["name"] if call["arch"] == "x86_64" else f"{call['arch']} {call['name']}"): call
            for call in run["syscalls"]}


for way, (backend, environment) in WAYS.items():
    for command, expected in EXPECTED.items():
        calls = recorded(command, backend, environment)
        counts = {name: calls[name]["count"] if name in calls else 0 for name in expected}
        assert counts == expected, (way, command, counts)
        for name, errnos in ERRNOS.get(command, {}).items():
            assert calls[name]["errnos"] == errnos, (way, command, name, calls[name]["errnos"])
        strangers = [name for name in calls if name.startswith(("x86 ", "x32 ")) and name not in expected]
        assert not strangers, (way, command, strangers)
    print(f"{way}: {len(EXPECTED)} programs, each call counted once")
