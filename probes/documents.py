"""YAML and TOML texts as trees of nodes with lines. Hostile texts end in an error, not in a full
memory."""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from probes.errors import PlanError
from probes.nodes import Node, Scalar

MOST_NODES = 50_000
"""Values of a document, each use of an alias counted with all below it."""

DEEPEST = 60
"""Levels of nesting that are read."""

_TAG = "tag:yaml.org,2002:"


def read_yaml(text: str, file: str) -> Node:
    """A YAML document.

    Raises:
        PlanError: it is not valid, or too large.
    """
    try:
        _check_depth(text, file)
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = (error.problem or error.context or "not valid YAML").strip()
        line = mark.line + 1 if mark else None
        raise PlanError(file, line, "", problem) from error
    except (yaml.YAMLError, ValueError) as error:
        problem = " ".join(str(error).split())[:200]
        raise PlanError(file, None, "", f"not valid YAML: {problem}") from error
    if root is None:
        raise PlanError(file, None, "", "the document is empty")
    return _Yaml(file).node(root, "", 0)


def _check_depth(text: str, file: str) -> None:
    """Before anything recursive sees the text."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                raise PlanError(file, _line(event), "", "nested too deeply")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _line(found: yaml.Event | yaml.Node) -> int | None:
    mark = found.start_mark
    return None if mark is None else mark.line + 1


@dataclass(slots=True)
class _Yaml:
    """One conversion of composed nodes; ``left`` is how many more values may come."""

    file: str
    left: int = MOST_NODES
    scalars: yaml.constructor.SafeConstructor = field(
        default_factory=yaml.constructor.SafeConstructor
    )

    def node(self, found: yaml.Node, key: str, depth: int) -> Node:
        line = _line(found)
        self.left -= 1
        if self.left < 0 or depth > DEEPEST:
            raise PlanError(
                self.file, line, key[:200], "too much: too many values, or aliases in aliases"
            )
        value: Scalar | tuple[Node, ...] | Mapping[str, Node]
        match found:
            case yaml.MappingNode():
                value = self.entries(found, key, depth)
            case yaml.SequenceNode():
                value = tuple(
                    self.node(item, f"{key}[{index}]", depth + 1)
                    for index, item in enumerate(found.value)
                )
            case yaml.ScalarNode():
                value = self.scalar(found, line, key)
            case _:
                raise PlanError(self.file, line, key, "not a value")
        text = found.value if isinstance(found.value, str) else ""
        return Node(value, text, self.file, line, key)

    def entries(self, found: yaml.MappingNode, key: str, depth: int) -> dict[str, Node]:
        out: dict[str, Node] = {}
        for name, entry in found.value:
            line = _line(name)
            if not isinstance(name, yaml.ScalarNode):
                raise PlanError(self.file, line, key, "a key must be a text")
            below = f"{key}.{name.value}" if key else name.value
            if name.value in out:
                raise PlanError(self.file, line, below, "the same key stands here twice")
            node = self.node(entry, below, depth + 1)
            # The line of the key is where people look, whatever follows it on the next lines.
            out[name.value] = Node(node.value, node.text, node.file, line, node.key)
        return out

    def scalar(self, found: yaml.ScalarNode, line: int | None, key: str) -> Scalar:
        text = str(found.value)
        try:
            match found.tag.removeprefix(_TAG):
                case "str" | "timestamp" | "merge" | "value":
                    return text
                case "int":
                    return int(self.scalars.construct_yaml_int(found))
                case "float":
                    return float(self.scalars.construct_yaml_float(found))
                case "bool":
                    return bool(self.scalars.construct_yaml_bool(found))
                case "null":
                    return None
        except (ValueError, KeyError, IndexError, OverflowError) as error:
            raise PlanError(self.file, line, key, f"{text[:40]!r} is not a number") from error
        raise PlanError(self.file, line, key, f"the tag {found.tag[:80]} is not known here")


def read_toml(text: str, file: str) -> Node:
    """A TOML document; the lines of keys are found in the text as well as possible.

    Raises:
        PlanError: it is not valid, or too large.
    """
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        found = re.search(r"\(at line (\d+), column \d+\)", str(error))
        problem = re.sub(r"\s*\(at .*\)$", "", str(error))[:200] or "not valid TOML"
        line = (
            int(found[1])
            if found
            else text.count("\n") + 1
            if "end of document" in str(error)
            else None
        )
        raise PlanError(file, line, "", problem) from error
    return _Toml(file, _toml_lines(text)).node(document, "", 0)


@dataclass(slots=True)
class _Toml:
    """One conversion of a TOML document."""

    file: str
    lines: Mapping[str, int]
    left: int = MOST_NODES

    def node(self, found: Any, key: str, depth: int) -> Node:
        self.left -= 1
        if self.left < 0 or depth > DEEPEST:
            raise PlanError(
                self.file, self.line(key), key[:200], "too many values, or nested too deeply"
            )
        value: Scalar | tuple[Node, ...] | Mapping[str, Node]
        text = ""
        match found:
            case dict():
                value = {
                    name: self.node(entry, f"{key}.{name}" if key else name, depth + 1)
                    for name, entry in found.items()
                }
            case list():
                value = tuple(
                    self.node(item, f"{key}[{index}]", depth + 1)
                    for index, item in enumerate(found)
                )
            case bool():
                value, text = found, str(found).lower()
            case datetime.date() | datetime.time():
                value = text = found.isoformat()
            case _:
                value, text = found, self.written(found, key)
        return Node(value, text, self.file, self.line(key), key)

    def written(self, found: object, key: str) -> str:
        try:
            return str(found)
        except ValueError as error:  # int's bound on digits
            raise PlanError(self.file, self.line(key), key, "the number is too long") from error

    def line(self, key: str) -> int | None:
        """The line of a key, else that of the nearest key above it."""
        while key:
            if key in self.lines:
                return self.lines[key]
            cut = max(key.rfind("."), key.rfind("["))
            key = key[: max(cut, 0)]
        return None


_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]#]+?)\s*\]\]?\s*(#.*)?$")
_ASSIGNMENT = re.compile(
    r"""^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*="""
)
_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")


def _toml_lines(text: str) -> dict[str, int]:
    """Key path -> line, for the keys that stand on a line of their own."""
    lines: dict[str, int] = {}
    counts: dict[str, int] = {}
    prefix = ""
    for number, line in _code_lines(text):
        header = _HEADER.match(line)
        if header:
            prefix = _path("", header[2], counts)
            if header[1] == "[[":
                counts[prefix] = counts.get(prefix, -1) + 1
                prefix = f"{prefix}[{counts[prefix]}]"
            lines.setdefault(prefix, number)
            continue
        found = _ASSIGNMENT.match(line)
        if found:
            lines.setdefault(_path(prefix, found[1], {}), number)
    return lines


def _path(prefix: str, dotted: str, counts: Mapping[str, int]) -> str:
    """The path of a dotted key; arrays of tables on the way stand for their newest element."""
    names = [part.strip("\"'") for part in _PART.findall(dotted)]
    for index, name in enumerate(names):
        prefix = f"{prefix}.{name}" if prefix else name
        if index < len(names) - 1 and prefix in counts:
            prefix = f"{prefix}[{counts[prefix]}]"
    return prefix


def _code_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that do not lie inside a text of several lines."""
    inside: str | None = None
    for number, line in enumerate(text.split("\n"), 1):
        if inside is None:
            yield number, line
        for quote in ('"""', "'''"):
            if inside in (None, quote) and line.count(quote) % 2:
                inside = None if inside else quote
