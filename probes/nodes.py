"""A document as a tree of nodes that know their line and key, so that every error can name both."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from probes.errors import PlanError

T = TypeVar("T")

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a probe file.

    ``text`` is a scalar as it was written; ``line`` counts from 1, None where it is not known;
    ``key`` is the path of keys, such as ``http[2].expect``.
    """

    value: Scalar | tuple[Node, ...] | Mapping[str, Node]
    text: str
    file: str
    line: int | None
    key: str

    def fail(self, message: str, *, hint: str = "", cause: BaseException | None = None) -> NoReturn:
        """Raise a PlanError about this node; ``message`` is a sentence without a full stop."""
        raise PlanError(self.file, self.line, self.key, message, hint=hint) from cause


def table(node: Node, allowed: Collection[str]) -> Mapping[str, Node]:
    """The entries of a mapping.

    Raises:
        PlanError: it is none, or has a key that is not ``allowed``.
    """
    entries = mapping(node)
    for name, entry in entries.items():
        if name not in allowed:
            near = difflib.get_close_matches(name, allowed, n=1)
            guess = f"; did you mean {near[0]}?" if near else ""
            message = f"unknown key {name[:80]!r}{guess}".removesuffix("?")
            hint = f"Keys that can stand here: {', '.join(sorted(allowed))}."
            entry.fail(message, hint=hint)
    return entries


def mapping(node: Node) -> Mapping[str, Node]:
    """The entries of a mapping with any keys.

    Raises:
        PlanError: it is none.
    """
    if not isinstance(node.value, Mapping):
        node.fail(f"must be a mapping of keys and values, not {described(node)}")
    return node.value


def items(node: Node) -> tuple[Node, ...]:
    """The items of a list.

    Raises:
        PlanError: it is none.
    """
    if not isinstance(node.value, tuple):
        node.fail(f"must be a list, not {described(node)}")
    return node.value


def one_or_many(node: Node) -> tuple[Node, ...]:
    """The items of a list, or the one value that stands in its place."""
    return node.value if isinstance(node.value, tuple) else (node,)


def string(node: Node, *, empty: bool = True) -> str:
    """A text.

    Raises:
        PlanError: it is none; or empty, where that makes no sense.
    """
    if not isinstance(node.value, str):
        node.fail(f"must be a text, not {described(node)}; put it in quotes")
    if not node.value and not empty:
        node.fail("must not be empty")
    return node.value


def plain_text(node: Node) -> str:
    """A text, or a number or truth value as it was written: for header values, variables and the
    like.

    Raises:
        PlanError: it is none of these.
    """
    if not isinstance(node.value, str | int | float):
        node.fail(f"must be a text, not {described(node)}")
    return node.value if isinstance(node.value, str) else node.text


def strings(node: Node) -> tuple[str, ...]:
    """A list of texts.

    Raises:
        PlanError: it is none.
    """
    return tuple(plain_text(item) for item in items(node))


def texts_by_name(node: Node) -> dict[str, str]:
    """A mapping of names to texts.

    Raises:
        PlanError: it is none.
    """
    return {name: plain_text(entry) for name, entry in mapping(node).items()}


def integer(node: Node, low: int, high: int) -> int:
    """A whole number within bounds.

    Raises:
        PlanError: it is none.
    """
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int):
        node.fail(f"must be a whole number, not {described(node)}")
    if not low <= value <= high:
        node.fail(f"must be between {low} and {high}")
    return value


def seconds(node: Node, high: float = 3600.0) -> float:
    """A length of time in seconds, above zero.

    Raises:
        PlanError: it is none.
    """
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int | float):
        node.fail(f"must be a number of seconds, not {described(node)}")
    if not 0 < value <= high:
        node.fail(f"must be above 0 and at most {high:g} seconds")
    return float(value)


def boolean(node: Node) -> bool:
    """A truth value.

    Raises:
        PlanError: it is none.
    """
    if not isinstance(node.value, bool):
        node.fail(f"must be true or false, not {described(node)}")
    return node.value


def choice(node: Node, *allowed: str) -> str:
    """One of some words.

    Raises:
        PlanError: it is none of them.
    """
    if node.value not in allowed or not isinstance(node.value, str):
        node.fail(f"must be {' or '.join(allowed)}, not {described(node)}")
    return node.value


def optional(entries: Mapping[str, Node], name: str, read: Callable[[Node], T], default: T) -> T:
    """The entry ``name`` as ``read`` understands it, ``default`` where there is none."""
    node = entries.get(name)
    return default if node is None else read(node)


def plain(node: Node) -> object:
    """A node and all below it as plain values, for JSON."""
    match node.value:
        case tuple():
            return [plain(item) for item in node.value]
        case Mapping():
            return {name: plain(entry) for name, entry in node.value.items()}
        case _:
            return node.value


def described(node: Node) -> str:
    """What a node is, for a message."""
    match node.value:
        case None:
            return "nothing"
        case bool():
            return f"the truth value {node.text[:40]}"
        case int() | float():
            return f"the number {node.text[:40]}"
        case str():
            return f"the text {node.value[:40]!r}"
        case tuple():
            return "a list"
        case _:
            return "a mapping"
