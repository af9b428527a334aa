"""The app's own files: what lies beside those that it used, and what its own texts name.

Of 200 behaviours that minified images lost, 81 were lost with a template, catalogue, plugin or
module of the app itself. Such directories are small, so they are kept whole, within bounds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from probes.model import Operation, TraceWarning
from slimpy.image.tree import name, parent
from slimpy.keep.programs import Head
from slimpy.keep.rules.apptree_bounds import SMALL, bound, choose
from slimpy.keep.rules.apptree_junk import is_maybe_certificate, is_private_key, is_secret
from slimpy.keep.rules.apptree_literals import Literals, named_by_configuration
from slimpy.keep.rules.apptree_places import DOCUMENT_ROOTS, SHARED, Places
from slimpy.keep.scene import Finding, Scene, Want, is_within, whole_below
from slimpy.keep.standins import SECRETS, is_program_directory
from slimpy.keep.turn import Finder, Turn
from slimpy.model import ROOT, Entry, FileType, ImagePath, Reason, Rule, display

LARGEST_SETTING = 64_000
"""A file of /etc, or of a directory of programs, that is the app's is no larger (bytes)."""

MOST_SETTINGS = 1_000_000
"""Bytes of such files together."""

LARGEST_NAMED = 64_000_000
"""A file that is only named, in bytes."""

LARGEST_PACKAGED = 256_000
"""A directory of a package that is only named, in bytes."""

MOST_PACKAGED = 200

MOST_WARNINGS = 20
"""Files of one kind that are named one by one in warnings."""

_USES = frozenset({Operation.OPEN, Operation.EXEC, Operation.WRITE, Operation.REMOVE})

_GENERATED = re.compile(
    r"/etc/((apt|alternatives|ssl|pki|ca-certificates|systemd|dpkg|apk|rc[0-6S]\.d|init\.d|default"
    r"|xml|sgml|fonts|java[^/]{0,40}|python[\d.]*|perl|ldap|rpc|skel|update-motd\.d|cron[^/]{0,10}"
    r"|security|selinux|pam\.d|profile\.d|terminfo|logrotate\.d|kernel|binfmt\.d|modules[^/]{0,20}"
    r"|emacs|vim|udev|dbus-1|X11|opt|gss|ld\.so\.conf\.d|mysql/debian-start|sysctl\.d|tmpfiles\.d"
    r"|ImageMagick[^/]{0,10}|bash_completion\.d|network|iproute2|rmt|machine-id)(/.*)?"
    r"|(passwd|group|g?shadow|subuid|subgid)-?|\.pwd\.lock|ld\.so\.(cache|conf)|motd|issue(\.net)?"
    r"|ca-certificates\.conf(\..*)?|environment|fstab|mtab|hostname|hosts|resolv\.conf|shells"
    r"|profile|nsswitch\.conf|localtime|timezone|mailcap|inputrc|securetty|adduser\.conf"
    r"|os-release|[^/]{1,40}-release|adjtime|blkid\.tab|\.updated|locale\.(gen|conf))",
    re.DOTALL,
)
"""What tools of the system write into /etc while an image is built, and other rules know."""

_RUNTIME_LIBRARIES = re.compile(r"(python|node_modules|ruby|php|perl|erlang|go|R)[\d.]*")


def finder(scene: Scene) -> Finder:
    """The rule for one decision."""
    return _AppFiles(scene)


