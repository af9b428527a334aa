"""Data that is served by its name: what lies beside it is asked for by the next request.

And state: a directory that the run changed ships as the image has it, never a part of it, because
half a database is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from probes.model import FileEvent, Operation, TraceWarning
from slimpy.image.tree import name, parent
from slimpy.keep.programs import Head
from slimpy.keep.refusals import refusal
from slimpy.keep.rules.apptree_bounds import LARGE, choose
from slimpy.keep.rules.apptree_junk import is_secret
from slimpy.keep.rules.apptree_literals import LARGEST_TEXT
from slimpy.keep.rules.apptree_places import DOCUMENT_ROOTS, SHARED, Places
from slimpy.keep.scan import scanners
from slimpy.keep.scene import Finding, Scene, Want, is_within
from slimpy.keep.touched import listings
from slimpy.keep.turn import Finder, Turn
from slimpy.model import Entry, FileType, ImagePath, Reason, Rule, decoded, display

FEWEST_SERVED = 2
"""So many data files of one directory opened make it one that is served from."""

LARGEST_PACKAGED = 4_000_000
"""Bytes of web content that a package's directory brings along."""

LARGEST_STATE = 256_000_000
"""Bytes of a state directory that are kept together; a new database of PostgreSQL has 40 MB."""

_NO_PROBES = frozenset({"", "start-up", "stop"})

_PAGE = re.compile(
    r".*\.(x?html?|css|svg|png|jpe?g|gif|webp|avif|ico|woff2?|ttf|otf|eot|webmanifest|pdf"
    r"|j2|jinja2?|tmpl|tpl|template|twig|ejs|erb|haml|hbs|mustache|pug|latte|liquid|mako|mp[34]"
    r"|po|mo|xslt?|ics|rss|atom|txt|md)",
    re.IGNORECASE | re.DOTALL,
)
_ASSET = re.compile(r".*\.(m?js|json|map\.json|xml|ya?ml|csv|tsv|sql|wasm)", re.IGNORECASE | re.S)
_DATA_DIRECTORIES = frozenset(
    {
        *("static", "templates", "template", "public", "www", "html", "htdocs", "assets", "views"),
        *("locale", "locales", "i18n", "translations", "lang", "media", "images", "img", "css"),
        *("fonts", "icons", "layouts", "pages", "migrations", "site", "web", "webroot", "wwwroot"),
    }
)
_ROOTS = re.compile(
    rb"(?:^|[;{])[ \t]*(?:root[ \t]+(?:\*[ \t]+)?|DocumentRoot[ \t]+"
    rb"|(?:Script)?Alias(?:Match)?[ \t]+\S{1,200}[ \t]+|alias[ \t]+|<Directory[ \t]+"
    rb"|server\.document-root[ \t]*=[ \t]*|doc_root[ \t]*=[ \t]*)[\"']?(/[^\s;\"'>]{1,1000})",
    re.MULTILINE | re.IGNORECASE,
)
"""Document roots as nginx, Apache httpd, Caddy, lighttpd and PHP write them."""

_CHANGES = frozenset({Operation.CREATE, Operation.WRITE, Operation.REMOVE})
_CODE = re.compile(r".*\.(py|[cm]?js|rb|php|pl|jar|class|lua|exs?|dll|sh)", re.DOTALL)
_NO_STATE = (
    *("/tmp", "/var/tmp", "/run", "/var/run", "/var/log", "/var/cache", "/var/lock", "/dev"),
    *("/etc", "/usr"),
)
"""Where changes are of no lasting use, or settings that other rules know."""


def finder(scene: Scene) -> Finder:
    """The rule for one decision."""
    return _Served(scene)


@dataclass(frozen=True, slots=True)
class _Use:
    """A directory that was served from or listed, and by whom."""

    directory: ImagePath
    by: str
    detail: str


