"""What the rules look at, and what they answer: wants, and warnings of what stays unknown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain

from probes.model import Trace, TraceWarning
from slimpy.image.contents import Contents
from slimpy.image.links import Resolution, resolve
from slimpy.image.tree import Tree
from slimpy.keep.standins import StandIns
from slimpy.model import Entry, FileType, Image, Reason, decoded
from slimpy.sbom.owners import Ownership, survey

SMALL_TEXT = 1 << 20
"""How much of a text file of the image is read to understand it, in bytes."""

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""PATH of a container whose image sets none (the engines' own default)."""


@dataclass(frozen=True, slots=True)
class Want:
    """One path that a rule asks for.

    ``path`` is as it was asked for: it may pass links and ``..``. Without ``follow`` a link in the
    last place is wanted itself. Without ``whole`` only the name must be there, not what is in it.
    """

    path: str
    reason: Reason
    follow: bool = True
    whole: bool = True


Finding = Want | TraceWarning


@dataclass(frozen=True, slots=True)
class Scene:
    """The inputs of a decision, the same for every rule.

    ``ignore`` names directories that belong to the tracing, not to the image.
    """

    image: Image
    tree: Tree
    trace: Trace
    contents: Contents
    ignore: tuple[str, ...] = ()
    stand_ins: StandIns = field(init=False, compare=False)
    _walked: dict[tuple[str, bool], Resolution] = field(default_factory=dict, compare=False)
    _surveyed: list[Ownership] = field(default_factory=list, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "stand_ins", StandIns(self.tree))

    def walk(self, path: str, *, follow: bool = True) -> Resolution:
        """Where a path leads in the image; asked again it is not walked again."""
        entry = self.tree.get(path)
        if entry is not None and not (follow and entry.type is FileType.LINK):
            return Resolution(entry.path, (), None)
        found = self._walked.get((path, follow))
        if found is None:
            found = self._walked[path, follow] = resolve(self.tree, path, follow_last=follow)
        return found

    def entry(self, path: str) -> Entry | None:
        """What is at the end of a path, links followed; None where nothing is."""
        if self._is_plainly_missing(path):
            return None
        real = self.walk(path).real
        return None if real is None else self.tree.get(real)

    def ownership(self) -> Ownership:
        """Which package owns a path; the databases are read when this is first asked."""
        if not self._surveyed:
            self._surveyed.append(survey(self.tree, self.contents))
        return self._surveyed[0]

    def _is_plainly_missing(self, path: str) -> bool:
        """Whether a real directory lacks the next part of the path: no walk can find it then.

        Most of the paths that rules try are not there, and to walk each of them is slow.
        """
        if "/." in path or "//" in path or path.endswith("/"):
            return False
        entry = self.tree.get(path)
        while entry is None and (end := path.rfind("/")) > 0:
            path = path[:end]
            entry = self.tree.get(path)
            if entry is not None:
                return entry.type is FileType.DIRECTORY
        return False

    def text(self, path: str) -> str:
        """The beginning of a small text file; empty where there is none."""
        entry = self.entry(path)
        if entry is None or entry.type is not FileType.FILE:
            return ""
        try:
            return decoded(self.contents.read(entry.path, SMALL_TEXT))
        except FileNotFoundError:
            return ""

    def command(self, name: str) -> str | None:
        """The path that exec of ``name`` means (execvp(3)): by PATH unless it has a slash."""
        if not name:
            return None
        workdir = self.image.workdir.rstrip("/")
        if "/" in name:
            candidates = [name if name.startswith("/") else f"{workdir}/{name}"]
        else:
            search = self.image.environment.get("PATH") or DEFAULT_PATH
            candidates = [
                f"{directory or '.'}/{name}"
                if directory.startswith("/")
                else f"{workdir}/{directory or '.'}/{name}"
                for directory in search.split(":")
            ]
        return next((path for path in candidates if self._is_program(path)), None)

    def _is_program(self, path: str) -> bool:
        entry = self.entry(path)
        return entry is not None and entry.type is FileType.FILE and bool(entry.mode & 0o111)

    def is_ignored(self, path: str) -> bool:
        """Whether a path belongs to the tracing itself."""
        return any(is_within(path, prefix) for prefix in self.ignore)


def is_within(path: str, directory: str) -> bool:
    """Whether ``path`` is the directory or below it, by the components of the names."""
    directory = directory.rstrip("/")
    return path == directory or path.startswith(f"{directory}/")


def whole_below(scene: Scene, path: str, reason: Reason) -> Iterable[Want]:
    """Wants for a path and, where it leads to a directory, for everything in it."""
    first = Want(path, reason)
    real = scene.walk(path).real
    if real is None:
        return (first,)
    inside = (Want(entry.path, reason, follow=False) for entry in scene.tree.below(real))
    return chain((first,), inside)
