"""Reads an image once, layer by layer, and says what is in it and who put it there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from slimpy.engine.embedded.store import decompressed
from slimpy.engine.interrupts import INTERRUPTS
from slimpy.image import manifests
from slimpy.image.oci import ImageSource
from slimpy.model import FileType, display
from slimpy.xray import history, secrets, software
from slimpy.xray.detectors import Opinion
from slimpy.xray.facts import (
    Duplicate,
    LayerFacts,
    PathFacts,
    SecretFacts,
    UserFacts,
    XRay,
)
from slimpy.xray.history import Instruction
from slimpy.xray.leftovers import leftovers
from slimpy.xray.members import LayerMembers, LayerReader
from slimpy.xray.secrets import Found
from slimpy.xray.stack import Kind, Placed, Stack, stacked

MOST_LISTED = 1000
"""Items of each list of the result; its figures count all of them."""
_MOST_SECRETS = 10_000
_PIECE = 1 << 20
_SETUID, _SETGID, _STICKY = 0o4000, 0o2000, 0o1000

Progress = Callable[[int, int], None]
"""Is told how many layers are read, and how many there are."""


def inspected(
    source: ImageSource,
    progress: Progress = lambda _done, _all: None,
    opinion: Opinion | None = None,
) -> tuple[XRay, Stack]:
    """All there is to tell of an image, and its layers with every path.

    Args:
        opinion: what else is to look for secrets.

    Raises:
        SourceError: a layer is missing or damaged.
    """
    notes = _Notes(opinion)
    reader = LayerReader(notes.wanted, notes.look)
    layers: list[LayerMembers] = []
    total = len(source.manifest.layers)
    for number, blob in enumerate(source.manifest.layers):
        progress(number, total)
        INTERRUPTS.check()
        notes.layer = number
        with source.open(blob) as file:
            layers.append(reader.read(_checked(decompressed(file, blob.digest)), blob.digest))
        notes.end(layers[-1])
    progress(total, total)
    stack = stacked(layers)
    return _result(source, layers, stack, notes), stack


def _checked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks, with a look at Ctrl-C between them."""
    for chunk in chunks:
        INTERRUPTS.check()
        yield chunk


class _Notes:
    """What is noted of contents while they stream past."""

    def __init__(self, opinion: Opinion | None) -> None:
        self.opinion = opinion
        self.layer = 0
        self._here: dict[str, bytes] = {}
        self._texts: dict[str, tuple[int, bytes]] = {}
        self.found: list[tuple[str, int, Found]] = []
        self.left = software.MOST_BYTES
        self.too_much = 0

    def wanted(self, path: str, size: int) -> int:
        if secrets.is_wanted(size):
            return size
        return software.wanted(path, size)

    def look(self, path: str, data: bytes) -> None:
        if most := software.wanted(path, len(data)):
            self._keep(path, data[:most])
        if secrets.is_wanted(len(data)) and len(self.found) < _MOST_SECRETS:
            self.found += [(path, self.layer, item) for item in self._secrets(path, data)]

    def _keep(self, path: str, data: bytes) -> None:
        before = self._here.get(path) or self._texts.get(path, (0, b""))[1]
        left = self.left + len(before) - len(data)
        if left >= 0:
            self.left = left
            self._texts.pop(path, None)
            self._here[path] = data
        else:
            self.too_much += 1

    def end(self, layer: LayerMembers) -> None:
        """A layer is read; what was noted of it gets the numbers of its contents."""
        for path, data in self._here.items():
            if path in layer.members:
                self._texts[path] = (layer.members[path].content, data)
        self._here = {}

    @property
    def texts(self) -> dict[int, bytes]:
        """What was noted, by the numbers of contents: a layer's path is not where a file lies, if a
        directory above it is a link of the layers below.
        """
        return dict(self._texts.values())

    def _secrets(self, path: str, data: bytes) -> tuple[Found, ...]:
        own = secrets.in_file(path, data)
        if self.opinion is None:
            return own
        known = {item.line for item in own}
        return own + tuple(item for item in self.opinion(path, data) if item.line not in known)