class _AppFiles:
    """What is kept follows from which directories are the app's, and which of its texts are kept.

    Neither depends on the order in which they became kept.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._places = Places(scene)
        self._literals = Literals(scene)
        self._touched = frozenset(_touched(scene))
        self._bounds: dict[ImagePath, int] = {}  # directory -> how much of it was asked for
        self._warned: dict[str, int] = {}
        self._began = False

    def __call__(self, turn: Turn) -> Iterator[Finding]:
        """Wants for what became the app's, or was named by its texts, this turn."""
        if not self._began:
            self._began = True
            yield from self._configured()
            yield from self._settings()
            yield from self._scripts()
            yield from self._at_root()
            yield from self._local_data()
        for head in turn.files:
            own = self._places.is_own(head.entry)
            if own:
                yield from self._around(head.entry)
            if self._literals.is_text(head):
                yield from self._named(head, own=own)

    def _configured(self) -> Iterator[Finding]:
        image = self._scene.image
        for entry in named_by_configuration(self._scene):
            yield from self._name(entry, "", "named by the image's configuration")
        workdir = self._scene.entry(image.workdir)
        homes = {image.environment.get("HOME", ""), *_homes(self._scene)}
        if workdir is not None and workdir.type is FileType.DIRECTORY:
            root = self._places.root_of(workdir.path)
            if root is not None:
                yield from self._whole(root, None, "", "around WORKDIR")
        for home in sorted(homes):
            real = self._scene.walk(home).real if home.startswith("/") else None
            if real is not None and self._places.root_of(real) == real:
                yield from self._whole(real, 0, "", "home of the app's user")

    def _around(self, entry: Entry) -> Iterator[Finding]:
        """The app's directory around a kept file of its own."""
        root = self._places.root_of(parent(entry.path))
        if root is not None:
            yield from self._whole(root, None, "", "holds files of the app's own")

    def _whole(
        self, directory: ImagePath, allowed: int | None, by: str, detail: str
    ) -> Iterator[Finding]:
        """A directory of the app's, as far as its bound goes: by what was used of it, if None."""
        if self._bounds.get(directory, -1) >= (allowed or 0):
            return
        entries = tuple(self._places.own_below(directory))
        used = sum(entry.size for entry in entries if entry.path in self._touched)
        limit = max(bound(used), allowed or 0)
        self._bounds[directory] = limit
        yield Want(directory, Reason(Rule.APP, by, detail))
        chosen = choose(entries, self._touched, limit)
        reason = Reason(Rule.APP, directory, "beside files of the app")
        for entry in chosen.kept:
            refused = entry.path not in self._touched and self._is_secret(entry)
            if refused:
                yield from self._warn("secret", _secret_text(entry.path))
            else:
                yield Want(entry.path, reason, follow=False)
        if chosen.left:
            yield _too_large(directory, len(chosen.left), chosen.bytes_left)

    def _is_secret(self, entry: Entry) -> bool:
        if entry.type is not FileType.FILE or not is_secret(entry.path):
            return False
        if not is_maybe_certificate(entry.path):
            return True
        try:
            return is_private_key(self._scene.contents.read(entry.path, LARGEST_SETTING))
        except FileNotFoundError:
            return True

    def _warn(self, code: str, text: str) -> Iterator[TraceWarning]:
        self._warned[code] = self._warned.get(code, 0) + 1
        if self._warned[code] <= MOST_WARNINGS:
            yield TraceWarning(code, text)
        else:
            yield TraceWarning(code, "more of the app's files look like secrets and are left out")

    def _named(self, head: Head, *, own: bool) -> Iterator[Finding]:
        """What a text of the app's, or a setting of the system, names and the image has."""
        path = head.entry.path
        is_setting = is_within(path, "/etc")
        if (is_setting and _GENERATED.fullmatch(path)) or not (own or is_setting):
            return
        for entry in self._literals.of(head):
            if entry.path != path and (own or self._places.is_own(entry)):
                yield from self._name(entry, path, "named in it")
        if is_setting and parent(path) != "/etc":
            for entry in self._literals.beside(head):
                small = entry.type is FileType.FILE and entry.size <= LARGEST_SETTING
                if small and entry.path != path:
                    yield from self._name(entry, path, "named in it, beside it")

    def _name(self, entry: Entry, by: str, detail: str) -> Iterator[Finding]:
        if is_secret(entry.path) or _is_closed(entry.path) or _GENERATED.fullmatch(entry.path):
            return
        if entry.type is FileType.FILE:
            if entry.size <= LARGEST_NAMED:
                yield Want(entry.path, Reason(Rule.APP, by, detail))
        elif entry.path in DOCUMENT_ROOTS or self._is_named_tree(entry):
            yield from self._whole(entry.path, bound(1), by, detail)
        elif entry.path not in SHARED:
            yield from self._packaged(entry, by, detail)

    def _is_named_tree(self, entry: Entry) -> bool:
        """Whether a named directory is the app's, or one of settings that no package made."""
        if self._places.root_of(entry.path) is not None:
            return True
        if not is_within(entry.path, "/etc") or entry.path in SHARED:
            return False
        return not _GENERATED.fullmatch(entry.path) and not self._places.is_mixed(entry.path)

    def _packaged(self, entry: Entry, by: str, detail: str) -> Iterator[Finding]:
        """A small directory of a package's, without what its language's own rule knows better."""
        if is_program_directory(entry.path) or self._places.is_foreign(entry.path):
            return
        total = 0
        for count, inside in enumerate(self._scene.tree.below(entry.path)):
            total += inside.size if inside.type is FileType.FILE else 0
            if total > LARGEST_PACKAGED or count >= MOST_PACKAGED:
                yield Want(entry.path, Reason(Rule.APP, by, detail))
                return
        yield from whole_below(self._scene, entry.path, Reason(Rule.APP, by, detail))

    def _settings(self) -> Iterator[Finding]:
        """Files of /etc that no package made: whoever wrote the image did."""
        if self._scene.ownership().warnings:  # an unread database: nobody knows
            return
        found = (
            entry
            for entry in self._scene.tree.below(ImagePath("/etc"))
            if not _GENERATED.fullmatch(entry.path)
            and not any(map(self._places.is_packaged, (entry.path, self._end(entry))))
        )
        yield from self._few(found, "a setting that no package made")

    def _end(self, entry: Entry) -> ImagePath:
        return self._scene.walk(entry.path).real or entry.path

    def _scripts(self) -> Iterator[Finding]:
        """Scripts in /usr/local/bin, unless a language's own tools put theirs there."""
        installed = {
            name(entry.path)
            for entry in self._scene.tree.children(ImagePath("/usr/local/lib"))
            if _RUNTIME_LIBRARIES.fullmatch(name(entry.path))
            and self._scene.tree.children(entry.path)
        }
        programs = tuple(
            entry
            for directory in ("/usr/local/bin", "/usr/local/sbin")
            for entry in self._scene.tree.children(ImagePath(directory))
            if entry.type is FileType.FILE and entry.size <= LARGEST_SETTING and entry.mode & 0o111
        )
        if installed or not programs or not self._places.are_known:
            return
        self._scene.contents.fetch([entry.path for entry in programs])
        scripts = (entry for entry in programs if self._is_script(entry))
        yield from self._few(scripts, "a script that no package made")

    def _is_script(self, entry: Entry) -> bool:
        if self._places.is_packaged(entry.path):
            return False
        try:
            return self._scene.contents.read(entry.path, 2) == b"#!"
        except FileNotFoundError:
            return False

    def _at_root(self) -> Iterator[Finding]:
        """Small files and directories that lie at the root, where packages put nothing."""
        children = self._scene.tree.children(ROOT)
        files = [entry for entry in children if entry.type is FileType.FILE]
        yield from self._few(
            (entry for entry in files if self._places.is_own(entry)), "lies at the image's root"
        )
        for entry in children:
            is_root = self._places.root_of(entry.path) == entry.path
            if entry.type is FileType.DIRECTORY and is_root and entry.path != "/root":
                yield from self._whole(entry.path, SMALL, "", "lies at the image's root")

    def _local_data(self) -> Iterator[Finding]:
        """Data and settings in /usr/local, which packages leave alone (FHS 3.0, 4.9)."""
        if not self._places.are_known:
            return
        for top in ("/usr/local/etc", "/usr/local/share"):
            children = self._scene.tree.children(ImagePath(top))
            files = (entry for entry in children if entry.type is FileType.FILE)
            detail = f"lies in {top}, where no package put it"
            yield from self._few((item for item in files if self._places.is_own(item)), detail)
            for entry in children:
                if entry.type is FileType.DIRECTORY and self._places.root_of(entry.path):
                    yield from self._whole(entry.path, SMALL, "", detail)

    def _few(self, entries: Iterable[Entry], detail: str) -> Iterator[Finding]:
        """Small files and links, as long as they are few."""
        total = 0
        reason = Reason(Rule.APP, "", detail)
        for entry in sorted(entries, key=lambda item: (item.size, item.path)):
            if entry.type not in (FileType.FILE, FileType.LINK) or is_secret(entry.path):
                continue
            total += entry.size
            if entry.size > LARGEST_SETTING or total > MOST_SETTINGS:
                return
            yield Want(entry.path, reason, follow=False)


