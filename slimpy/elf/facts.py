"""What one ELF file says of itself, read from its program headers as a loader does (elf(5))."""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, Literal

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile
    from elftools.elf.segments import Segment

Kind = Literal["exec", "dyn", "rel", "core", "other"]
Abi = tuple[str, int, str]
"""Machine, bits and byte order: a loader only takes libraries that agree with it in all three."""

MAXIMUM_SEGMENTS = 4096
MAXIMUM_TAGS = 4096
MAXIMUM_PATHS = 512  # elements of one search path
MAXIMUM_STRINGS = 256 << 20  # bytes of the dynamic string table
MAXIMUM_SYMBOLS = 1 << 18
MAXIMUM_SYMBOL = 255  # bytes of a symbol's name; longer ones are mangled C++, which nobody asks for
MAXIMUM_NOTE_SEGMENT = 64 << 10  # bytes
MAXIMUM_NOTES = 1024
MAXIMUM_TEXT = 4096  # bytes of one string (PATH_MAX); a longer search path is no path

_KINDS: dict[object, Kind] = {
    "ET_EXEC": "exec",
    "ET_DYN": "dyn",
    "ET_REL": "rel",
    "ET_CORE": "core",
}
_FLAGS_1 = {0x800: "NODEFLIB", 0x80: "ORIGIN", 0x8000000: "PIE"}  # DF_1_* of glibc's elf.h
_DLOPEN_NOTE = 0x407C0C0A  # uapi-group.org/specifications/specs/elf_dlopen_metadata
_POINTERS = frozenset(
    f"DT_{name}"
    for name in (
        *("HASH", "GNU_HASH", "STRTAB", "VERSYM", "VERNEED", "VERDEF", "RELA", "REL", "JMPREL"),
        *("INIT", "FINI", "INIT_ARRAY", "FINI_ARRAY", "PLTGOT"),
    )
)


class DamagedElfError(ValueError):
    """A file has ELF's magic number but cannot be read further."""


@dataclass(frozen=True, slots=True)
class DlopenHint:
    """One entry of a ``.note.dlopen`` note: alternative names that the code opens at run time."""

    sonames: tuple[str, ...]
    feature: str = ""
    priority: str = "recommended"  # the specification's default; also "required" and "suggested"


@dataclass(frozen=True, slots=True)
class ElfFacts:
    """What a loader needs to know of an ELF file.

    ``machine`` is elf.h's name such as ``EM_X86_64`` (``EM_`` and the number for unknown ones).
    ``rpath`` and ``runpath`` are split at colons and not expanded; ``("",)`` is a tag with no text.
    ``auxiliary`` are DT_AUXILIARY names: loaded if they are there. ``imports`` are the undefined
    dynamic symbols with names of up to 255 bytes. ``flags`` holds NODEFLIB, ORIGIN and PIE of
    DT_FLAGS_1.
    """

    machine: str
    bits: int
    endian: Literal["little", "big"]
    kind: Kind
    osabi: str = "ELFOSABI_SYSV"
    interpreter: str | None = None
    needed: tuple[str, ...] = ()
    auxiliary: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    soname: str | None = None
    flags: frozenset[str] = frozenset()
    imports: frozenset[str] = frozenset()
    dlopen: tuple[DlopenHint, ...] = ()

    @property
    def abi(self) -> Abi:
        """What has to agree among all files of one process."""
        return (self.machine, self.bits, self.endian)

    @property
    def program(self) -> bool:
        """Whether it can be started: it names an interpreter or is linked statically."""
        return self.interpreter is not None or self.static

    @property
    def static(self) -> bool:
        """Whether it is a program that needs no loader."""
        return self.interpreter is None and (self.kind == "exec" or "PIE" in self.flags)

    @property
    def loadable(self) -> bool:
        """Whether a loader can map it: neither an object file nor a core dump."""
        return self.kind in ("exec", "dyn")


def read(file: BinaryIO) -> ElfFacts | None:
    """The facts of a seekable file, or None if it does not start like an ELF file.

    Sections are never looked at: files without them load just as well.

    Raises:
        DamagedElfError: it starts like an ELF file but its headers contradict themselves.
    """
    file.seek(0)
    if file.read(4) != b"\x7fELF":
        return None
    from elftools.common.exceptions import ELFError
    from elftools.construct import ConstructError

    # What elftools raises on damaged files, found by mutation; OSError stays what it is.
    damage = (ELFError, ConstructError, struct.error, ArithmeticError, LookupError, ValueError)
    try:
        return _Reader(file).facts()
    except DamagedElfError:
        raise
    except (*damage, AssertionError, AttributeError, TypeError) as error:
        message = f"{type(error).__name__}: {error}"
        raise DamagedElfError(message) from error


