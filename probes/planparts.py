"""The smaller parts of a plan, each read from its node. Every function raises `PlanError`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal, TypeVar

from probes import nodes, shorthand
from probes.http import variables
from probes.model import CrawlLimits, HttpExpectation, Ready
from probes.nodes import Node, optional

T = TypeVar("T")

_TOKEN = frozenset("!#$%&'*+-.^_`|~")  # RFC 9110 section 5.6.2, besides letters and digits


def exclusive(entries: Mapping[str, Node], *names: str) -> None:
    """See that at most one of these keys is given."""
    given = [name for name in entries if name in names]
    if len(given) > 1:
        entries[given[1]].fail(f"cannot stand beside {given[0]}: only one of them can be used")


def short(node: Node, read: Callable[[str], T]) -> T:
    """A short form; its error gets the node's line and key."""
    try:
        return read(nodes.string(node))
    except shorthand.ShorthandError as error:
        node.fail(str(error), cause=error)


def ready(node: Node) -> Ready:
    """``{path | command, timeout}``."""
    entries = nodes.table(node, ("path", "command", "timeout"))
    exclusive(entries, "path", "command")
    return Ready(
        path=optional(entries, "path", absolute_path, None),
        argv=optional(entries, "command", command, None),
        timeout=optional(entries, "timeout", nodes.seconds, Ready().timeout),
    )


def absolute_path(node: Node) -> str:
    """A path of a URL, without variables."""
    path = nodes.string(node, empty=False)
    if not path.startswith("/") or any(char.isspace() for char in path):
        node.fail("must be an absolute path, such as /health")
    return path


def crawl(node: Node) -> CrawlLimits:
    """``{enabled, depth, pages, start}``, or a truth value."""
    limits = CrawlLimits()
    if isinstance(node.value, bool):
        return replace(limits, enabled=node.value)
    entries = nodes.table(node, ("enabled", "depth", "pages", "start"))
    return CrawlLimits(
        enabled=optional(entries, "enabled", nodes.boolean, limits.enabled),
        depth=optional(entries, "depth", lambda item: nodes.integer(item, 0, 20), limits.depth),
        pages=optional(entries, "pages", lambda item: nodes.integer(item, 0, 5000), limits.pages),
        start=optional(entries, "start", absolute_path, limits.start),
    )


def port(node: Node) -> int:
    """A TCP port."""
    return nodes.integer(node, 1, 65535)


def ports(node: Node) -> tuple[int, ...]:
    """One port or several, each once."""
    return tuple(dict.fromkeys(port(item) for item in nodes.one_or_many(node)))


def environment(node: Node) -> dict[str, str]:
    """Variables of a process."""
    found = nodes.texts_by_name(node)
    for name, value in found.items():
        if not name or "=" in name or "\0" in name + value:
            nodes.mapping(node)[name].fail("is not a variable that a process can have")
    return found


def words(node: Node) -> tuple[str, ...]:
    """Arguments: a list, or a text that is split as a shell would."""
    if isinstance(node.value, str):
        return short(node, shorthand.arguments)
    found = nodes.strings(node)
    if any("\0" in word for word in found):
        node.fail("a NUL character cannot be part of a command")
    return found


_NETWORK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


def network(node: Node) -> str:
    """The name of an engine's network."""
    name = nodes.plain_text(node)
    if not is_network(name):
        node.fail(f"must be the name of a network, not {nodes.described(node)}")
    return name


def is_network(name: str) -> bool:
    """Whether an engine could have a network of that name; ``host`` and ``none`` are names, too."""
    return _NETWORK.fullmatch(name) is not None


def command(node: Node) -> tuple[str, ...]:
    """A command that can be run: a list, or a command line."""
    if isinstance(node.value, str):
        return short(node, shorthand.command)
    return entrypoint(node)


def entrypoint(node: Node) -> tuple[str, ...]:
    """Arguments of which the first names a program."""
    found = words(node)
    if not found or not found[0]:
        node.fail("the command is empty")
    return found


def method(node: Node) -> str:
    """An HTTP method, in upper case."""
    text = nodes.string(node)
    if not shorthand.METHOD.fullmatch(text):
        node.fail(f"{text[:80]!r} is not an HTTP method")
    return text.upper()


def target(node: Node) -> str:
    """What a call asks for: an absolute path, or a variable that holds one."""
    path = nodes.string(node, empty=False)
    if not path.startswith(("/", "{")):
        node.fail("must begin with / (or with a variable)")
    if any(ord(char) < 0x20 for char in path):
        node.fail("must not hold control characters")
    return path


def name(node: Node) -> str:
    """The name of a probe."""
    return nodes.string(node, empty=False)


def scheme(entries: Mapping[str, Node]) -> Literal["http", "https"]:
    """``http`` (also where nothing is said) or ``https``."""
    node = entries.get("scheme")
    return "https" if node and nodes.choice(node, "http", "https") == "https" else "http"


def compare(entries: Mapping[str, Node]) -> Literal["full", "status"]:
    """``full`` (also where nothing is said) or ``status``."""
    node = entries.get("compare")
    return "status" if node and nodes.choice(node, "full", "status") == "status" else "full"


def header_value(node: Node) -> str:
    """One line of text."""
    value = nodes.plain_text(node)
    if any(char in value for char in "\r\n\0"):
        node.fail("must be one line")
    return value


def headers(node: Node) -> dict[str, str]:
    """Header names and values."""
    out = {}
    for key, entry in nodes.mapping(node).items():
        if not key or not all(
            char.isascii() and (char.isalnum() or char in _TOKEN) for char in key
        ):
            entry.fail("is not the name of a header")
        out[key] = header_value(entry)
    return out


def http_expectation(node: Node) -> HttpExpectation:
    """``{status, contains, headers}``."""
    entries = nodes.table(node, ("status", "contains", "headers"))
    return HttpExpectation(
        status=optional(entries, "status", statuses, ()),
        contains=optional(entries, "contains", contains, ()),
        headers=optional(entries, "headers", headers, {}),
    )


def statuses(node: Node) -> tuple[int, ...]:
    """One HTTP status or several."""
    return tuple(nodes.integer(item, 100, 599) for item in nodes.one_or_many(node))


def contains(node: Node) -> tuple[str, ...]:
    """One text or several that an answer must hold."""
    return tuple(nodes.plain_text(item) for item in nodes.one_or_many(node))


def captures(node: Node) -> dict[str, str]:
    """Variables and where their values come from."""
    out = {}
    for key, entry in nodes.mapping(node).items():
        if not variables.NAME.fullmatch(key):
            entry.fail("the name of a variable has only letters, digits and underscores")
        out[key] = nodes.string(entry)
        try:
            variables.check(out[key])
        except variables.CaptureError as error:
            entry.fail(str(error), cause=error)
    return out


def exit_expectation(node: Node | None) -> tuple[int, tuple[str, ...]]:
    """``{exit, contains}`` of a command."""
    if node is None:
        return 0, ()
    entries = nodes.table(node, ("exit", "contains"))
    code = optional(entries, "exit", lambda item: nodes.integer(item, 0, 255), 0)
    return code, optional(entries, "contains", contains, ())


def inside(node: Node, path: str) -> str:
    """The absolute path of a file in the container."""
    if not path.startswith("/") or "\0" in path or path.endswith("/"):
        node.fail(f"{path[:80]!r} is not the absolute path of a file in the container")
    return path


def files_out(node: Node) -> tuple[str, ...]:
    """Absolute paths of files in the container."""
    return tuple(inside(item, nodes.string(item)) for item in nodes.items(node))
