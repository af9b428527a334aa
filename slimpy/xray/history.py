"""The Dockerfile that an image's history speaks of, as far as builders wrote it down."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOST_ENTRIES = 10_000
_LONGEST = 20_000  # characters of an entry
_SHELL = "/bin/sh -c "
_NOP = "#(nop)"
_BUILDKIT = "# buildkit"
_KEYWORDS = frozenset(
    (
        *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL"),
        *("MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
    )
)
_ARGUMENTS = re.compile(r"\|[0-9]{1,4} ")
_EXPOSED = re.compile(r"([0-9]{1,5}(?:-[0-9]{1,5})?(?:/[a-z]{1,10})?):\{\}")
_COPIED = re.compile(r"((?:file|dir|multi):[0-9a-f]{8,64}) in (.*)")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One entry of the history: the instruction as it may have stood in the Dockerfile.

    ``arguments`` are build arguments and their values as the builder recorded them, one text;
    ``empty`` says that it made no layer.
    """

    text: str
    arguments: str = ""
    empty: bool = False
    created: str = ""


def instructions(config: Mapping[str, Any]) -> tuple[Instruction, ...]:
    """The history of an image's configuration, the oldest first."""
    entries = config.get("history")
    if not isinstance(entries, list):
        return ()
    return tuple(_entry(item) for item in entries[:MOST_ENTRIES] if isinstance(item, Mapping))


def by_layer(found: tuple[Instruction, ...], layers: int) -> tuple[Instruction | None, ...]:
    """The instruction of each layer; None for all where the history speaks of another number of
    layers than there are, as then nobody knows which is which.
    """
    makers = [item for item in found if not item.empty]
    return tuple(makers) if len(makers) == layers else (None,) * layers


def _entry(item: Mapping[str, Any]) -> Instruction:
    said = item.get("created_by")
    text = said[:_LONGEST].strip() if isinstance(said, str) else ""
    comment = item.get("comment")
    if not text and isinstance(comment, str):
        text = f"# {comment[:_LONGEST].strip()}" if comment.strip() else ""
    created = item.get("created")
    shown, arguments = _instruction(text)
    return Instruction(
        shown,
        arguments,
        item.get("empty_layer") is True,
        created[:40] if isinstance(created, str) else "",
    )


def _instruction(text: str) -> tuple[str, str]:
    """The instruction and the build arguments of one ``created_by``."""
    if not text:
        return "# (the history does not say)", ""
    text = text.removesuffix(_BUILDKIT).rstrip()
    word, _, rest = text.partition(" ")
    if word == "RUN":
        arguments, command = _split(rest.strip())
        return f"RUN {command}", arguments
    if word in _KEYWORDS:
        return _tidy(word, rest.strip()), ""
    if text.startswith(_SHELL) and text[len(_SHELL) :].lstrip().startswith(_NOP):
        inner = text[len(_SHELL) :].lstrip().removeprefix(_NOP).strip()
        word, _, rest = inner.partition(" ")
        return _tidy(word, rest.strip()), ""
    arguments, command = _split(text)
    if arguments or text.startswith((_SHELL, "/bin/", "/usr/bin/")):
        return f"RUN {command}", arguments
    return (text if text.startswith("#") else f"# {text}"), ""


def _split(text: str) -> tuple[str, str]:
    """Build arguments (``|2 A=b C=d /bin/sh -c ...``) and the command; values may hold spaces."""
    arguments = ""
    if found := _ARGUMENTS.match(text):
        inside, shell, command = text[found.end() :].partition(f" {_SHELL}")
        if not shell:
            return "", text[found.end() :]
        return inside.strip(), command.strip()
    return arguments, text.removeprefix(_SHELL).strip()


def _tidy(word: str, rest: str) -> str:
    """What builders print of Go values, as a Dockerfile has it."""
    if word == "EXPOSE" and rest.startswith("map["):
        rest = " ".join(_EXPOSED.findall(rest))
    elif word in ("ADD", "COPY") and (found := _COPIED.fullmatch(rest)):
        rest = f"{found[1]} {found[2]}".strip()
    return f"{word} {rest}".strip()