class _Served:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._places = Places(scene)
        self._done: set[ImagePath] = set()
        self._began = False

    def __call__(self, turn: Turn) -> Iterator[Finding]:
        """Wants for directories in use, all in the first turn, and for those that settings name."""
        if not self._began:
            self._began = True
            for use in (*_served(self._scene), *_listed(self._scene)):
                yield from self._directory(use)
            yield from self._states()
        for head in turn.files:
            yield from self._roots(head)

    def _roots(self, head: Head) -> Iterator[Finding]:
        """Document roots that a web server's settings name."""
        if not is_within(head.entry.path, "/etc") or head.entry.size > LARGEST_TEXT:
            return
        if b"\0" in head.data or not head.entry.size:
            return
        try:
            text = self._scene.contents.read(head.entry.path, LARGEST_TEXT)
        except FileNotFoundError:
            return
        for found in sorted(set(_ROOTS.findall(text))):
            entry = self._scene.entry(decoded(found))
            if entry is not None and entry.type is FileType.DIRECTORY:
                yield from self._directory(_Use(entry.path, head.entry.path, "its document root"))

    def _directory(self, use: _Use) -> Iterator[Finding]:
        directory = use.directory
        closed = directory in SHARED and directory not in DOCUMENT_ROOTS
        if closed or directory in self._done or is_within(directory, "/etc"):
            return
        self._done.add(directory)
        if self._places.is_own_directory(directory):
            entries = tuple(self._places.own_below(directory))
            yield from self._within(use, entries, LARGE)
        elif _holds_data(self._scene, directory):
            entries = tuple(_content(self._scene, directory))
            yield from self._within(use, entries, LARGEST_PACKAGED)

    def _within(self, use: _Use, entries: Iterable[Entry], limit: int) -> Iterator[Finding]:
        chosen = choose((e for e in entries if not is_secret(e.path)), (), limit)
        reason = Reason(Rule.SERVED, use.by, use.detail)
        yield Want(use.directory, reason)
        for entry in chosen.kept:
            yield Want(entry.path, reason, follow=False)
        if chosen.left:
            yield _too_large(use, len(chosen.left), chosen.bytes_left)

    def _states(self) -> Iterator[Finding]:
        bases = _bases(self._scene, self._places)
        changed = _changed(self._scene, self._places, bases)
        for directory, by in sorted(changed.items()):
            entries = tuple(self._state_entries(directory, is_base=directory in bases))
            total = sum(entry.size for entry in entries)
            if total > LARGEST_STATE:
                use = _Use(directory, by, "")
                yield _too_large(use, len(entries), total)
                continue
            reason = Reason(Rule.SERVED, by, "state that the run changed is kept whole")
            yield Want(directory, reason)
            yield from (Want(entry.path, reason, follow=False) for entry in entries)

    def _state_entries(self, directory: ImagePath, *, is_base: bool) -> Iterator[Entry]:
        if is_base:
            # The run wrote beside the app's code: only what lies right there is like it.
            for entry in self._scene.tree.children(directory):
                if entry.type is not FileType.DIRECTORY and not is_secret(entry.path):
                    yield entry
            return
        for entry in self._scene.tree.below(directory):
            if not refusal(entry) and not self._places.is_foreign(parent(entry.path)):
                yield entry


def _served(scene: Scene) -> Iterator[_Use]:
    """Directories of which several data files were opened, one at least while a probe was asked."""
    opened: dict[ImagePath, set[ImagePath]] = {}
    reader: dict[ImagePath, str] = {}
    probed: set[ImagePath] = set()
    for event in scene.trace.activity.events:
        if event.operation is not Operation.OPEN or event.error is not None:
            continue
        entry = scene.entry(event.final or event.path)
        if entry is None or entry.type is not FileType.FILE or not _is_data(entry.path):
            continue
        directory = parent(entry.path)
        opened.setdefault(directory, set()).add(entry.path)
        reader[directory] = min(reader.get(directory, event.executable), event.executable)
        if event.during not in _NO_PROBES:
            probed.add(directory)
    for directory in sorted(probed):
        if len(opened[directory]) >= FEWEST_SERVED:
            detail = f"several files of {display(directory)} were served"
            yield _Use(directory, reader[directory], detail)


