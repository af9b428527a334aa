"""What a traced run of the slim image lacked: missing paths, forbidden paths, refused system
calls. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from probes.model import Activity, FileEvent, Operation
from slimpy.image.links import resolve
from slimpy.image.tree import Tree, parent
from slimpy.model import ROOT, Account, FileType, ImagePath, KeepSet, Reason, Rule, display

_ABSENT = ("ENOENT", "ENOTDIR")
_FORBIDDEN = ("EACCES", "EPERM")
_CHANGES = (Operation.WRITE, Operation.CREATE, Operation.REMOVE)
_SECRET = ("/etc/shadow", "/etc/gshadow", "/etc/shadow-", "/etc/gshadow-")
_VIRTUAL = ("/proc/", "/sys/", "/dev/")


@dataclass(frozen=True, slots=True)
class Causes:
    """Why a slim image answered differently; each can be mended, and ``sentences`` tells people."""

    missing: Mapping[ImagePath, tuple[Reason, ...]]
    forbidden: tuple[ImagePath, ...]
    sentences: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.forbidden)


def find_causes(
    tree: Tree, keep: KeepSet, account: Account, seen: Activity, *, round_number: int
) -> Causes:
    """Compare what the slim image was refused with what the original image has.

    Args:
        tree: the original image.
        keep: what the slim image holds.
        account: whom it ran as.
        seen: the activity of a traced run of the slim image.
        round_number: for the reason given to what is added.
    """
    missing: dict[ImagePath, tuple[Reason, ...]] = {}
    forbidden: dict[ImagePath, str] = {}
    for event in seen.events:
        for path in _missing(tree, keep, event):
            detail = f"missed in round {round_number}: {event.operation} by {event.executable}"
            missing.setdefault(path, (Reason(Rule.REPAIR, event.during, detail),))
        if (denied := _denied(tree, account, event)) is not None:
            forbidden.setdefault(denied, f"{event.operation} by {event.executable}: {event.error}")
    fresh = {path: why for path, why in sorted(forbidden.items()) if path not in account.chown}
    sentences = [
        f"missing: {display(path)} ({why[0].detail})" for path, why in sorted(missing.items())
    ]
    sentences += [
        f"not permitted to uid {account.uid}: {display(path)} ({why})"
        for path, why in fresh.items()
    ]
    return Causes(missing, tuple(fresh), tuple(sentences))


def _missing(tree: Tree, keep: KeepSet, event: FileEvent) -> Iterator[ImagePath]:
    """The original's path behind a failed look-up, or behind the reading of a stand-in."""
    if event.error is None and event.operation is Operation.OPEN:
        real = resolve(tree, event.path).real
        if real in keep.placeholders:
            yield real
        return
    if event.error not in _ABSENT or event.path.startswith(_VIRTUAL):
        return
    found = resolve(tree, event.path)
    for path in (*found.links, found.real):
        if path is not None and path in tree and path not in keep:
            yield path


def _denied(tree: Tree, account: Account, event: FileEvent) -> ImagePath | None:
    """The existing path whose owner must change for the operation to be allowed to the account."""
    if account.is_root or event.error not in _FORBIDDEN or event.path.startswith(_VIRTUAL):
        return None
    found = resolve(tree, event.path)
    path = found.real
    if path is None or (event.operation in (Operation.CREATE, Operation.REMOVE)):
        path = parent(path or found.missing or ROOT)
        while path not in tree and path != ROOT:
            path = parent(path)
    entry = tree.get(path)
    if entry is None or entry.uid == account.uid or path in _SECRET:
        return None
    if (
        event.operation not in _CHANGES
        and entry.type is FileType.DIRECTORY
        and entry.mode & 0o005 == 0o005
    ):
        return None
    return path
