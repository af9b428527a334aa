"""slimpy in its own image: the commands of docs/ci.md, on images that are handed in as archives."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.polling import eventually

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_apps"
TOOL = "slimpy-test/tool"
SECONDS = 240
# From the least that slims every image: its own user, root of the container, no capability.
OWN, ROOT_USER, NOTHING = (
    shlex.split(block.replace("\\\n", " "))
    for block in re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "ci.md").read_text(), re.DOTALL)
)


@pytest.fixture(scope="module")
def tool() -> str:
    """slimpy's image, of this checkout; what an earlier test run left is reused or replaced."""
    before = identity(TOOL)
    base = ("--build-arg", "BASE=slimpy-sample/base")
    docker("build", "--quiet", "--network=host", *base, "--tag", TOOL, str(ROOT), BUILDKIT="0")
    if before not in ("", identity(TOOL)):
        subprocess.run(["docker", "rmi", before], capture_output=True, timeout=60, check=False)
    return TOOL


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that any user of a container may write to."""
    with tempfile.TemporaryDirectory(prefix="slimpy-test-tool-", dir="/var/tmp") as name:
        Path(name).chmod(0o777)
        yield Path(name)


def docker(*arguments: str, BUILDKIT: str = "") -> str:  # noqa: N803
    more = {"DOCKER_BUILDKIT": BUILDKIT} if BUILDKIT else {}
    command = ["docker", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, env={**os.environ, **more},
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout.strip()


def identity(image: str) -> str:
    asked = ["docker", "image", "inspect", "--format", "{{.Id}}", image]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout.strip()


def flags(shown: list[str], place: Path) -> list[str]:
    """What a command of the text has before the image, with the directory in place of its own."""
    words = shown[: shown.index("slimpy")]
    known = {"$PWD:/work": f"{place}:/work"}
    known["seccomp=docs/ci/seccomp.json"] = f"seccomp={ROOT}/docs/ci/seccomp.json"
    return [known.get(word, word) for word in words]


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


def slim(
    shown: list[str], tool: str, place: Path, name: str, user: str = ""
) -> subprocess.CompletedProcess[str]:
    """The command of the text on a sample, which lies in the directory as app.tar."""
    source = f"slimpy-sample/{name}"
    with as_user(source, user) as image:
        docker("save", "--output", str(place / "app.tar"), image)
    probes = (SAMPLES / name / "probe.yaml").read_text()
    (place / "probes.yaml").write_text(probes.replace('"uid": 10001', f'"uid": {user or 10001}'))
    for file in ("app.tar", "probes.yaml"):
        (place / file).chmod(0o644)
    asked = [
        word.replace(":app:slim", f":{slim_name()}") for word in shown[shown.index("slimpy") :]
    ]
    return run([*flags(shown, place), tool, *asked[1:], "--probe-file", "probes.yaml"])


@contextlib.contextmanager
def as_user(image: str, user: str) -> Iterator[str]:
    """The image, or one like it that runs as another user."""
    if not user:
        yield image
        return
    made = f"slimpy-test/as-user:{os.getpid()}"
    recipe = f"FROM {image}\nUSER {user}\n"
    subprocess.run(
        ["docker", "build", "--quiet", "--tag", made, "-"], input=recipe.encode(), check=True,
        capture_output=True, timeout=60, env={**os.environ, "DOCKER_BUILDKIT": "0"},
    )  # fmt: skip
    try:
        yield made
    finally:
        docker("rmi", made)


def slim_name() -> str:
    return f"slimpy-test/from-container:{os.getpid()}"


def report(place: Path) -> Any:
    (file,) = place.glob("slim-report/*/report.json")
    return json.loads(file.read_text())


def answer(place: Path, path: str) -> bytes:
    """What the slim image says, loaded into Docker and started as the report has it."""
    docker("load", "--input", str(place / "app-slim.tar"))
    try:
        (start,) = place.glob("slim-report/*/hardening/docker-run.sh")
        started = subprocess.run(
            ["sh", str(start), "--detach"], capture_output=True, text=True, check=True, timeout=60,
            env={**os.environ, "PORT_8080": "127.0.0.1:"},
        ).stdout.strip()  # fmt: skip
        try:
            address = docker("port", started, "8080")
            return eventually(lambda: fetched(f"http://{address}{path}"), timeout=30.0)
        finally:
            docker("rm", "--force", "--volumes", started)
    finally:
        docker("rmi", slim_name())


def fetched(url: str) -> bytes | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            content: bytes = reply.read()
            return content
    except OSError:
        return None


def doctor(tool: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    """(exit code, what it says of the embedded engine); no other engine is there."""
    done = run(["docker", "run", "--rm", *arguments, tool, "doctor", "--json"])
    document = json.loads(done.stdout)
    assert all(item["works"] for item in document["tools"])
    engines = {item["what"]: item for item in document["engines"]}
    assert not engines["engine docker"]["works"] and not engines["engine podman"]["works"]
    return done.returncode, engines["engine embedded"]


def test_as_its_own_user_it_slims_an_image_that_gives_up_root(tool: str, place: Path) -> None:
    done = slim(OWN, tool, place, "nginx")
    assert done.returncode == 0, done.stderr[-3000:]
    found = report(place)
    assert found["status"] == "slimmed" and found["account"]["user"] == "33:33"
    assert {item["verdict"] for item in found["exchanges"]} == {"same"}
    assert found["factor"] > 10
    assert (place / "app-slim.tar").stat().st_uid == 1000
    assert b"<html" in answer(place, "/").lower()


def test_as_root_without_new_privileges(tool: str, place: Path) -> None:
    assert "no-new-privileges" in ROOT_USER and "0" in ROOT_USER
    os.chown(place, 0, 0)
    done = slim(ROOT_USER, tool, place, "static-c")
    assert done.returncode == 0, done.stderr[-3000:]
    assert report(place)["account"]["user"] == "10001:10001"
    assert b"10001" in answer(place, "/whoami")


def test_without_capabilities_images_of_root_are_slimmed(tool: str, place: Path) -> None:
    alone = [*NOTHING[:2], "--network", "none", *NOTHING[2:]]
    done = slim(alone, tool, place, "static-c", "0")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "only one user is available here" in done.stdout
    assert {item["verdict"] for item in report(place)["exchanges"]} == {"same"}
    assert b'"uid": 0' in answer(place, "/whoami")


def test_without_capabilities_other_users_are_refused_in_a_sentence(tool: str, place: Path) -> None:
    done = slim(NOTHING, tool, place, "static-c")
    assert done.returncode == 6
    (said,) = (line for line in done.stderr.splitlines() if line.startswith("slim: "))
    assert "user 10001:10001: only one user is available for containers here" in said
    assert "add the capabilities SETUID and SETGID" in done.stderr
    assert not (place / "app-slim.tar").exists()


def test_doctor_tells_the_truth(tool: str, place: Path) -> None:
    code, embedded = doctor(tool)
    assert code == 3 and not embedded["works"]
    assert "unshare" in embedded["how"] and "seccomp" in embedded["mend"]
    wanted = {
        "as an ordinary user with subordinate ids": flags(OWN, place),
        "as root of a container": flags(ROOT_USER, place),
        "as an ordinary user with one id": flags(NOTHING, place),
    }
    for how, words in wanted.items():
        code, embedded = doctor(tool, *words[words.index("--rm") + 1 :])
        assert (code, embedded["works"]) == (0, True)
        assert how in embedded["how"]


def test_doctor_names_the_capability_that_root_lacks(tool: str, place: Path) -> None:
    words = flags(ROOT_USER, place)
    at = words.index("SETFCAP")
    code, embedded = doctor(tool, *words[words.index("--rm") + 1 : at - 1])
    assert code == 3 and "the capability SETFCAP" in embedded["how"]


def test_the_image_holds_what_it_needs_only(tool: str) -> None:
    config = json.loads(docker("image", "inspect", tool))[0]["Config"]
    assert config["User"] == "1000" and config["Entrypoint"] == ["slim"]
    listing = docker(
        "run", "--rm", "--user", "0", "--entrypoint", "find", tool,
        "/", "-xdev", "-type", "f", "-printf", "%m %p\n",
    )  # fmt: skip
    files = dict(reversed(line.split(" ", 1)) for line in listing.splitlines())
    assert len(files) > 5000
    unwanted = re.compile(
        r".*/(?:cc|gcc|g\+\+|make|pip3?|setcap)(?:-?[0-9.]+)?|.*/(?:site|dist)-packages/pip/.*"
        r"|/(?:root|home/[^/]+)/\.cache/.*|/var/lib/apt/lists/.+|/src/.*|.*\.deb|.*/tests/e2e/.*"
    )
    assert [name for name in files if unwanted.fullmatch(name)] == []
    assert [name for name, mode in files.items() if int(mode, 8) & 0o6000] == []
    assert shutil.which("gcc")  # which the pattern finds where there is one
    assert unwanted.fullmatch("/usr/bin/gcc-12") and unwanted.fullmatch("/usr/bin/pip3")
