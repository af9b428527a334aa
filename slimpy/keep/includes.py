"""What the user asks to keep or to leave out: patterns of paths, packages, programs, a shell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from probes.model import TraceWarning
from slimpy.image.tree import name
from slimpy.keep.bundles import bundle
from slimpy.keep.scene import Finding, Scene, Want, whole_below
from slimpy.model import FileType, ImagePath, Reason, Rule, display
from slimpy.settings import Wishes

SHELL_TOOLS = (
    *("sh", "bash", "ls", "cat", "head", "tail", "grep", "sed", "find", "ps", "env", "id", "pwd"),
    *("which", "date", "df", "du", "stat", "cp", "mv", "rm", "mkdir", "sleep", "kill", "tr"),
    *("cut", "wc", "sort", "uname", "hostname", "less"),
)
"""What ``--keep-shell`` keeps, as far as the image has it."""

_WILD = frozenset("*?[")


def included(scene: Scene, wishes: Wishes) -> Iterable[Finding]:
    """Wants for all that the user asks for; a warning for each wish that nothing answers."""
    yield from _globs(scene, wishes.keep)
    for package in wishes.packages:
        yield from _package(scene, package)
    for program in wishes.programs:
        yield from _program(scene, program, f"--keep-bin {display(program)}", needed=True)
    if wishes.shell:
        for tool in SHELL_TOOLS:
            yield from _program(scene, tool, "--keep-shell", needed=tool == "sh")


def dropped(scene: Scene, patterns: Sequence[str]) -> Mapping[ImagePath, str]:
    """Real paths that the patterns match, and all that is in them, each with its pattern.

    Of a link it is the link itself that goes. A pattern without a match drops nothing.
    """
    found: dict[ImagePath, str] = {}
    for pattern in patterns:
        for path in _matches(scene, _parts(pattern)):
            real = scene.walk(path, follow=False).real
            if real is None:
                continue
            found.setdefault(real, pattern)
            for entry in scene.tree.below(real):
                found.setdefault(entry.path, pattern)
    return found


def _globs(scene: Scene, patterns: Sequence[str]) -> Iterable[Finding]:
    """Wants for all that the patterns match; a directory means everything in it.

    ``*``, ``?`` and ``[...]`` match within one component (fnmatch), ``**`` any number of
    components. A pattern without a leading slash matches at any depth. Links are followed, and
    kept, so that the user's spelling works in the slim image too; ``**`` does not go through links.
    """
    for pattern in patterns:
        reason = Reason(Rule.INCLUDE, "", f"--keep {display(pattern)}")
        found = False
        for path in _matches(scene, _parts(pattern)):
            found = True
            yield from whole_below(scene, path, reason)
            if scene.walk(path).real is None:
                yield Want(path, reason, follow=False)
        if not found:
            yield _unanswered(f"--keep {display(pattern)}")


def _package(scene: Scene, package: str) -> Iterable[Finding]:
    option = f"--keep-package {display(package)}"
    paths = bundle(scene, package)
    if not paths:
        yield _unanswered(option)
    yield from (Want(path, Reason(Rule.INCLUDE, "", option), follow=False) for path in paths)


def _program(scene: Scene, program: str, option: str, *, needed: bool) -> Iterable[Finding]:
    path = scene.command(program)
    if path is not None:
        yield Want(path, Reason(Rule.INCLUDE, "", option))
    elif needed:
        yield _unanswered(option)


def _unanswered(option: str) -> TraceWarning:
    return TraceWarning("include", f"the image has nothing that answers {option}")


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