def _listed(scene: Scene) -> Iterator[_Use]:
    for listing in listings(scene, scanners(scene)):
        if not listing.names_only and not scene.is_ignored(listing.directory):
            detail = f"{display(listing.directory)} was listed"
            yield _Use(listing.directory, listing.reader, detail)


def _is_data(path: ImagePath) -> bool:
    base = name(path)
    if _PAGE.fullmatch(base):
        return True
    return bool(_ASSET.fullmatch(base)) and _is_data_directory(parent(path))


def _is_data_directory(directory: ImagePath) -> bool:
    return any(part.lower() in _DATA_DIRECTORIES for part in directory.split("/"))


def _holds_data(scene: Scene, directory: ImagePath) -> bool:
    """Whether a package's directory is one of web content, not of code."""
    if _is_data_directory(directory):
        return True
    files = [e for e in scene.tree.children(directory) if e.type is FileType.FILE]
    return bool(files) and all(_PAGE.fullmatch(name(entry.path)) for entry in files)


def _content(scene: Scene, directory: ImagePath) -> Iterator[Entry]:
    for entry in scene.tree.below(directory):
        if entry.type is FileType.LINK or (entry.type is FileType.FILE and _is_data(entry.path)):
            yield entry


def _bases(scene: Scene, places: Places) -> frozenset[ImagePath]:
    """Directories that hold an app's code or a home, and that state lies in but is not all of."""
    paths = (scene.image.workdir, scene.image.environment.get("HOME", ""), "/root")
    ends = {scene.walk(path).real for path in paths if path.startswith("/")}
    for event in scene.trace.activity.events:
        if event.error is None and (event.operation is Operation.EXEC or _is_code(event)):
            real = scene.walk(event.final or event.path).real
            if real is not None:
                ends |= {parent(real), places.root_of(parent(real))}
    return frozenset(end for end in ends if end is not None)


def _is_code(event: FileEvent) -> bool:
    return event.operation is Operation.OPEN and _CODE.fullmatch(event.path) is not None


def _changed(scene: Scene, places: Places, bases: frozenset[ImagePath]) -> Mapping[ImagePath, str]:
    """The topmost state directory around each change, and a program that made one."""
    closed = {above for base in bases for above in scene.tree.parents(base)} | bases | SHARED
    found: dict[ImagePath, str] = {}
    for event in scene.trace.activity.events:
        directory = _directory_of(scene, event)
        if directory is None or places.is_foreign(directory) or name(directory) == "__pycache__":
            continue
        if directory in SHARED or any(is_within(directory, top) for top in _NO_STATE):
            continue
        around = (*scene.tree.parents(directory), directory)
        root = next((above for above in around if above not in closed), directory)
        found[root] = min(found.get(root, event.executable), event.executable)
    return found


def _directory_of(scene: Scene, event: FileEvent) -> ImagePath | None:
    """The directory of the image in which an event made, changed or removed something."""
    if event.operation not in _CHANGES or event.error is not None:
        return None
    path = event.final or event.path
    real = scene.walk(parent(ImagePath(path.rstrip("/"))) if path.startswith("/") else "").real
    entry = None if real is None else scene.tree.get(real)
    is_directory = entry is not None and entry.type is FileType.DIRECTORY
    return entry.path if entry is not None and is_directory else None


def _too_large(use: _Use, count: int, size: int) -> TraceWarning:
    text = (
        f"{display(use.directory)} is in use and large: {count:,} files ({size / 1e6:.1f} MB) "
        "in it that no probe used are left out (--keep keeps them)"
    )
    return TraceWarning("served", text)
