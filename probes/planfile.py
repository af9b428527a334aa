"""Probe files: what is to be done with an app, in YAML or TOML, read into a `Plan`.

Every mistake is a `PlanError` that names the file, the line and the key.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NoReturn, TypeVar

from probes import nodes
from probes import planparts as parts
from probes.commands import run_name
from probes.errors import PlanError
from probes.http import variables
from probes.model import ExecCall, HttpCall, Plan, RunCall, Upload
from probes.nodes import Node, optional
from probes.shorthand import http_call, parse_exec, parse_http, parse_run

__all__ = ["LARGEST", "load", "parse", "parse_exec", "parse_http", "parse_run"]

LARGEST = 16 * 1024 * 1024
"""Bytes of the largest file that a probe file can refer to."""

LARGEST_PLAN = 1024 * 1024
"""Bytes of the largest probe file."""

MOST_PROBES = 5000
"""Entries of ``http``, ``exec`` or ``run``."""

T = TypeVar("T")


def load(path: Path) -> Plan:
    """The plan in a probe file; TOML if its name ends so, else YAML.

    Raises:
        PlanError: it cannot be read, or has an error.
    """
    document = Node(None, "", str(path), None, "")
    content = _read(path, LARGEST_PLAN, document.fail)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise PlanError(str(path), line, "", "not UTF-8 text") from error
    kind: Literal["yaml", "toml"] = "toml" if path.suffix.lower() == ".toml" else "yaml"
    return parse(text, name=str(path), format=kind)


def parse(text: str, *, name: str, format: Literal["yaml", "toml"]) -> Plan:  # noqa: A002
    """The plan in a text. ``name`` is the file's: it stands in errors, and other files are relative
    to it.

    Raises:
        PlanError: the text has an error, or a file that it refers to cannot be read.
    """
    from probes.documents import read_toml, read_yaml

    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise PlanError(name, None, "", "not UTF-8 text") from error
    if size > LARGEST_PLAN:
        raise PlanError(name, None, "", f"larger than {LARGEST_PLAN // 1024} KiB")
    root = read_toml(text, name) if format == "toml" else read_yaml(text, name)
    return _Reader(Path(name).parent).plan(root)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the parts of a plan; files are relative to ``folder``."""

    folder: Path

    def plan(self, root: Node) -> Plan:
        keys = "version ready ports environment command network stop_timeout crawl http exec run"
        entries = nodes.table(root, keys.split())
        version = entries.get("version")
        if version is not None and (version.value != 1 or isinstance(version.value, bool)):
            version.fail(f"must be 1, not {nodes.described(version)}")
        plan = Plan()
        return Plan(
            http=self.calls(entries.get("http")),
            commands=self.many(entries.get("exec"), self.exec_call),
            runs=_named(self.many(entries.get("run"), self.run_call)),
            ready=optional(entries, "ready", parts.ready, plan.ready),
            crawl=optional(entries, "crawl", parts.crawl, plan.crawl),
            ports=optional(entries, "ports", parts.ports, plan.ports),
            environment=optional(entries, "environment", parts.environment, plan.environment),
            command=optional(entries, "command", parts.command, plan.command),
            network=optional(entries, "network", parts.network, plan.network),
            stop_timeout=optional(entries, "stop_timeout", nodes.seconds, plan.stop_timeout),
        )

    def many(self, node: Node | None, read: Callable[[Node], T]) -> tuple[T, ...]:
        if node is None:
            return ()
        entries = nodes.items(node)
        if len(entries) > MOST_PROBES:
            node.fail(f"has more than {MOST_PROBES} entries")
        return tuple(read(item) for item in entries)

    def calls(self, node: Node | None) -> tuple[HttpCall, ...]:
        """The HTTP calls, checked for variables that no earlier call captures."""
        captured: set[str] = set()
        calls = self.many(node, self.http_call)
        for item, call in zip(nodes.items(node) if node else (), calls, strict=True):
            texts = (call.path, *call.headers.values(), *(call.form or {}).values())
            for name in (name for text in texts for name in variables.names_in(text)):
                if name not in captured:
                    hint = "Write {{ and }} for braces that are no variable."
                    message = f"no earlier call captures the variable {name!r}"
                    _blamed(item, name).fail(message, hint=hint)
            captured.update(call.capture)
        return calls

    def http_call(self, node: Node) -> HttpCall:
        if isinstance(node.value, str):
            return parts.short(node, http_call)
        keys = (
            "method path name port scheme headers body body_file json form files expect"
            " capture follow timeout compare"
        )
        entries = nodes.table(node, keys.split())
        if "path" not in entries:
            node.fail("needs a path")
        parts.exclusive(entries, "body", "body_file", "json", "form")
        parts.exclusive(entries, "body", "body_file", "json", "files")
        call = HttpCall()
        return HttpCall(
            method=optional(entries, "method", parts.method, call.method),
            path=parts.target(entries["path"]),
            name=optional(entries, "name", parts.name, ""),
            port=optional(entries, "port", parts.port, None),
            scheme=parts.scheme(entries),
            headers=optional(entries, "headers", parts.headers, {}),
            body=self.body(entries),
            json=optional(entries, "json", nodes.plain, None),
            form=optional(entries, "form", nodes.texts_by_name, None),
            files=self.many(entries.get("files"), self.upload),
            expect=optional(entries, "expect", parts.http_expectation, call.expect),
            capture=optional(entries, "capture", parts.captures, {}),
            follow=optional(entries, "follow", nodes.boolean, call.follow),
            timeout=optional(entries, "timeout", nodes.seconds, call.timeout),
            compare=parts.compare(entries),
        )

    def body(self, entries: Mapping[str, Node]) -> bytes | None:
        if "body_file" in entries:
            return self.file(entries["body_file"])
        return nodes.string(entries["body"]).encode() if "body" in entries else None

    def upload(self, node: Node) -> Upload:
        entries = nodes.table(node, ("field", "file", "content", "filename", "type"))
        if "field" not in entries:
            node.fail("needs a field: the name of the form's field")
        filename = "file"
        if "file" in entries:
            filename = Path(nodes.string(entries["file"])).name or filename
        return Upload(
            field=nodes.string(entries["field"]),
            filename=optional(entries, "filename", nodes.string, filename),
            content=self.content(node, entries),
            content_type=optional(entries, "type", parts.header_value, "application/octet-stream"),
        )

    def content(self, node: Node, entries: Mapping[str, Node]) -> bytes:
        parts.exclusive(entries, "file", "content")
        if "file" in entries:
            return self.file(entries["file"])
        if "content" not in entries:
            node.fail("needs a file or a content")
        return nodes.string(entries["content"]).encode()

    def file(self, node: Node) -> bytes:
        path = self.folder / nodes.string(node, empty=False)

        def fail(message: str) -> NoReturn:
            node.fail(f"{node.text[:200]}: {message}")

        return _read(path, LARGEST, fail)

    def stdin(self, node: Node) -> bytes:
        """Text, or ``{file}`` or ``{content}``."""
        if isinstance(node.value, str):
            return node.value.encode()
        return self.content(node, nodes.table(node, ("file", "content")))

    def exec_call(self, node: Node) -> ExecCall:
        if isinstance(node.value, str):
            return ExecCall(argv=parts.command(node), name=f"exec {node.value.strip()}")
        keys = "command name stdin user environment expect timeout compare"
        entries = nodes.table(node, keys.split())
        if "command" not in entries:
            node.fail("needs a command")
        call = ExecCall(argv=parts.command(entries["command"]))
        exit_code, contains = parts.exit_expectation(entries.get("expect"))
        return replace(
            call,
            name=optional(entries, "name", parts.name, ""),
            stdin=optional(entries, "stdin", self.stdin, b""),
            user=optional(entries, "user", nodes.plain_text, ""),
            environment=optional(entries, "environment", parts.environment, {}),
            expect_exit=exit_code,
            expect_contains=contains,
            timeout=optional(entries, "timeout", nodes.seconds, call.timeout),
            compare=parts.compare(entries),
        )

    def run_call(self, node: Node) -> RunCall:
        if isinstance(node.value, str):
            return RunCall(args=parts.words(node))
        keys = "args name entrypoint stdin files_in files_out environment expect timeout compare"
        entries = nodes.table(node, keys.split())
        exit_code, contains = parts.exit_expectation(entries.get("expect"))
        return RunCall(
            args=optional(entries, "args", parts.words, ()),
            name=optional(entries, "name", parts.name, ""),
            entrypoint=optional(entries, "entrypoint", parts.entrypoint, None),
            stdin=optional(entries, "stdin", self.stdin, b""),
            files_in=optional(entries, "files_in", self.files_in, ()),
            files_out=optional(entries, "files_out", parts.files_out, ()),
            environment=optional(entries, "environment", parts.environment, {}),
            expect_exit=exit_code,
            expect_contains=contains,
            timeout=optional(entries, "timeout", nodes.seconds, RunCall(()).timeout),
            compare=parts.compare(entries),
        )

    def files_in(self, node: Node) -> tuple[tuple[str, bytes], ...]:
        entries = nodes.mapping(node)
        return tuple(
            (parts.inside(entry, path), self.stdin(entry)) for path, entry in entries.items()
        )


