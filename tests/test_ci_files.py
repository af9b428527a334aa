"""The jobs in docs/ci: their published schemas, Pod Security, and commands that slimpy knows."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import click
import kubernetes_validate
import pytest
import yaml

from slimpy.cli import VERBS, program
from slimpy.engine.embedded.inside.filters import DEFAULT

ROOT = Path(__file__).parents[1]
PLACE = ROOT / "docs" / "ci"
TEXT = (ROOT / "docs" / "ci.md").read_text()
JOBS = ("kubernetes-job.yaml", "kubernetes-job-restricted.yaml")
BUILDER = {"mount", "pivot_root", "setns", "umount", "umount2", "unshare"}
"""What makes containers, and what slimpy refuses to those that it makes."""
USUAL = "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID"
BASELINE = {*USUAL.split(), "SETPCAP", "SETUID", "SYS_CHROOT"}
"""Capabilities that the Pod Security Standards let a "baseline" pod add."""
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "projected", "secret"}


def read(name: str) -> Any:
    return yaml.safe_load((PLACE / name).read_text())


def pod(job: Any) -> Any:
    return job["spec"]["template"]["spec"]


def level(spec: Any) -> str:
    """The Pod Security Standards' level of a pod, by the fields that a pod of ours can have."""
    (container,) = spec["containers"]
    mine = {**spec.get("securityContext", {}), **container["securityContext"]}
    added = set(mine["capabilities"].get("add", ()))
    seccomp = mine.get("seccompProfile", {}).get("type", "")
    host = {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    kinds = {kind for volume in spec["volumes"] for kind in volume if kind != "name"}
    if (
        mine.get("privileged") or host or not added <= BASELINE
        or seccomp == "Unconfined" or "hostPath" in kinds
    ):  # fmt: skip
        return "privileged"
    restricted = (
        mine["capabilities"].get("drop") == ["ALL"]
        and added <= {"NET_BIND_SERVICE"}
        and mine.get("allowPrivilegeEscalation") is False
        and mine.get("runAsNonRoot") is True
        and seccomp in ("Localhost", "RuntimeDefault")
        and kinds <= VOLUMES
    )
    return "restricted" if restricted else "baseline"


def commands() -> list[tuple[str, list[str]]]:
    """(where from, the words after `slim`) of each command that the text and the jobs hold."""
    found = []
    steps = read("github-workflow.yml")["jobs"]["slim"]["steps"]
    scripts = {
        "gitlab-ci.yml": read("gitlab-ci.yml")["slim"]["script"],
        "github-workflow.yml": [step["run"] for step in steps if "run" in step],
    }
    for name, lines in scripts.items():
        words = [shlex.split(line) for line in lines]
        found += [(name, line[1:]) for line in words if line[0] == "slim"]
    found += [(name, pod(read(name))["containers"][0]["args"]) for name in JOBS]
    for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL):
        words = shlex.split(block)
        found.append(("ci.md", words[words.index("slimpy") + 1 :]))
    return found


@pytest.mark.parametrize("version", ["1.25", "1.31", kubernetes_validate.latest_version()])
@pytest.mark.parametrize("name", JOBS)
def test_the_jobs_fit_the_schemas_of_kubernetes(name: str, version: str) -> None:
    kubernetes_validate.validate(read(name), version, strict=True)


@pytest.mark.parametrize(
    ("name", "schema"),
    [("gitlab-ci.yml", "vendor.gitlab-ci"), ("github-workflow.yml", "vendor.github-workflows")],
)
def test_the_pipelines_fit_their_schemas(name: str, schema: str, tmp_path: Path) -> None:
    assert fits(PLACE / name, schema)
    wrong = tmp_path / name
    wrong.write_text(re.sub(r"(?m)^( *)(script|runs-on):", r"\1wrong:", (PLACE / name).read_text()))
    assert not fits(wrong, schema)


def fits(file: Path, schema: str) -> bool:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(file)]
    return subprocess.run(check, capture_output=True, timeout=60, check=False).returncode == 0


@pytest.mark.parametrize(("name", "wanted"), [(JOBS[0], "baseline"), (JOBS[1], "restricted")])
def test_the_jobs_meet_their_level_of_pod_security(name: str, wanted: str) -> None:
    job = read(name)
    assert level(pod(job)) == wanted
    text = (PLACE / name).read_text()
    assert f'Pod Security "{wanted}"' in text
    loose = deepcopy(pod(job))
    loose["securityContext"]["seccompProfile"] = {"type": "Unconfined"}
    assert level(loose) == "privileged"


def test_the_jobs_differ_in_their_rights_only() -> None:
    specs = [pod(read(name)) for name in JOBS]
    for spec in specs:
        del spec["containers"][0]["securityContext"]
    assert specs[0] == specs[1]


def test_the_pipelines_keep_the_report() -> None:
    job = read("gitlab-ci.yml")["slim"]
    assert job["image"]["entrypoint"] == [""]
    report = job["artifacts"]["paths"][0]
    assert any(f"--report-dir {report}" in line for line in job["script"])
    assert job["artifacts"]["reports"]["junit"] == f"{report}/junit.xml"
    steps = read("github-workflow.yml")["jobs"]["slim"]["steps"]
    (upload,) = (step for step in steps if "upload-artifact" in step.get("uses", ""))
    assert any(f"--report-dir {upload['with']['path']}" in step.get("run", "") for step in steps)


def test_there_are_commands() -> None:
    names = [name for name, _ in commands()]
    assert sorted(set(names)) == sorted(["ci.md", "gitlab-ci.yml", "github-workflow.yml", *JOBS])
    assert names.count("ci.md") == 3


@pytest.mark.parametrize(("name", "words"), commands())
def test_the_program_takes_them(
    name: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "probes.yaml").touch()
    assert words[0] in VERBS
    verb = program.get_command(click.Context(program), words[0])
    assert verb is not None
    verb.make_context(words[0], words[1:])  # which refuses what it does not know
    with pytest.raises(click.UsageError):
        verb.make_context(words[0], [*words[1:], "--no-such-option"])


def test_files_named_exist() -> None:
    named = re.findall(r"\]\((ci/[^)]+)\)", TEXT)
    assert {Path(name).name for name in named} == {file.name for file in PLACE.iterdir()}


def test_the_profile_lets_containers_be_made_and_nothing_else_pass() -> None:
    profile = json.loads((PLACE / "seccomp.json").read_text())
    (rule,) = profile["syscalls"]
    assert (profile["defaultAction"], rule["action"]) == ("SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO")
    assert set(rule["names"]) == set(DEFAULT.split()) - BUILDER
    assert set(DEFAULT.split()) >= BUILDER


def test_lint_has_nothing_against_the_dockerfile() -> None:
    lint = [sys.executable, "-m", "slimpy", "lint", "--json", "Dockerfile"]
    done = subprocess.run(lint, capture_output=True, text=True, timeout=60, check=True, cwd=ROOT)
    (file,) = json.loads(done.stdout)["files"]
    found = {finding["name"] for finding in file["findings"]}
    # The base is an argument, whose default follows Debian's security updates, as the packages do.
    assert found <= {"base-without-digest", "apt-without-version"}


def test_the_image_runs_as_a_numbered_user() -> None:
    """Else Kubernetes cannot know that it is not root."""
    (user,) = re.findall(r"(?m)^USER (.+)$", (ROOT / "Dockerfile").read_text())
    assert int(user) > 0
