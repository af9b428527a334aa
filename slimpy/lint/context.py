"""The build context: what a build would be sent, looked at within bounds."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from slimpy.lint.dockerignore import Pattern, ignored, parse, takes_back

MOST_ENTRIES = 50_000
"""Files and directories that are looked at."""

LARGEST_SCRIPT = 64 << 10
LARGEST_IGNORE = 256 << 10

JUNK = frozenset(
    {
        *(".git", ".hg", ".svn", "node_modules", ".venv", "venv", "__pycache__", ".tox", ".nox"),
        *(".mypy_cache", ".pytest_cache", ".ruff_cache", ".terraform", ".gradle", ".idea"),
        *(".vscode", ".cache", ".next", ".nuxt", "bower_components"),
    }
)
"""Directories that no image needs from the machine that builds it."""

SECRET_NAMES = re.compile(
    r"\.env(?:\.(?!example$|sample$|template$|dist$|test$)[\w-]+)?|id_(?:rsa|dsa|ecdsa|ed25519)"
    r"|.*\.(?:pem|key|p12|pfx|jks|keystore|kdbx|ovpn)|\.npmrc|\.netrc|_netrc|\.pypirc|\.git-credentials"
    r"|\.htpasswd|\.pgpass|\.my\.cnf|\.dockercfg|credentials(?:\.json)?|service[-_]account.*\.json"
    r"|secrets?\.(?:ya?ml|json|toml|ini|txt)|kubeconfig|.*\.tfstate",
    re.IGNORECASE,
)
"""Names of files that hold keys and passwords more often than not."""

_PUBLIC = re.compile(
    r".*(?:public|\bpub\b|\bca\b|chain|fullchain|cacert|root).*\.pem", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Context:
    """What is below the directory of a build, as far as it is not ignored.

    ``size`` is the bytes of its files, ``heaviest`` the largest names at its top with theirs;
    ``scripts`` are the contents of files that were asked for. ``complete`` is False where there
    is more than was looked at.
    """

    has_ignore_file: bool
    entries: int = 0
    size: int = 0
    heaviest: tuple[tuple[str, int], ...] = ()
    junk: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    scripts: Mapping[str, bytes] = field(default_factory=dict)
    complete: bool = True


def is_secret(name: str) -> bool:
    """Whether a file of that name is likely to hold a secret."""
    return bool(SECRET_NAMES.fullmatch(name)) and not _PUBLIC.fullmatch(name)


def survey(root: Path, dockerfile: str = "Dockerfile", wanted: Iterable[str] = ()) -> Context:
    """Look at a context; links are not followed.

    Args:
        dockerfile: its name: `NAME.dockerignore` beside it comes before `.dockerignore`.
        wanted: paths of scripts whose contents are looked at, as far as they are files in it.

    Raises:
        OSError: the directory itself cannot be read.
    """
    text = _ignore_text(root, dockerfile)
    walk = _Walk(root, parse(text or ""))
    walk.go()
    return Context(
        has_ignore_file=text is not None,
        entries=walk.entries,
        size=sum(walk.sizes.values()),
        heaviest=tuple(sorted(walk.sizes.items(), key=lambda item: (-item[1], item[0]))[:3]),
        junk=tuple(sorted(walk.junk)),
        secrets=tuple(sorted(walk.secrets)),
        scripts={path: data for path in wanted if (data := _script(root, path)) is not None},
        complete=walk.complete,
    )


class _Walk:
    """One pass over the directory, the top first."""

    def __init__(self, root: Path, patterns: tuple[Pattern, ...]) -> None:
        self.root = root
        self.patterns = patterns
        self.enters_ignored = takes_back(patterns)
        self.entries = 0
        self.sizes: dict[str, int] = {}
        self.junk: set[str] = set()
        self.secrets: set[str] = set()
        self.complete = True

    def go(self) -> None:
        waiting = [""]
        while waiting:
            here = waiting.pop()
            try:
                with os.scandir(self.root / here) as found:
                    for entry in found:
                        self.entries += 1
                        if self.entries > MOST_ENTRIES:
                            self.complete = False
                            return
                        path = f"{here}/{entry.name}" if here else entry.name
                        if self._enters(entry, path):
                            waiting.append(path)
            except OSError:
                if not here:
                    raise
                self.complete = False

    def _enters(self, entry: os.DirEntry[str], path: str) -> bool:
        """Take an entry in; True if it is a directory to look into."""
        out = ignored(self.patterns, path) if self.patterns else False
        if entry.is_dir(follow_symlinks=False):
            if not out and entry.name in JUNK and not self._in_junk(path):
                self.junk.add(path)
            return not out or self.enters_ignored
        if not out and entry.is_file(follow_symlinks=False):
            top = path.partition("/")[0]
            self.sizes[top] = self.sizes.get(top, 0) + entry.stat(follow_symlinks=False).st_size
            if is_secret(entry.name) and not self._in_junk(path):
                self.secrets.add(path)
        return False

    def _in_junk(self, path: str) -> bool:
        return any(part in JUNK for part in path.split("/")[:-1])


def _ignore_text(root: Path, dockerfile: str) -> str | None:
    for name in (f"{dockerfile}.dockerignore", ".dockerignore"):
        data = _contents(root / name, LARGEST_IGNORE)
        if data is not None:
            return data.decode("utf-8", "replace")
    return None


def _script(root: Path, path: str) -> bytes | None:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or "\0" in path:
        return None
    try:
        inside = (root / parts).resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):
        return None
    return _contents(root / parts, LARGEST_SCRIPT) if inside else None


def _contents(file: Path, most: int) -> bytes | None:
    """The beginning of a regular file; None if it is none, or cannot be read."""
    try:
        opened = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        return None
    with os.fdopen(opened, "rb") as stream:
        return stream.read(most)
