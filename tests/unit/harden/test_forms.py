"""The bundle's files, each read by the program or schema that reads it in earnest."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from slimpy.harden.forms import compose, kubernetes, operator
from slimpy.harden.forms.bundle import EXECUTABLE, bundle
from slimpy.harden.forms.common import comment
from slimpy.harden.hardening import object_name, volume_name
from slimpy.harden.writable import Writable
from slimpy.model import Account, ImagePath
from tests.unit.harden.hardened import hardened, image

GOLDEN = Path(__file__).parents[2] / "golden" / "harden"
ROOT = Account("", 0, 0, "root", "It binds a raw socket.")
LAX = {
    "account": ROOT,
    "capabilities": ("CHOWN", "NET_BIND_SERVICE"),
    "no_new_privileges": False,
    "read_only": False,
    "writable": (),
    "apparmor": "",
}
VARIANTS: dict[str, dict[str, Any]] = {
    "strict": {},
    "lax": LAX,
    "no ports": {"ports": ()},
    "no state": {"writable": ()},
    "no health check": {"config": image({"Cmd": ["/app/server"]})},
    "low port with its capability": {"capabilities": ("NET_BIND_SERVICE",)},
}
all_variants = pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)


@pytest.mark.parametrize("name", sorted(bundle(hardened())))
def test_the_files_are_those_of_the_golden_bundle(name):
    assert bundle(hardened())[name] == (GOLDEN / name).read_text(encoding="ascii")


def test_the_golden_bundle_holds_nothing_else():
    assert {path.name for path in GOLDEN.iterdir()} == set(bundle(hardened()))


@all_variants
def test_files_name_only_files_of_the_bundle_and_are_plain_text(changes):
    files = bundle(hardened(**changes))
    assert list(files) == sorted(files)
    assert set(files) >= EXECUTABLE
    assert all(text.isascii() and text.endswith("\n") for text in files.values())
    named = set(
        re.findall(r"(?<![\w/])[\w-]+\.(?:json|profile|yaml|sh)\b", "".join(files.values()))
    )
    assert named <= set(files)


@all_variants
def test_the_seccomp_profile_is_the_one_that_was_proven(changes):
    strict = hardened(**changes)
    assert json.loads(bundle(strict)["seccomp.json"]) == strict.profile.document


# docker-run.sh


FAKE = """\
#!/bin/sh
for word in "$@"; do printf '%s\\0' "$word"; done
"""


def command(directory: Path, changes: dict[str, Any], *more: str, **variables: str) -> list[str]:
    """The arguments that docker would get, split by a real shell."""
    for name, text in bundle(hardened(**changes)).items():
        (directory / name).write_text(text)
    fake = directory / "docker"
    fake.write_text(FAKE)
    fake.chmod(0o755)
    done = subprocess.run(
        ["sh", directory / "docker-run.sh", *more],
        env={"PATH": f"{directory}:/usr/bin:/bin", **variables},
        capture_output=True,
        check=True,
        timeout=30,
    )
    return done.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize("shell", ["sh", "dash", "bash"])
@all_variants
def test_the_script_is_sound(changes, shell, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = bundle(hardened(**changes))["docker-run.sh"].encode()
    subprocess.run([shell, "-n"], input=script, check=True, timeout=30)


def test_one_command_with_every_restriction(tmp_path):
    here = tmp_path / "a b"
    here.mkdir()
    assert command(here, {}, "--env", "A=b c", PORT_80="8000") == [
        *("run", "--rm", "--security-opt", f"seccomp={here}/seccomp.json"),
        *("--security-opt", "no-new-privileges", "--cap-drop", "ALL"),
        *("--user", "33:33", "--read-only"),
        *("--tmpfs", "/run:rw,nosuid,nodev,noexec,mode=755,uid=33,gid=33"),
        *("--tmpfs", "/tmp:rw,nosuid,nodev,noexec,mode=1777,uid=33,gid=33"),
        *("--volume", "shop-srv-cache:/srv/cache"),
        *("--volume", "shop-var-lib-shop:/var/lib/shop"),
        *("--sysctl", "net.ipv4.ip_unprivileged_port_start=0"),
        *("--publish", "8000:80", "--publish", "8080:8080"),
        *("--env", "A=b c", "team/shop.slim:1.0"),
    ]


def test_what_could_not_be_kept_is_neither_claimed_nor_hidden(tmp_path):
    words = command(tmp_path, LAX)
    assert not {"--read-only", "--user", "no-new-privileges", "--sysctl"} & set(words)
    assert words[words.index("--cap-add") + 1] == "CHOWN"
    for name, text in bundle(hardened(**LAX)).items():
        if name.endswith((".sh", ".yaml")):
            assert "# It runs as root: It binds a raw socket." in text
            assert "# Its root file system is writable." in text


def test_hostile_words_stay_one_word(tmp_path):
    user = Account("$(touch x) ' \"", 5, 6, "image", "\n$(id)")
    words = command(tmp_path, {"account": user, "image": "a/b:c"})
    assert words[words.index("--user") + 1] == "5:6"
    place = Writable(ImagePath("/tmp/a b~%@+"), "volume", 1, 2, 0o700, "")
    words = command(tmp_path, {"writable": (place,)})
    assert words[words.index("--volume") + 1].endswith(":/tmp/a b~%@+")
    assert not (tmp_path / "x").exists()


def test_a_comment_ends_with_its_line():
    assert comment("a\nb", "\udcff", "\u202e") == "# a\\x0ab\n# \\xff\n# \\u202e\n"


# compose.yaml


def composer() -> list[str] | None:
    """The Compose of this machine: the plugin, or the program of its own."""
    docker = shutil.which("docker")
    if docker:
        asked = [docker, "compose", "version"]
        if subprocess.run(asked, capture_output=True, timeout=60, check=False).returncode == 0:
            return [docker, "compose"]
    alone = shutil.which("docker-compose")
    return [alone] if alone else None


@all_variants
def test_compose_takes_the_service(changes, tmp_path):
    program = composer()
    if program is None:
        pytest.skip("Docker Compose is not installed")
    strict = hardened(**changes)
    for name, text in bundle(strict).items():
        (tmp_path / name).write_text(text)
    asked = [*program, "-f", "compose.yaml", "config"]
    done = subprocess.run(asked, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    (found,) = yaml.safe_load(done.stdout)["services"].values()
    assert found["image"] == strict.image
    assert found["cap_drop"] == ["ALL"]
    assert found.get("read_only", False) == strict.read_only
    assert ("no-new-privileges:true" in found["security_opt"]) == strict.no_new_privileges
    assert found.get("user") == (None if strict.account.is_root else "33:33")
    assert found.get("tmpfs", []) == compose.service(strict).get("tmpfs", [])
    assert len(found.get("volumes", [])) == len(strict.volumes)
    assert [str(port["target"]) for port in found.get("ports", [])] == list(map(str, strict.ports))


# kubernetes.yaml


@pytest.mark.parametrize("version", ["1.25", "1.31", kubernetes_validate.latest_version()])
@all_variants
def test_objects_fit_the_published_schemas(changes, version):
    objects = list(yaml.safe_load_all(bundle(hardened(**changes))["kubernetes.yaml"]))
    for value in objects:
        kubernetes_validate.validate(value, version, strict=True)
    kinds = [value["kind"] for value in objects]
    assert kinds.count("Deployment") == 1
    assert ("Service" in kinds) == bool(hardened(**changes).ports)
    assert kinds.count("PersistentVolumeClaim") == len(hardened(**changes).volumes)


def test_a_schema_refuses_what_is_wrong():
    """Else the test above would pass with any object."""
    wrong = kubernetes.deployment(hardened())
    wrong["spec"]["template"]["spec"]["containers"][0]["securityContext"]["readOnly"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.31", strict=True)


@all_variants
def test_objects_refer_to_each_other(changes):
    strict = hardened(**changes)
    objects = {value["kind"]: value for value in kubernetes.objects(strict)}
    spec = objects["Deployment"]["spec"]
    pod = spec["template"]["spec"]
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
    names = {volume["name"] for volume in pod.get("volumes", [])}
    containers = [*pod["containers"], *pod.get("initContainers", [])]
    mounts = [mount for each in containers for mount in each.get("volumeMounts", [])]
    assert {mount["name"] for mount in mounts} == names
    claimed = {
        volume["persistentVolumeClaim"]["claimName"]
        for volume in pod.get("volumes", [])
        if "persistentVolumeClaim" in volume
    }
    made = {
        value["metadata"]["name"]
        for value in kubernetes.objects(strict)
        if "Claim" in value["kind"]
    }
    assert claimed == made
    if "Service" in objects:
        selector = objects["Service"]["spec"]["selector"]
        assert selector.items() <= spec["template"]["metadata"]["labels"].items()
        ports = {port["name"] for port in pod["containers"][0]["ports"]}
        assert {port["targetPort"] for port in objects["Service"]["spec"]["ports"]} == ports
    label = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
    for name in [*names, *(each["name"] for each in containers)]:
        assert label.fullmatch(name)


RESTRICTED_VOLUMES = frozenset(
    (
        *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral"),
        *("persistentVolumeClaim", "projected", "secret"),
    )
)
SAFE_SYSCTLS = frozenset(
    (
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
    )
)


def restricted(pod: dict[str, Any]) -> set[str]:
    """The controls of the Pod Security Standards, levels baseline and restricted, that a pod fails.

    Written down from https://kubernetes.io/docs/concepts/security/pod-security-standards/, one line
    for each control and in its order; it knows nothing of the code that makes pods.
    """
    containers = [*pod["containers"], *pod.get("initContainers", [])]
    own = [each.get("securityContext", {}) for each in containers]
    shared = pod.get("securityContext", {})

    def everywhere(key: str) -> list[Any]:
        return [context.get(key, shared.get(key)) for context in own]

    volumes = pod.get("volumes", [])
    ports = [port for each in containers for port in each.get("ports", [])]
    added = {name for context in own for name in context.get("capabilities", {}).get("add", [])}
    failed = {
        "Host Namespaces": any(pod.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")),
        "Privileged Containers": any(context.get("privileged") for context in own),
        "HostPath Volumes": any("hostPath" in volume for volume in volumes),
        "Host Ports": any(port.get("hostPort") for port in ports),
        "/proc Mount Type": any(c.get("procMount", "Default") != "Default" for c in own),
        "Sysctls": any(item["name"] not in SAFE_SYSCTLS for item in shared.get("sysctls", [])),
        "Volume Types": any(
            not (volume.keys() - {"name"}) <= RESTRICTED_VOLUMES for volume in volumes
        ),
        "Privilege Escalation": any(c.get("allowPrivilegeEscalation") is not False for c in own),
        "Running as Non-root": any(value is not True for value in everywhere("runAsNonRoot")),
        "Running as Non-root user": any(value == 0 for value in everywhere("runAsUser")),
        "Seccomp": any(
            (value or {}).get("type") not in ("RuntimeDefault", "Localhost")
            for value in everywhere("seccompProfile")
        ),
        "Capabilities": any("ALL" not in c.get("capabilities", {}).get("drop", []) for c in own)
        or not added <= {"NET_BIND_SERVICE"},
    }
    return {name for name, fails in failed.items() if fails}


@all_variants
def test_the_pod_meets_the_restricted_standard_or_says_where_it_does_not(changes):
    strict = hardened(**changes)
    failed = restricted(kubernetes.deployment(strict)["spec"]["template"]["spec"])
    admitted = {violation.partition(":")[0] for violation in kubernetes.violations(strict)}
    assert {name.removesuffix(" user") for name in failed} == admitted
    text = kubernetes.file(strict)
    assert ('It meets the Pod Security standard "restricted".' in text) == (not failed)
    if changes is not LAX:
        assert failed == set()


def test_the_checklist_finds_every_fault():
    pod = kubernetes.deployment(hardened())["spec"]["template"]["spec"]
    context = pod["containers"][0]["securityContext"]
    wrong = {
        "Privileged Containers": {"privileged": True},
        "/proc Mount Type": {"procMount": "Unmasked"},
        "Privilege Escalation": {"allowPrivilegeEscalation": True},
        "Running as Non-root": {"runAsNonRoot": False},
        "Running as Non-root user": {"runAsUser": 0},
        "Seccomp": {"seccompProfile": {"type": "Unconfined"}},
        "Capabilities": {"capabilities": {"drop": ["ALL"], "add": ["CHOWN"]}},
    }
    for control, change in wrong.items():
        container = {**pod["containers"][0], "securityContext": {**context, **change}}
        assert restricted({**pod, "containers": [container]}) == {control}
    assert restricted({**pod, "hostNetwork": True}) == {"Host Namespaces"}
    volumes = [*pod["volumes"], {"name": "x", "hostPath": {"path": "/"}}]
    assert restricted({**pod, "volumes": volumes}) == {"HostPath Volumes", "Volume Types"}


def test_a_private_or_filled_volume_is_prepared_by_the_apps_own_user():
    pod = kubernetes.deployment(hardened())["spec"]["template"]["spec"]
    prepared = {each["name"]: each for each in pod["initContainers"]}
    assert set(prepared) == {"prepare-srv-cache", "prepare-var-lib-shop"}
    assert prepared["prepare-var-lib-shop"]["command"] == [
        *("cp", "-a", "/var/lib/shop/.", "/stage/content")
    ]
    mounts = {mount["mountPath"]: mount for mount in pod["containers"][0]["volumeMounts"]}
    assert mounts["/srv/cache"]["subPath"] == mounts["/var/lib/shop"]["subPath"] == "content"
    assert "subPath" not in mounts["/tmp"]


def test_the_health_check_is_the_liveness_probe():
    container = kubernetes.deployment(hardened())["spec"]["template"]["spec"]["containers"][0]
    probe = container["livenessProbe"]
    assert probe["httpGet"]["path"] == "/health"
    assert (probe["periodSeconds"], probe["initialDelaySeconds"]) == (5, 2)


# seccomp-profile.yaml

ACTION = {
    "enum": [f"SCMP_ACT_{name}" for name in ("KILL", "KILL_PROCESS", "ERRNO", "ALLOW", "LOG")]
}
OPERATORS = [f"SCMP_CMP_{name}" for name in ("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ")]
NUMBER = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
ARGUMENT = {
    "type": "object",
    "required": ["index", "op"],
    "additionalProperties": False,
    "properties": {"index": NUMBER, "op": {"enum": OPERATORS}, "value": NUMBER, "valueTwo": NUMBER},
}
PROFILE = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "security-profiles-operator.x-k8s.io/v1beta1"},
        "kind": {"const": "SeccompProfile"},
        "metadata": {
            "required": ["name"],
            "properties": {"name": {"pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"}},
        },
        "spec": {
            "required": ["defaultAction"],
            "additionalProperties": False,
            "properties": {
                "defaultAction": ACTION,
                "architectures": {"items": {"pattern": "^SCMP_ARCH_(X86|X86_64|X32|ARM|AARCH64)$"}},
                "syscalls": {
                    "items": {
                        "required": ["action", "names"],
                        "additionalProperties": False,
                        "properties": {
                            "action": ACTION,
                            "names": {"type": "array", "minItems": 1, "items": {"type": "string"}},
                            "args": {"maxItems": 6, "items": ARGUMENT},
                            "errnoRet": NUMBER,
                        },
                    }
                },
            },
        },
    },
}
"""The fields of SeccompProfile v1beta1 by the operator's API reference (api-seccompprofile)."""


