"""Absolute paths that the app's own texts name: in code, scripts and settings."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

from slimpy.image.tree import join, name, parent
from slimpy.keep.programs import Head
from slimpy.keep.scene import Scene
from slimpy.model import Entry, FileType, ImagePath, decoded

LARGEST_TEXT = 256 << 10
"""Bytes of a text that are looked through; longer ones are data."""

MOST_TEXT = 32 << 20
"""Bytes of all texts that are looked through for one image."""

MOST_NAMES = 2_000
"""Different paths of one text that are looked up."""

_PATH = re.compile(rb"(?<![\w.~})*?%>\]-])/{1,4}[A-Za-z0-9._@+-][A-Za-z0-9._@+/-]{0,511}")
_WORD = re.compile(rb"(?<![\w./@+-])[A-Za-z0-9_][A-Za-z0-9._@+/-]{1,127}(?![\w@+])")
_NO_NAMES = re.compile(
    r".*\.(html?|css|scss|svg|map|csv|tsv|md|rst|lock|po|pot|min\.js|pem|crt|c|h|cpp|java|go|rs)"
    r"|package-lock\.json|passwd-?|group-?|services|protocols|mime\.types|magic",
    re.IGNORECASE | re.DOTALL,
)


class Literals:
    """Looks texts through once each, up to a bound for all together."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._left = MOST_TEXT

    def of(self, head: Head) -> tuple[Entry, ...]:
        """What a text names by absolute path and the image has, links followed, in order."""
        return _entries(self._scene, paths_in(self._read(head)))

    def beside(self, head: Head) -> tuple[Entry, ...]:
        """Files that a text names and that lie in, or below, its own directory."""
        here = parent(head.entry.path)
        words = {decoded(word) for word in _first(_WORD, self._read(head))}
        return _entries(self._scene, (posixpath.normpath(join(here, word)) for word in words))

    def is_text(self, head: Head) -> bool:
        """Whether this is a text of a kind and size that is looked through."""
        if b"\0" in head.data or head.entry.size > LARGEST_TEXT:
            return False
        return not _NO_NAMES.fullmatch(name(head.entry.path))

    def _read(self, head: Head) -> bytes:
        if head.entry.size <= len(head.data):
            return head.data
        if head.entry.size > self._left:
            return b""
        self._left -= head.entry.size
        try:
            return self._scene.contents.read(head.entry.path, LARGEST_TEXT)
        except FileNotFoundError:
            return b""


def paths_in(text: bytes) -> Iterator[str]:
    """The absolute paths of a text, each once, as far as its bound goes."""
    for found in sorted(_first(_PATH, text)):
        path = decoded(b"/" + found.lstrip(b"/")).rstrip(".,:;-")
        yield posixpath.normpath(path)


def named_by_configuration(scene: Scene) -> tuple[Entry, ...]:
    """What the image's commands and environment name by absolute path, but for search paths."""
    image = scene.image
    health = image.healthcheck.argv if image.healthcheck else ()
    texts = [*image.entrypoint, *image.command, *health]
    texts.extend(
        value for variable, value in image.environment.items() if not variable.endswith("PATH")
    )
    data = "\n".join(texts).encode("utf-8", "surrogateescape")
    return _entries(scene, paths_in(data[:LARGEST_TEXT]))


def _first(pattern: re.Pattern[bytes], text: bytes) -> set[bytes]:
    found: set[bytes] = set()
    for match in pattern.finditer(text):
        found.add(match[0])
        if len(found) >= MOST_NAMES:
            break
    return found


def _entries(scene: Scene, paths: Iterable[str]) -> tuple[Entry, ...]:
    found: dict[ImagePath, Entry] = {}
    tops = {entry.path for entry in scene.tree.children(ImagePath("/"))}
    for path in paths:
        if f"/{path.split('/')[1]}" not in tops:
            continue
        entry = scene.entry(path)
        if entry is not None and entry.type in (FileType.FILE, FileType.DIRECTORY):
            found[entry.path] = entry
    return tuple(found[path] for path in sorted(found))
