"""Character sets, locales, time zones and terminals."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from slimpy.image.tree import name
from slimpy.keep.programs import Head
from slimpy.keep.rules.sysdata_places import below, files, library_directories, reason, whole
from slimpy.keep.scene import Scene, Want
from slimpy.model import FileType

LARGEST_LOCALES = 8 << 20
"""Bytes of all compiled locales that are kept; where there are more, only those of ENV are."""

LARGEST_CATALOGUES = 4 << 20  # bytes of the message catalogues of one language
LARGEST_ZONES = 6 << 20

ONLY_OWN_CHARACTERS = frozenset(
    {
        *("bash", "rbash", "cmp", "diff", "diff3", "sdiff", "envsubst", "gettext", "ngettext"),
        *("factor", "gpgv", "grep", "less", "printf", "ptx", "sed", "sort", "tar", "wget"),
    }
)
"""Programs that import iconv_open to write their own texts in the character set of the locale."""

_CORE = re.compile(
    r"gconv-modules(\.cache|\.d)?|gconv-modules.*\.conf"
    r"|(UTF-(7|16|32)|UNICODE|ISO8859-(1|2|15)|CP125[0-2]|ANSI_X3\.110)\.so"
)
"""Unicode and the character sets of western files."""

_MAINFRAME = re.compile(r"(EBCDIC.*|IBM(?!(437|850|852|855|857|858|862|866|932)\.)\d+.*)\.so")

_TERMINALS = ("xterm", "xterm-256color", "linux", "vt100", "vt220", "screen", "ansi", "dumb")
_TERMINAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]{0,63}")
_LANGUAGE = re.compile(r"([a-z]{2,3})(_[A-Z]{2})?([.@].*)?")


def some_character_sets(scene: Scene, head: Head) -> Iterator[Want]:
    """The C library's converters of the most common character sets."""
    yield from _converters(scene, head, lambda base: _CORE.fullmatch(base) is not None)


def all_character_sets(scene: Scene, head: Head) -> Iterator[Want]:
    """All converters, but those of mainframes."""
    yield from _converters(scene, head, lambda base: _MAINFRAME.fullmatch(base) is None)


def _converters(scene: Scene, head: Head, wanted: Callable[[str], bool]) -> Iterator[Want]:
    why = reason(head, "converters of character sets")
    for directory in library_directories(scene, head):
        for entry in below(scene, f"{directory}/gconv", 64 << 20):
            if wanted(name(entry.path)):
                yield Want(entry.path, why)


def locales(scene: Scene, head: Head) -> Iterator[Want]:
    """Compiled locales, if they are few; and catalogues of messages in the languages of ENV."""
    why = reason(head, "compiled locales")
    archive = below(scene, "/usr/lib/locale", LARGEST_LOCALES)
    if archive:
        yield from (Want(entry.path, why) for entry in archive)
    else:
        # Programs switch to it by themselves where no locale is set (PEP 538).
        names = ("C.utf8", "C.UTF-8")
        yield from whole(scene, [f"/usr/lib/locale/{n}" for n in names], why, LARGEST_LOCALES)
    yield from files(scene, ("/usr/share/locale/locale.alias", "/etc/locale.alias"), why)
    messages = reason(head, "messages in a language of the image's environment")
    for language in _languages(scene):
        directory = f"/usr/share/locale/{language}"
        yield from whole(scene, (directory,), messages, LARGEST_CATALOGUES)


def _languages(scene: Scene) -> tuple[str, ...]:
    """Directories of catalogues that gettext(3) searches, English left out: it is in programs."""
    environment = scene.image.environment
    values = [environment.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
    found = set()
    for value in (*values, *environment.get("LANGUAGE", "").split(":")):
        match = _LANGUAGE.fullmatch(value)
        if match and match[1] != "en":
            found.update({match[1], match[1] + (match[2] or "")})
    return tuple(sorted(found))


def zones(scene: Scene, head: Head) -> Iterator[Want]:
    """All time zones: TZ is set when a container is started. Not the copies with leap seconds."""
    why = reason(head, "time zones")
    top = scene.walk("/usr/share/zoneinfo").real
    if top is None:
        return
    kept, total = [], 0
    for entry in scene.tree.below(top):
        first = entry.path[len(top) + 1 :].partition("/")[0]
        if first in ("posix", "right") or entry.path.endswith((".zi", ".list")):
            continue
        total += entry.size if entry.type is FileType.FILE else 0
        kept.append(entry.path)
    if total <= LARGEST_ZONES and len(kept) <= 4000:
        yield from (Want(path, why, follow=False) for path in kept)


def terminals(scene: Scene, head: Head) -> Iterator[Want]:
    """Descriptions (terminfo(5)) of TERM and of the terminals that engines and people use."""
    own = scene.image.environment.get("TERM", "")
    why = reason(head, "descriptions of terminals")
    for terminal in dict.fromkeys((own, *_TERMINALS)):
        if not _TERMINAL.fullmatch(terminal):
            continue
        for top in ("/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo", "/usr/lib/terminfo"):
            places = (f"{top}/{terminal[0]}/{terminal}", f"{top}/{ord(terminal[0]):x}/{terminal}")
            yield from files(scene, places, why)


def readline(scene: Scene, head: Head) -> Iterator[Want]:
    """The keys of interactive programs."""
    yield from files(scene, ("/etc/inputrc",), reason(head, "keys of line editors"))


def unwinder(scene: Scene, head: Head) -> Iterator[Want]:
    """The library that glibc loads when a thread is cancelled or exits."""
    why = reason(head, "glibc loads it when a thread ends")
    places = library_directories(scene, head)
    yield from files(scene, [f"{place}/libgcc_s.so.1" for place in places], why)