def _read(path: Path, most: int, fail: Callable[[str], NoReturn]) -> bytes:
    """A regular file of bounded size; ``fail`` raises the error."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            fail("is not a regular file")
        with path.open("rb") as file:
            content = file.read(most + 1)
    except (OSError, ValueError) as error:
        fail(f"cannot be read: {getattr(error, 'strerror', None) or 'the name cannot be used'}")
    if len(content) > most:
        fail(f"larger than {most // 1024} KiB")
    return content


def _named(runs: tuple[RunCall, ...]) -> tuple[RunCall, ...]:
    """Runs with a name each, no two alike."""
    names: set[str] = set()
    out = []
    for call in runs:
        name, number = run_name(call), 1
        while name in names:
            number += 1
            name = f"{run_name(call)} ({number})"
        names.add(name)
        out.append(replace(call, name=name))
    return tuple(out)


def _blamed(item: Node, name: str) -> Node:
    """The node below a call that uses a variable."""
    if isinstance(item.value, str) and name in variables.names_in(item.value):
        return item
    below: tuple[Node, ...] = ()
    if isinstance(item.value, Mapping):
        keys = ("path", "headers", "form")
        below = tuple(item.value.values()) if item.key.endswith(keys) else ()
        below = below or tuple(item.value[key] for key in keys if key in item.value)
    for node in below:
        found = _blamed(node, name)
        if found is not node or (isinstance(node.value, str) and name in node.value):
            return found
    return item
