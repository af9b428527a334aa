"""Small images of apps that misbehave, and the program run on them in a process of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from slimpy.engine.docker import DockerEngine
from slimpy.engine.session import LABEL, TEMPORARY_REPOSITORY

ROOT = Path(__file__).parents[2]
SECONDS = 60


def program(*arguments: str, strict: bool = True) -> list[str]:
    """The command line of the program; ``strict`` makes it complain of what it leaves open."""
    watch = ("-W", "error::ResourceWarning") if strict else ()
    return [sys.executable, *watch, "-m", "slimpy", *arguments]


def environment(**more: str) -> dict[str, str]:
    """The environment of the program, so that it is found from any directory."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


@dataclass(frozen=True)
class Ended:
    """What a run of the program came to."""

    code: int
    result: str  # standard output
    talk: str  # standard error
    pid: int


def slim(
    *arguments: str,
    cwd: Path,
    env: dict[str, str] | None = None,
    before: tuple[str, ...] = (),
    **more: Any,
) -> Ended:
    """Run the program to its end; ``before`` is a command that runs it."""
    with subprocess.Popen(
        [*before, *program(*arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=environment() if env is None else env,
        **more,
    ) as process:
        try:
            out, err = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
    assert "Traceback" not in err and "Internal error" not in err, err
    assert "\x1b" not in out + err
    return Ended(process.returncode, out, err, process.pid)


def first_line(done: Ended) -> str:
    """The message itself, the first line that is not progress."""
    return next(line for line in done.talk.splitlines() if line.startswith(("slim: ", "Error: ")))


@cache
def app() -> bytes:
    """The misbehaving app, a static binary."""
    source = ROOT / "tests/e2e/images/odd.c"
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "app"
        command = ["gcc", "-static", "-O1", "-Wall", "-Werror", "-o", str(out), str(source)]
        subprocess.run(command, check=True, timeout=SECONDS)
        return out.read_bytes()


def archive(files: dict[str, tuple[int, bytes]]) -> bytes:
    """A tar of files: name -> mode and contents."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, (mode, data) in files.items():
            info = tarfile.TarInfo(name)
            info.mode, info.size = mode, len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@dataclass
class Images:
    """Images made for a test, removed at its end."""

    engine: DockerEngine
    names: list[str] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)

    def make(
        self,
        name: str,
        *changes: str,
        platform: str = "",
        data: int = 1,
        more: dict[str, bytes] | None = None,
    ) -> str:
        """An image with the app, ``data`` bytes at /data and ``more`` files; ``changes`` are
        Dockerfile lines.
        """
        tag = self._named(name)
        files = {"app": (0o755, app()), "data": (0o644, os.urandom(data))}
        files |= {path: (0o644, text) for path, text in (more or {}).items()}
        options = [f"--change={change}" for change in changes]
        options += [f"--platform={platform}"] if platform else []
        command = ["docker", "import", *options, "-", tag]
        subprocess.run(
            command, input=archive(files), check=True, timeout=SECONDS, stdout=subprocess.DEVNULL
        )
        return tag

    def load_as(self, name: str, changes: dict[str, Any]) -> str:
        """An image with the app whose configuration is changed as no tool would do it."""
        layer = archive({"app": (0o755, app()), "data": (0o644, os.urandom(1))})
        config = {
            "architecture": self.engine.architecture,
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(layer).hexdigest()}"]},
            **changes,
        }
        tag = self._named(name)
        manifest = [{"Config": "config.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]
        files = {
            "config.json": (0o644, json.dumps(config).encode()),
            "layer.tar": (0o644, layer),
            "manifest.json": (0o644, json.dumps(manifest).encode()),
        }
        command = ["docker", "load", "--quiet"]
        data = archive(files)
        subprocess.run(command, input=data, check=True, timeout=SECONDS, stdout=subprocess.DEVNULL)
        return tag

    def odd(self, how: str) -> str:
        """An image whose app misbehaves in that way, not as root."""
        if how not in self.known:
            changes = (f'ENTRYPOINT ["/app", "{how}"]', "EXPOSE 8080", "USER 1000")
            self.known[how] = self.make(how, *changes)
        return self.known[how]

    def _named(self, name: str) -> str:
        """A name for an image, which no earlier one has any more."""
        tag = f"slimpy-test-odd/{name}:{os.getpid()}"
        self.engine.remove_tag(tag)
        self.names += [tag, tag.replace(":", ".slim:")]
        return tag

    def has(self, name: str) -> bool:
        """Whether the engine has an image of that name."""
        return bool(self.engine._client.api.images(name=name))

    def remove(self) -> None:
        """Remove them, and the slim images made of them."""
        for name in self.names:
            self.engine.remove_tag(name)


def leftovers(engine: DockerEngine, pid: int) -> list[str]:
    """Containers, volumes and tags that the program with that process id left at the engine."""
    api, filters = engine._client.api, {"label": LABEL}
    found = list(api.containers(all=True, filters=filters))
    found += api.volumes(filters=filters).get("Volumes") or []
    identities = [item["Labels"][LABEL] for item in found]
    for item in api.images(name=TEMPORARY_REPOSITORY):
        identities += [tag.rpartition(":")[2] for tag in item.get("RepoTags") or []]
    return [identity for identity in identities if f".{pid}." in identity]
