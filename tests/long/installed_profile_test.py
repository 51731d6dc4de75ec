"""From `kube export` to a filter in force: the installer's image, built from packaging/Dockerfile, and its plain
form put profiles into a node's directory under the settings of the DaemonSet, and Docker, containerd, Podman,
runc and crun start containers with them whose filter, read back, is the profile.
"""

import json
import os
import shutil
import signal
import subprocess
import sys

from harness import SOURCE, WHITTLE, eventually, load, require_root, skip, temporary_directory, whittle, works

sys.path.insert(0, os.path.join(SOURCE, "tests", "kube"))
import schema  # noqa: E402

require_root()
for tool in ("podman", "dockerd", "docker", "ctr", "runc", "crun"):
    if shutil.which(tool) is None:
        skip(f"needs {tool}")
if "not a dynamic executable" not in subprocess.run(["ldd", WHITTLE], capture_output=True, text=True, check=False).stderr:
    skip("needs the static binary (cmake --preset ci)")

DIRECTORY = temporary_directory()
UNIQUE = f"wi{os.getpid()}"
ROOT = os.path.join(DIRECTORY, "root")
os.makedirs(ROOT + "/bin")
shutil.copy("/bin/busybox", ROOT + "/bin/")
for name in ("sh", "sleep", "cp", "chmod", "mv", "mkdir", "sync"):
    os.symlink("busybox", f"{ROOT}/bin/{name}")
os.mkdir(ROOT + "/proc")


def run(*command, **kwargs):
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False, **kwargs)
    assert done.returncode == 0, (command, done.stdout[-1000:], done.stderr[-2000:])
    return done


# Docker's default without two calls that it allows, so that nobody's default is the same.
PROFILE = os.path.join(DIRECTORY, "web.profile.json")
document = json.loads(whittle("convert", "baseline:docker@29.4.3", "--to", "oci", "--lossy").stdout)
for rule in document["syscalls"]:
    rule["names"] = [name for name in rule["names"] if name not in ("sysinfo", "uname")]
document["syscalls"] = [rule for rule in document["syscalls"] if rule["names"]]
with open(PROFILE, "w", encoding="utf-8") as file:
    json.dump(document, file)


def mounted(config_map):
    """The values of a ConfigMap as a kubelet mounts them: links to links into a hidden directory."""
    path = os.path.join(DIRECTORY, "mounted")
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path + "/..2026_01_01")
    os.symlink("..2026_01_01", path + "/..data")
    for key, value in config_map["data"].items():
        with open(f"{path}/..2026_01_01/{key}", "w", encoding="utf-8") as content:
            content.write(value)
        os.symlink(f"..data/{key}", f"{path}/{key}")
    return path


def docker_run(container, volumes):
    """docker run with what the container of the pod says, and nothing else."""
    context = container["securityContext"]
    assert context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"] and not context["privileged"]
    command = ["docker", "run", "--rm", "--network=none", "--read-only", "--security-opt", "no-new-privileges",
               "--user", f"{context['runAsUser']}:{context['runAsGroup']}", *LIMITS]
    for capability in context["capabilities"]["drop"]:
        command += ["--cap-drop", capability]
    for mount in container["volumeMounts"]:
        command += ["-v", f"{volumes[mount['name']]}:{mount['mountPath']}{':ro' if mount.get('readOnly') else ''}"]
    first, *rest = container["command"]
    return run(*command, "--entrypoint", first, container["image"], *rest)


def installed_by(image, plain):
    made = whittle("kube", "export", PROFILE, "--as", "DaemonSet", "--image", image, *(["--plain"] if plain else []))
    config_map, daemon_set = schema.read(made.stdout)
    node = os.path.join(DIRECTORY, "plain" if plain else "node")
    os.mkdir(node, 0o755)
    volumes = {"profiles": mounted(config_map), "seccomp": node}
    init = daemon_set["spec"]["template"]["spec"]["initContainers"][0]
    said = [docker_run(init, volumes) for _ in range(2)][1]  # a second time changes nothing
    path = os.path.join(node, "profiles", "web.json")
    assert os.stat(path).st_mode & 0o7777 == 0o644 and os.listdir(node + "/profiles") == ["web.json"]
    with open(path, encoding="utf-8") as content:
        assert content.read() == config_map["data"]["web.json"]
    if not plain:
        assert "1 unchanged" in said.stdout and "compiled for" in said.stderr, said
        assert [each["state"] for each in json.loads(whittle("install", "--list", "--root", node, "--json").stdout)["files"]
                ] == ["installed"]
    assert json.loads(whittle("diff", PROFILE, path, "--json").stdout)["equivalent"] is True
    return path