def _result(source: ImageSource, layers: list[LayerMembers], stack: Stack, notes: _Notes) -> XRay:
    config = manifests.document(source.config, "The image's configuration")
    made = history.instructions(config)
    makers = history.by_layer(made, len(layers))
    visible = stack.visible
    found = software.survey(visible, notes.texts)
    inner = config.get("config")
    run: Mapping[str, Any] = inner if isinstance(inner, dict) else {}
    user = str(run.get("User") or "")[:200]
    sizes = _sizes(visible)
    hidden = (*_in_files(notes, stack), *_in_config(run), *_in_history(made))
    duplicates = _duplicates(visible)
    special = {name: _special(visible, name) for name in _SPECIAL}
    platform = manifests.platform_of(source.config, "The image's configuration")
    return XRay(
        reference=display(source.reference),
        digest=source.digest,
        config_digest=source.manifest.config.digest,
        tags=tuple(map(display, source.tags)),
        platform=display(str(platform)),
        created=display(str(config.get("created") or "")[:40]),
        stored_bytes=sum(blob.size for blob in source.manifest.layers),
        total_bytes=sum(layer.size for layer in layers),
        visible_bytes=sum(sizes.values()),
        files=len(sizes),
        wasted_bytes=stack.wasted_bytes,
        efficiency=round(stack.efficiency, 6),
        layers=tuple(_layers(source, layers, stack, makers)),
        dockerfile=tuple(_shown(item.text) for item in made),
        wasted=tuple(
            PathFacts(display(item.path), item.size, f"{item.reason}, {item.copies} copies")
            for item in stack.wasted[:MOST_LISTED]
        ),
        wasted_paths=len(stack.wasted),
        duplicates=duplicates[:MOST_LISTED],
        duplicate_contents=len(duplicates),
        duplicate_bytes=sum(item.extra for item in duplicates),
        leftovers=leftovers(sizes.items()),
        biggest=tuple(
            PathFacts(display(path), size, f"layer {visible[path].layer + 1}")
            for path, size in sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:100]
        ),
        setuid=special["setuid"],
        setgid=special["setgid"],
        capabilities=special["capabilities"],
        world_writable=special["world-writable"],
        user=display(user),
        root=_is_root(user, found.users),
        users=tuple(
            UserFacts(display(u.name[:100]), u.uid, display(u.shell[:200]), u.login, u.password)
            for u in found.users[:MOST_LISTED]
        ),
        system=display(found.system),
        packages=tuple(
            software.Package(item.kind, display(item.name), display(item.version))
            for item in found.packages
        ),
        shells=_some(found.shells),
        compilers=_some(found.compilers),
        managers=_some(found.managers),
        tools=_some(found.tools),
        secrets=tuple(sorted(hidden, key=_by_weight))[:MOST_LISTED],
        warnings=tuple(_warnings(layers, made, makers, found.warnings, notes.too_much)),
    )


def _layers(
    source: ImageSource,
    layers: list[LayerMembers],
    stack: Stack,
    makers: tuple[Instruction | None, ...],
) -> Iterator[LayerFacts]:
    ids = manifests.diff_ids(source.config, "The image's configuration")
    alive = {placed.member.content for placed in stack.visible.values()}
    for number, (layer, changes, maker) in enumerate(
        zip(layers, stack.changes, makers, strict=True)
    ):
        counts = {kind: sum(change.kind is kind for change in changes) for kind in Kind}
        hidden = sum(m.size for m in layer.members.values() if m.size and m.content not in alive)
        yield LayerFacts(
            number=number + 1,
            diff_id=ids[number] if number < len(ids) else "",
            blob=source.manifest.layers[number].digest,
            stored_bytes=source.manifest.layers[number].size,
            bytes=layer.size,
            wasted_bytes=hidden,
            added=counts[Kind.ADDED],
            changed=counts[Kind.CHANGED],
            removed=counts[Kind.REMOVED],
            instruction=_shown(maker.text) if maker else "",
            arguments=_shown(maker.arguments) if maker else "",
            created=display(maker.created) if maker else "",
        )


def _shown(text: str) -> str:
    """An instruction without secrets and control characters; line breaks stay as ``\\x0a``."""
    return display(secrets.in_text(text)[1])


def _sizes(visible: Mapping[str, Placed]) -> dict[str, int]:
    """The bytes of each visible file; those of a file with several names count once."""
    sizes: dict[str, int] = {}
    seen: set[int] = set()
    for path, placed in visible.items():
        member = placed.member
        if member.is_file:
            sizes[path] = 0 if member.content in seen else member.length
            seen.add(member.content)
    return sizes


def _in_files(notes: _Notes, stack: Stack) -> Iterator[SecretFacts]:
    for path, layer, item in notes.found:
        placed = stack.visible.get(path)
        there = placed is not None and placed.layer == layer
        where = f"layer {layer + 1}" + ("" if there else ", hidden by a later layer")
        yield _secret(item, display(path), where)