@all_variants
def test_the_operators_object_has_the_fields_of_its_reference(changes):
    strict = hardened(**changes)
    (value,) = yaml.safe_load_all(bundle(strict)["seccomp-profile.yaml"])
    jsonschema.validate(value, PROFILE)
    assert value["spec"]["syscalls"] == strict.profile.document["syscalls"]
    broken = operator.profile(strict) | {"spec": {"defaultAction": "SCMP_ACT_MAYBE"}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, PROFILE)


# Names


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("team/shop.slim:1.0", "shop"),
        ("registry.example:5000/a/Node_Express.slim:latest", "node-express"),
        ("postgres@sha256:0123", "postgres"),
    ],
)
def test_names_of_objects(reference, name):
    assert object_name(reference) == name


@pytest.mark.parametrize(
    "reference", ["9lives:1", "x" * 200, "", "---", "é:1", "sha256:" + "0" * 64]
)
def test_odd_references_still_give_a_label(reference):
    name = object_name(reference)
    assert re.fullmatch(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", name)
    assert object_name(reference + "x") != name or reference.startswith("sha256")


def test_places_of_like_names_stay_apart():
    paths = ("/var/lib/app", "/var/lib-app", "/var-lib-app", "/Var/lib/app", "/" + "a" * 300)
    places = [Writable(ImagePath(path), "volume", 0, 0, 0o755, "") for path in paths]
    names = [volume_name(place) for place in places]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?", name) for name in names)


def test_shortfalls_are_told():
    assert hardened().shortfalls() == ()
    assert len(hardened(**LAX).shortfalls()) == 4
    assert len(replace(hardened(), read_only=False).shortfalls()) == 1
