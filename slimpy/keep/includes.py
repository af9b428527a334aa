"""Paths that the user asks for by patterns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from probes.model import TraceWarning
from slimpy.image.tree import name
from slimpy.keep.scene import Finding, Scene, Want, whole_below
from slimpy.model import FileType, ImagePath, Reason, Rule, display

_WILD = frozenset("*?[")


def included(scene: Scene, patterns: Sequence[str]) -> Iterable[Finding]:
    """Wants for all that the patterns match; a directory means everything in it.

    ``*``, ``?`` and ``[...]`` match within one component (fnmatch), ``**`` any number of
    components. A pattern without a leading slash matches at any depth. Links are followed, and
    kept, so that the user's spelling works in the slim image too; ``**`` does not go through links.
    """
    for pattern in patterns:
        reason = Reason(Rule.INCLUDE, "", f"--include {display(pattern)}")
        found = False
        for path in _matches(scene, _parts(pattern)):
            found = True
            yield from whole_below(scene, path, reason)
            if scene.walk(path).real is None:
                yield Want(path, reason, follow=False)
        if not found:
            text = f"nothing in the image matches the include {display(pattern)}"
            yield TraceWarning("include", text)


def _parts(pattern: str) -> list[str]:
    absolute = pattern if pattern.startswith("/") else f"**/{pattern}"
    return [part for part in absolute.split("/") if part]


def _matches(scene: Scene, parts: Sequence[str]) -> Iterator[str]:
    """Every path that the parts match, as the pattern spells it."""
    waiting = [("", 0)]
    seen: set[tuple[ImagePath | None, int]] = set()
    while waiting:
        spelled, done = waiting.pop()
        if done == len(parts):
            yield spelled or "/"
            continue
        directory = scene.walk(spelled or "/").real
        if directory is None or (directory, done) in seen:
            continue
        seen.add((directory, done))
        waiting.extend(_next(scene, spelled, directory, parts, done))


def _next(
    scene: Scene, spelled: str, directory: ImagePath, parts: Sequence[str], done: int
) -> Iterator[tuple[str, int]]:
    part = parts[done]
    if part == "**":
        last = done + 1 == len(parts)
        if not last:
            yield spelled, done + 1
        for child in scene.tree.children(directory):
            if last:
                yield f"{spelled}/{name(child.path)}", done + 1
            elif child.type is FileType.DIRECTORY:
                yield f"{spelled}/{name(child.path)}", done
    elif _WILD & set(part):
        for child in scene.tree.children(directory):
            if fnmatchcase(name(child.path), part):
                yield f"{spelled}/{name(child.path)}", done + 1
    elif scene.walk(f"{spelled}/{part}", follow=False).real is not None:
        yield f"{spelled}/{part}", done + 1