class _Reader:
    """Reads one file; every length in it is checked before it is believed."""

    def __init__(self, file: BinaryIO) -> None:
        from elftools.elf.elffile import ELFFile

        self.file = file
        self.size = file.seek(0, os.SEEK_END)
        self.elf: ELFFile = ELFFile(file)
        self.elf.header["e_shoff"] = 0  # elftools would search the sections for the string table
        self.segments = self._segments()
        self.tags = self._tags()
        self.strings = self._strings()

    def facts(self) -> ElfFacts:
        header = self.elf.header
        machine = header["e_machine"]
        return ElfFacts(
            machine=machine if isinstance(machine, str) else f"EM_{machine}",
            bits=self.elf.elfclass,
            endian="little" if self.elf.little_endian else "big",
            kind=_KINDS.get(header["e_type"], "other"),
            osabi=str(header["e_ident"]["EI_OSABI"]),
            interpreter=self._interpreter(),
            needed=self._texts("DT_NEEDED", "DT_FILTER"),
            auxiliary=self._texts("DT_AUXILIARY"),
            rpath=_paths(self._texts("DT_RPATH")),
            runpath=_paths(self._texts("DT_RUNPATH")),
            soname=next(iter(self._texts("DT_SONAME")), None),
            flags=self._flags(),
            imports=frozenset(self._imports()),
            dlopen=tuple(self._hints()),
        )

    def _segments(self) -> list[Segment]:
        header = self.elf.header
        count = header["e_phnum"]
        if count > MAXIMUM_SEGMENTS:
            message = f"{count} program headers"
            raise DamagedElfError(message)
        if header["e_phoff"] + count * header["e_phentsize"] > self.size:
            message = "the program headers lie outside of the file"
            raise DamagedElfError(message)
        return list(self.elf.iter_segments())

    def _of_type(self, kind: str) -> Iterator[Segment]:
        return (segment for segment in self.segments if segment["p_type"] == kind)

    def _tags(self) -> list[tuple[str | int, int]]:
        """The dynamic section, tag by tag up to DT_NULL; empty where there is none."""
        from elftools.common.utils import struct_parse

        segment = next(self._of_type("PT_DYNAMIC"), None)
        if segment is None:
            return []
        entry = self.elf.structs.Elf_Dyn
        tags: list[tuple[str | int, int]] = []
        start = segment["p_offset"]
        if start + segment["p_filesz"] > self.size:
            message = "the dynamic section lies outside of the file"
            raise DamagedElfError(message)
        for number in range(segment["p_filesz"] // entry.sizeof()):
            tag = struct_parse(entry, self.file, stream_pos=start + number * entry.sizeof())
            if tag["d_tag"] == "DT_NULL":
                break
            if number == MAXIMUM_TAGS:
                message = f"more than {MAXIMUM_TAGS} dynamic tags"
                raise DamagedElfError(message)
            tags.append((tag["d_tag"], tag["d_val"]))
        return tags

    def _values(self, *names: str) -> Iterator[int]:
        return (value for tag, value in self.tags if tag in names)

    def _offset(self, address: int) -> int | None:
        """Where in the file the byte that is loaded at ``address`` lies."""
        for segment in self._of_type("PT_LOAD"):
            within = address - segment["p_vaddr"]
            if 0 <= within < segment["p_filesz"]:
                return int(segment["p_offset"]) + within
        return None

    def _bytes(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes; fewer at the end of the file."""
        if offset >= self.size or size <= 0:
            return b""
        self.file.seek(offset)
        return self.file.read(min(size, self.size - offset))

    def _table(self, name: str, size: int) -> bytes:
        """The first bytes of the table that a pointer tag names; empty where there is none."""
        address = next(self._values(name), None)
        offset = None if address is None else self._offset(address)
        return b"" if offset is None else self._bytes(offset, size)

    def _strings(self) -> bytes:
        size = next(self._values("DT_STRSZ"), 0)
        return self._table("DT_STRTAB", min(size, MAXIMUM_STRINGS))

    def _text(self, offset: int) -> str:
        end = self.strings.find(b"\0", offset, offset + MAXIMUM_TEXT)
        if end < 0:
            message = "a name lies outside of the string table or has no end"
            raise DamagedElfError(message)
        return self.strings[offset:end].decode("utf-8", "surrogateescape")

    def _texts(self, *names: str) -> tuple[str, ...]:
        return tuple(self._text(value) for value in self._values(*names))

    def _interpreter(self) -> str | None:
        segment = next(self._of_type("PT_INTERP"), None)
        if segment is None:
            return None
        raw = self._bytes(segment["p_offset"], min(segment["p_filesz"], MAXIMUM_TEXT))
        return raw.partition(b"\0")[0].decode("utf-8", "surrogateescape") or None

    def _flags(self) -> frozenset[str]:
        bits = next(self._values("DT_FLAGS_1"), 0)
        return frozenset(name for bit, name in _FLAGS_1.items() if bits & bit)

    def _imports(self) -> Iterator[str]:
        """Names of undefined symbols.

        Unpacked here, not by elftools: a flat array, for which elftools takes fifty times longer.
        """
        order = "<" if self.elf.little_endian else ">"
        record = struct.Struct(order + ("IBBHQQ" if self.elf.elfclass == 64 else "IIIBBH"))
        count = min(self._symbol_count(record.size), MAXIMUM_SYMBOLS)
        table = self._table("DT_SYMTAB", count * record.size)
        section = 3 if self.elf.elfclass == 64 else 5
        for symbol in struct.iter_unpack(
            record.format, table[: len(table) - len(table) % record.size]
        ):
            start = 0 if symbol[section] else symbol[0]
            end = self.strings.find(b"\0", start, start + MAXIMUM_SYMBOL + 1) if start else 0
            if end > start:
                name = self.strings[start:end]
                yield sys.intern(name.decode("utf-8", "surrogateescape"))

    def _symbol_count(self, size: int) -> int:
        """How many symbols there may be: they end where the next table begins.

        The hash tables are no help: a GNU hash table leaves out symbols on its own terms.
        """
        start = next(self._values("DT_SYMTAB"), 0)
        above = [value for tag, value in self.tags if tag in _POINTERS and value > start]
        return (min(above) - start) // size if above else 0

    def _hints(self) -> Iterator[DlopenHint]:
        for kind, owner, text in islice(self._notes(), MAXIMUM_NOTES):
            if kind == _DLOPEN_NOTE and owner == b"FDO\0":
                yield from _dlopen_hints(text)

    def _notes(self) -> Iterator[tuple[object, bytes, bytes]]:
        """Type, owner and text of each note; elftools would also parse the notes of core dumps."""
        from elftools.common.utils import struct_parse

        for segment in self._of_type("PT_NOTE"):
            start = segment["p_offset"]
            raw = self._bytes(start, min(segment["p_filesz"], MAXIMUM_NOTE_SEGMENT))
            position = 0
            while position + 12 < len(raw):
                note = struct_parse(
                    self.elf.structs.Elf_Nhdr, self.file, stream_pos=start + position
                )
                owner = position + 12
                text = owner + _padded(note["n_namesz"])
                position = text + _padded(note["n_descsz"])
                yield note["n_type"], raw[owner : owner + 4], raw[text : text + note["n_descsz"]]


def _padded(size: int) -> int:
    return (size + 3) & ~3


def _paths(texts: Iterable[str]) -> tuple[str, ...]:
    """A search path's elements; the last tag counts where there are several."""
    last: tuple[str, ...] = ()
    for text in texts:
        last = tuple(text.split(":")[:MAXIMUM_PATHS])
    return last


def _dlopen_hints(raw: bytes) -> Iterator[DlopenHint]:
    """The entries of a note; a note that is not the specified JSON hints at nothing."""
    try:
        entries = json.loads(raw.rstrip(b"\0"))
    except (ValueError, RecursionError):
        return
    for entry in entries if isinstance(entries, list) else ():
        names = entry.get("soname") if isinstance(entry, dict) else None
        if isinstance(names, list) and (texts := tuple(n for n in names if isinstance(n, str))):
            yield DlopenHint(
                texts, str(entry.get("feature", "")), str(entry.get("priority", "recommended"))
            )
