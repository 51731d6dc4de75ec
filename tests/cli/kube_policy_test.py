"""The admission policy of kube export: thousands of pods are admitted or refused as the profile says that would be
in force in each of their containers."""

import itertools
import os
import sys

from harness import SOURCE, whittle

sys.path.insert(0, os.path.join(SOURCE, "tests", "kube"))
import cel  # noqa: E402
import schema  # noqa: E402

NGINX = os.path.join(SOURCE, "tests", "fixtures", "nginx-74-names.json")
policy, _ = schema.read(whittle("kube", "export", NGINX, "--as", "ValidatingAdmissionPolicy", "--localhost-profile", "a/b.json").stdout)

GOOD = [{"type": "RuntimeDefault"}, {"type": "Localhost", "localhostProfile": "profiles/nginx-74-names.json"},
        {"type": "Localhost", "localhostProfile": "a/b.json"}]
BAD = [{"type": "Localhost", "localhostProfile": "x.json"}, {"type": "Unconfined"}, {"type": "Localhost"}]
PROFILES = [None, *GOOD, *BAD]


def context(profile, privileged=None, empty=False):
    made = {} if profile is None else {"seccompProfile": profile}
    if privileged is not None:
        made["privileged"] = privileged
    return {"securityContext": made} if made or empty else {}


asked = {True: 0, False: 0}


def check(spec, operation, wanted):
    assert cel.admits(policy, {"spec": spec}, operation) is wanted, (spec, operation)
    asked[wanted] += 1


for pod, container, init in itertools.product(PROFILES, repeat=3):
    in_force = [own if own is not None else pod for own in (container, init)]
    for privileged, windows, empty in itertools.product((None, False, True), (False, True), (False, True)):
        spec = {"containers": [{"name": "c", **context(container, privileged, empty)}],
                "initContainers": [{"name": "i", **context(init, None, empty)}], **context(pod, None, empty)}
        if windows:
            spec["os"] = {"name": "windows"}
        check(spec, "CREATE", windows or (not privileged and all(each in GOOD for each in in_force)))
for pod, added, privileged in itertools.product(PROFILES, PROFILES, (None, False, True)):
    # A pod that runs already: only what is added counts.
    check({"containers": [{"name": "c", **context({"type": "Unconfined"}, True)}],
           "ephemeralContainers": [{"name": "e", **context(added, privileged)}], **context(pod)}, "UPDATE",
          not privileged and (added if added is not None else pod) in GOOD)
print(f"{asked[True]} pods admitted, {asked[False]} refused, each as it must be")
assert min(asked.values()) > 500
(binding,) = [value for value in schema.read(whittle("kube", "export", "--as", "ValidatingAdmissionPolicy").stdout) if "Binding" in value["kind"]]
assert binding["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"] == [
    {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system"]}]