def _touched(scene: Scene) -> Iterator[ImagePath]:
    """Files of the image that the run opened, ran, wrote or removed."""
    for event in scene.trace.activity.events:
        if event.error is None and event.operation in _USES:
            for path in (event.path, event.final or ""):
                real = scene.walk(path).real if path.startswith("/") else None
                if real is not None:
                    yield real


def _homes(scene: Scene) -> Iterator[str]:
    user = scene.image.user.partition(":")[0] or "0"
    for line in scene.text("/etc/passwd").splitlines():
        fields = line.split(":")
        if len(fields) >= 6 and user in (fields[0], fields[2]):
            yield fields[5]


def _is_closed(path: ImagePath) -> bool:
    """Where a name in a text is no reason to ship: keys, documentation, what engines supply."""
    tops = ("/proc", "/sys", "/dev", "/usr/share/doc", "/usr/share/man", "/var/log", *SECRETS)
    return any(is_within(path, top) for top in tops)


def _secret_text(path: ImagePath) -> str:
    return f"{display(path)} looks like a secret and was not used: it is left out (--keep keeps it)"


def _too_large(directory: ImagePath, count: int, size: int) -> TraceWarning:
    text = (
        f"the app's directory {display(directory)} is large: {count:,} files "
        f"({size / 1e6:.1f} MB) in it were not used and are left out (--keep keeps them)"
    )
    return TraceWarning("app-files", text)