def in_force(manager, start, runtime, stop=()):
    """Starts a container called NAME that sleeps, and compares the filter in force in it with the profile."""
    name = f"{UNIQUE}{manager}"
    dump = os.path.join(DIRECTORY, manager + ".bpf")
    said = os.path.join(DIRECTORY, manager + ".log")
    with open(said, "w", encoding="utf-8") as log:
        container = subprocess.Popen(start(name), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        # Once it runs what was asked for; before that the runtime's own process is there.
        def sleeping():
            assert container.poll() is None, (manager, open(said, encoding="utf-8").read())
            done = whittle("show", "--container", name, "--bytes", dump, "--json", expect=None)
            return done.returncode == 0 and len(json.loads(done.stdout)["filters"]) == 1
        eventually(sleeping, f"{manager}'s container runs: {open(said, encoding='utf-8').read()}")
        compared = json.loads(whittle("diff", INSTALLED, dump, "--runtime", runtime, "--json", expect=None).stdout)
        assert compared["equivalent"] is True, (manager, compared["changes"][:3])
        # And it is no other: the default has two calls more.
        other = json.loads(whittle("diff", dump, "baseline:docker@29.4.3", "--runtime", runtime, "--json", expect=1).stdout)
        assert {"sysinfo", "uname"} <= {change["syscall"] for change in other["changes"]}, other["changes"][:3]
    finally:
        if stop:
            subprocess.run([*stop, name], capture_output=True, check=False)
        if container.poll() is None:
            container.terminate()
        try:
            container.wait(30)
        except subprocess.TimeoutExpired:
            container.kill()
    print(f"{manager}: the filter in force is the profile installed ({os.path.getsize(dump) // 8} instructions)")


def bundle(runtime):
    path = os.path.join(DIRECTORY, "bundle-" + runtime)
    os.mkdir(path)
    run("runc", "spec", cwd=path)
    config = load(path + "/config.json")
    config["root"] = {"path": ROOT, "readonly": True}
    config["process"].update(terminal=False, args=["/bin/sleep", "60"])
    config["linux"]["seccomp"] = load(INSTALLED)
    config["linux"]["namespaces"] = [each for each in config["linux"]["namespaces"] if each["type"] != "cgroup"]
    config["mounts"] = [each for each in config["mounts"] if each["destination"] == "/proc"]
    with open(path + "/config.json", "w", encoding="utf-8") as content:
        json.dump(config, content)
    return path


LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000")
# crun refuses hybrid cgroups as long as the v2 tree is in sight and holds controllers.
HIDDEN = ["unshare", "-m", "sh", "-c", "[ ! -d /sys/fs/cgroup/unified ] || mount -t tmpfs none /sys/fs/cgroup/unified; "
          "exec \"$@\"", "sh"]

if os.path.exists("/var/run/docker.sock") and works("docker", "version"):
    daemon = None
else:
    daemon = subprocess.Popen(["dockerd", "--iptables=false", "--bridge=none", "--storage-driver=vfs"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
images = []
try:
    eventually(lambda: works("docker", "version"), "dockerd answers")
    context = os.path.join(DIRECTORY, "context")
    os.mkdir(context)
    shutil.copy(WHITTLE, context + "/whittle")
    images = [f"{UNIQUE}:whittle", f"{UNIQUE}:busybox"]
    run("docker", "build", "--network=none", "-t", images[0], "-f", os.path.join(SOURCE, "packaging", "Dockerfile"), context)
    archive = subprocess.Popen(["tar", "-C", ROOT, "-c", "."], stdout=subprocess.PIPE)
    run("docker", "import", "-", images[1], stdin=archive.stdout)
    archive.wait()
    assert run("docker", "run", "--rm", "--network=none", *LIMITS, images[0], "--version").stdout.startswith("whittle ")
    INSTALLED = installed_by(images[0], plain=False)
    installed_by(images[1], plain=True)
    print("installed by the image FROM scratch and by the plain copy, read-only and without a capability")

    in_force("docker", lambda name: ["docker", "run", "--rm", "--network=none", *LIMITS, "--name", name, "--security-opt",
                                     f"seccomp={INSTALLED}", images[1], "/bin/sleep", "60"], "runc", ("docker", "rm", "-f"))
    ctr = ["ctr", "-a", "/run/docker/containerd/containerd.sock"]
    in_force("containerd", lambda name: [*ctr, "run", "--rm", "--seccomp", "--seccomp-profile", INSTALLED, "--rootfs", ROOT, name,
                                         "/bin/sleep", "60"], "runc", (*ctr, "task", "kill", "-s", "SIGKILL"))
finally:
    if images:
        subprocess.run(["docker", "rmi", "-f", *images], check=False, capture_output=True)
    if daemon is not None:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(60)

for runtime in ("runc", "crun"):
    wrapper = HIDDEN if runtime == "crun" else []
    podman = [*wrapper, "podman", "--cgroup-manager=cgroupfs", "--runtime", runtime]
    in_force(f"podman-{runtime}", lambda name: [*podman, "run", "--rm", "--network=none", *LIMITS, "--name", name, "--security-opt",
                                                f"seccomp={INSTALLED}", "--rootfs", ROOT, "/bin/sleep", "60"],
             runtime, (*podman, "rm", "-f", "-t", "0"))
    where = bundle(runtime)
    in_force(runtime, lambda name: [*wrapper, runtime, "run", "--bundle", where, name], runtime,
             (*wrapper, runtime, "delete", "-f"))
