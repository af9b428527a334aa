"""Data of the system that kept programs and libraries read late: character sets, locales, zones,
terminals, trust, fonts, modules of authentication.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from slimpy.image.tree import name
from slimpy.keep.programs import Head
from slimpy.keep.rules import sysdata_locale as local
from slimpy.keep.rules import sysdata_media as media
from slimpy.keep.rules import sysdata_trust as trust
from slimpy.keep.scene import Finding, Scene, Want
from slimpy.keep.turn import Finder, Turn

_Source = Callable[[Scene, Head], Iterable[Want]]

_BY_NAME: tuple[tuple[re.Pattern[str], _Source], ...] = tuple(
    (re.compile(rf"(?:{pattern})(?:-[\d.]+)?\.so(?:\.[\d.]+)?"), source)
    for pattern, source in (
        ("libtinfow?|libncursesw?", local.terminals),
        ("libreadline", local.readline),
        ("libssl|libgnutls|libwolfssl|libmbedtls", trust.hashed_certificates),
        ("libcrypto", trust.openssl),
        ("libpam", trust.pam),
        ("libp11-kit", trust.p11_kit),
        ("libkrb5", trust.kerberos),
        ("libsasl2", trust.sasl),
        (r"libldap(?:_r|-2\.\d)?", trust.ldap),
        ("libfontconfig", media.fonts),
        ("libmagic", media.magic),
        ("libgio-2.0|libgdk_pixbuf-2.0|libQt5Core|libQt6Core", media.mime),
    )
)
"""Libraries and what they read by themselves; each is asked once."""

_ZONES = frozenset(
    {"localtime", "localtime_r", "tzset", "mktime", "localtime64_r", "__localtime64"}
)
_LOCALES = frozenset({"setlocale", "newlocale"})
_THREADS = frozenset({"pthread_cancel", "pthread_exit"})


def finder(scene: Scene) -> Finder:
    """The rule for one decision."""
    return _SystemData(scene)


class _SystemData:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._done: set[_Source] = set()

    def __call__(self, turn: Turn) -> Iterable[Finding]:
        for head in turn.files:
            if head.is_elf:
                yield from self._elf(head, turn)

    def _elf(self, head: Head, turn: Turn) -> Iterator[Want]:
        base = name(head.entry.path)
        for pattern, source in _BY_NAME:
            if pattern.fullmatch(base):
                yield from self._once(source, head)
        facts = turn.libraries.facts(head.entry.path)
        if facts is None or not facts.loadable:
            return
        if facts.static or not _ZONES.isdisjoint(facts.imports):
            yield from self._once(local.zones, head)
        if facts.static:
            return
        yield from self._once(media.names, head)
        if not _LOCALES.isdisjoint(facts.imports):
            yield from self._once(local.locales, head)
        if "iconv_open" in facts.imports:
            yield from self._once(local.some_character_sets, head)
            if facts.program and base not in local.ONLY_OWN_CHARACTERS:
                yield from self._once(local.all_character_sets, head)
        if not _THREADS.isdisjoint(facts.imports):
            # The C library loads it to unwind the stack of a thread that ends.
            yield from self._once(local.unwinder, head)
        if "libpam.so.0" in facts.needed and facts.program:
            yield from trust.pam_service(self._scene, head)

    def _once(self, source: _Source, head: Head) -> Iterable[Want]:
        if source in self._done:
            return ()
        self._done.add(source)
        return source(self._scene, head)