def _in_config(run: Mapping[str, Any]) -> Iterator[SecretFacts]:
    pairs = run.get("Env")
    for pair in pairs if isinstance(pairs, list) else ():
        if isinstance(pair, str):
            name, _, value = pair.partition("=")
            if item := secrets.in_variable(name[:200], value[:20_000]):
                yield _secret(item, display(f"ENV {name[:200]}"), "configuration")
    labels = run.get("Labels")
    for name, value in labels.items() if isinstance(labels, dict) else ():
        if isinstance(value, str):
            last = str(name).rpartition(".")[2][:200]
            if item := secrets.in_variable(last, value[:20_000]):
                yield _secret(item, display(f"LABEL {str(name)[:200]}"), "configuration")


def _in_history(made: Iterable[Instruction]) -> Iterator[SecretFacts]:
    for number, entry in enumerate(made, 1):
        for text in (entry.text, entry.arguments):
            for item in secrets.in_text(text)[0]:
                yield _secret(item, f"history, entry {number}", "history")


def _secret(item: Found, path: str, where: str) -> SecretFacts:
    return SecretFacts(
        display(item.kind), item.weight.value, path, item.line, where, display(item.masked)
    )


_WEIGHTS = [weight.value for weight in secrets.Weight]


def _by_weight(item: SecretFacts) -> tuple[int, str, int, str]:
    return _WEIGHTS.index(item.weight), item.path, item.line, item.kind


def _duplicates(visible: Mapping[str, Placed]) -> tuple[Duplicate, ...]:
    """Files with the same contents; hard links are one file. The largest waste first."""
    groups: dict[bytes, dict[int, str]] = {}
    lengths: dict[bytes, int] = {}
    for path in sorted(visible):
        member = visible[path].member
        if member.is_file and member.length:
            groups.setdefault(member.digest, {}).setdefault(member.content, path)
            lengths[member.digest] = member.length
    found = []
    for digest, names in groups.items():
        if len(names) > 1:
            size = lengths[digest]
            shown = tuple(map(display, list(names.values())[:20]))
            found.append(Duplicate(size, len(names), size * (len(names) - 1), shown, digest.hex()))
    return tuple(sorted(found, key=lambda item: (-item.extra, item.paths)))


_SPECIAL: dict[str, Callable[[Placed], bool]] = {
    "setuid": lambda p: p.member.is_file and bool(p.member.mode & _SETUID),
    "setgid": lambda p: p.member.is_file and bool(p.member.mode & _SETGID),
    "capabilities": lambda p: p.member.is_file and p.member.capabilities,
    "world-writable": lambda p: (
        p.member.type is not FileType.LINK
        and bool(p.member.mode & 0o002)
        and not (p.member.type is FileType.DIRECTORY and p.member.mode & _STICKY)
        and p.member.type in (FileType.FILE, FileType.DIRECTORY)
    ),
}


def _special(visible: Mapping[str, Placed], name: str) -> tuple[PathFacts, ...]:
    fits = _SPECIAL[name]
    paths = sorted(path for path, placed in visible.items() if fits(placed))
    return tuple(
        PathFacts(
            display(path), visible[path].member.length, _mode(visible[path])
        )
        for path in paths[:MOST_LISTED]
    )  # fmt: skip


def _mode(placed: Placed) -> str:
    member = placed.member
    return f"{member.mode:04o} {member.uid}:{member.gid}, layer {placed.layer + 1}"


def _is_root(user: str, users: Iterable[software.User]) -> bool:
    name = user.partition(":")[0]
    if name in ("", "root"):
        return True
    if name.isascii() and name.isdigit():
        return int(name[:20]) == 0
    return any(item.name == name and item.uid == 0 for item in users)


def _some(paths: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(display, paths[:MOST_LISTED]))


def _warnings(
    layers: Iterable[LayerMembers],
    made: tuple[Instruction, ...],
    makers: tuple[Instruction | None, ...],
    packages: tuple[str, ...],
    too_much: int,
) -> Iterator[str]:
    skipped: dict[str, int] = {}
    for layer in layers:
        for why, count in layer.skipped.items():
            skipped[why] = skipped.get(why, 0) + count
    for why, count in sorted(skipped.items()):
        yield f"{count:,} members were left out or are unclear: {why}"
    if None in makers:
        said = sum(not item.empty for item in made)
        yield f"the history speaks of {said} layers, but there are {len(makers)}: makers unknown"
    yield from packages
    if too_much:
        yield f"{too_much:,} files that name packages or accounts are too large to be held"
