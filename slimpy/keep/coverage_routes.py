"""Routes of an app that no probe called: in its answers' links, forms and API documents, and in
its code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from probes.model import Exchange, HttpAnswer, Page, Plan
from slimpy.image.tree import name
from slimpy.keep.scene import Scene
from slimpy.model import Entry, decoded, display

MOST_ROUTES = 300
"""Routes that are reported at most."""

MOST_PROBES = 20
"""Lines proposed for a probe file; more would not be read."""

LARGEST_SOURCE = 256 << 10
MOST_SOURCES = 16 << 20  # bytes of all files together
LARGEST_DOCUMENT = 4 << 20
MOST_ANSWERS = 200
MOST_FIELDS = 20

ANY = "ANY"
"""The method of a route that takes several, or does not say which."""

_METHODS = "get|post|put|delete|patch|head|options"
_QUOTED = r"""["'](?P<path>[^"'\n]{0,200})["']"""
_PYTHON = (
    re.compile(
        rf"@\w{{1,60}}(?:\.\w{{1,60}}){{0,2}}\.(?P<method>route|{_METHODS})\(\s{{0,80}}[rfRF]?"
        rf"{_QUOTED}(?P<tail>[^)\n]{{0,200}})"
    ),
    re.compile(rf"\b(?P<method>path|re_path|add_url_rule|Route|add_route)\(\s{{0,80}}r?{_QUOTED}"),
)
_JAVASCRIPT = (
    re.compile(
        rf"\b(?:app|router|server|fastify|api|route[rs]?)\.(?P<method>all|{_METHODS})\(\s{{0,80}}"
        r"[\"'`](?P<path>/[^\"'`\n]{0,200})[\"'`]",
        re.IGNORECASE,
    ),
)
_RUBY = (
    re.compile(rf"^[ \t]{{0,80}}(?P<method>match|{_METHODS})[ (]\s{{0,10}}{_QUOTED}", re.MULTILINE),
)
_PHP = (
    re.compile(
        rf"(?:->|Route::)(?P<method>map|any|{_METHODS})\(\s{{0,80}}{_QUOTED}", re.IGNORECASE
    ),
    re.compile(rf"#\[(?P<method>Route|Get|Post|Put|Delete|Patch)\(\s{{0,80}}{_QUOTED}"),
)
_SETTINGS = (
    re.compile(r"^[ \t]{0,80}location[ \t]+(?:(?:=|\^~)[ \t]*)?(?P<path>/\S{0,200})", re.MULTILINE),
)
_PATTERNS = {
    ".py": _PYTHON,
    **dict.fromkeys((".js", ".cjs", ".mjs", ".ts"), _JAVASCRIPT),
    ".rb": _RUBY,
    ".ru": _RUBY,
    ".php": _PHP,
    ".conf": _SETTINGS,
    "": _SETTINGS,
}
_IN_BROWSERS = frozenset({"public", "static", "assets", "dist", "www", "htdocs"})
_KNOWN_METHODS = frozenset(_METHODS.split("|"))
_PARAMETER = re.compile(
    r"<[^<>/]{0,100}>|\{[^{}/]{0,100}\}|:\w{1,60}\??|\*\w{0,60}|\(\?P<[^/]{0,99}"
)
_METHOD_LIST = re.compile(r"methods\s{0,9}=\s{0,9}[\[(]\s{0,9}[\"'](\w{1,10})")
_PLAIN = re.compile(r"/[A-Za-z0-9/_.~%?=&-]*")
_NAMED = re.compile(r"(?P<method>[A-Z]{3,7}) (?P<path>/\S*)")
_ROUTE = re.compile(r"/[^\s\\^$|\"'`]{0,300}")


@dataclass(frozen=True, slots=True)
class Route:
    """A route: ``path`` as its source writes it, with parameters; ``found_in`` names the source.

    ``method`` is `ANY` where the source does not tell; ``fields`` are names and values of a form's.
    """

    method: str
    path: str
    found_in: str
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Routes:
    """How many of the routes found were asked for, and which were not."""

    called: int
    missed: tuple[Route, ...]


def routes(scene: Scene, sources: Iterable[Entry], plan: Plan | None = None) -> Routes:
    """The routes of answers and of source files, told apart by what was asked.

    A route of a router or blueprint does not tell what it is mounted under, so a call counts for
    it if its path ends in the route's segments.
    """
    calls = tuple(_calls(scene.trace.exchanges, plan))
    found: dict[tuple[str, str], Route] = {}
    for route in (*_of_answers(scene.trace.exchanges, plan), *_of_sources(scene, sources)):
        if len(found) >= MOST_ROUTES:
            break
        shape = "/".join(_segments(route.path))
        if shape and not any(
            _same_end(shape, known) for method, known in found if method == route.method
        ):
            found[route.method, shape] = route
    missed = [route for route in found.values() if not _was_called(route, calls)]
    missed.sort(key=lambda item: (item.path, item.method))
    return Routes(len(found) - len(missed), tuple(map(_shown, missed)))


def probe_lines(missed: Sequence[Route]) -> tuple[str, ...]:
    """Lines for the ``http:`` list of a probe file, without what may end or delete something."""
    from probes.http.links import is_destructive

    lines: dict[str, None] = {}
    for route in missed:
        path = "/" + "/".join("1" if part == "*" else part for part in _segments(route.path))
        path += "/" if route.path.endswith("/") and path != "/" else ""
        query = urlsplit(route.path).query if _PLAIN.fullmatch(route.path) else ""
        target = f"{path}?{query}" if query else path
        if route.method == "DELETE" or is_destructive(Page("http", 80, target)):
            continue
        lines.setdefault(_line(route, target))
        if len(lines) >= MOST_PROBES:
            break
    return tuple(lines)


def _line(route: Route, target: str) -> str:
    method = "GET" if route.method == ANY else route.method
    if _PLAIN.fullmatch(target) and not route.fields:
        return f"- {method} {target}"
    # JSON is YAML, whatever stands in the texts.
    form = {"form": dict(route.fields)} if route.fields else {}
    return "- " + json.dumps({"method": method, "path": target.replace("{", ""), **form})


def _shown(route: Route) -> Route:
    fields = tuple((display(key), display(value)) for key, value in route.fields)
    return Route(route.method, display(route.path), display(route.found_in), fields)


def _calls(exchanges: Iterable[Exchange], plan: Plan | None) -> Iterator[tuple[str, list[str]]]:
    """Method and segments of all that was asked for."""
    if plan is not None and plan.ready.path is not None:
        yield "GET", _segments(plan.ready.path)
    for call in plan.http if plan else ():
        yield (
            call.method,
            _segments(urlsplit(call.path).path if "{" not in call.path else call.path),
        )
    for item in exchanges:
        if item.page is not None:
            yield "GET", _segments(item.page.target)
        elif named := _NAMED.match(item.name):
            yield named["method"], _segments(named["path"])


def _segments(path: str) -> list[str]:
    """The parts of a path, ``*`` for a parameter; without query and host."""
    plain = path.partition("?")[0] if "<" not in path and "(" not in path else path
    parts = [part for part in plain.strip("^$").split("/") if part]
    return ["*" if _PARAMETER.search(part) else part.rstrip("$") for part in parts]


def _was_called(route: Route, calls: Iterable[tuple[str, list[str]]]) -> bool:
    wanted = _segments(route.path)
    return any(
        route.method in (method, ANY) and _matches(wanted, segments) for method, segments in calls
    )


def _matches(wanted: Sequence[str], asked: Sequence[str]) -> bool:
    end = asked[len(asked) - len(wanted) :] if len(asked) >= len(wanted) else ()
    return bool(end) and all(
        "*" in pair or pair[0] == pair[1] for pair in zip(wanted, end, strict=True)
    )


def _same_end(shape: str, known: str) -> bool:
    return known == shape or known.endswith(f"/{shape}")


def _of_answers(exchanges: Iterable[Exchange], plan: Plan | None) -> Iterator[Route]:
    paths = {call.name: call.path for call in plan.http if call.name} if plan else {}
    answers = [item for item in exchanges if isinstance(item.answer, HttpAnswer)]
    for item in answers[:MOST_ANSWERS]:
        answer = item.answer
        assert isinstance(answer, HttpAnswer)
        named = _NAMED.match(item.name)
        target = paths.get(item.name) or (named["path"] if named else "/")
        page = item.page or Page("http", 80, target)
        if answer.content_type == "text/html":
            yield from _of_page(page, answer)
        elif "json" in answer.content_type and len(answer.body) <= LARGEST_DOCUMENT:
            yield from _of_document(page, answer.body)


def _of_page(page: Page, answer: HttpAnswer) -> Iterator[Route]:
    from probes.http.links import links

    source = f"a link of {page.target}"
    for link in links(page, answer):
        yield Route("GET", link.target, source)
    yield from _forms(page, answer)


def _forms(page: Page, answer: HttpAnswer) -> Iterator[Route]:
    """Forms that are sent by POST, with the values they stand there with."""
    from selectolax.lexbor import LexborHTMLParser

    from probes.http.urls import absolute

    tree = LexborHTMLParser(answer.body[:LARGEST_DOCUMENT].decode("utf-8", "replace"))
    for form in tree.css("form")[:MOST_FIELDS]:
        if (form.attributes.get("method") or "").strip().lower() != "post":
            continue
        target = absolute(page, form.attributes.get("action") or page.target)
        if target is None or (target.scheme, target.port) != (page.scheme, page.port):
            continue
        fields = tuple(
            (str(node.attributes["name"]), (node.attributes.get("value") or "example")[:100])
            for node in form.css("input[name], select[name], textarea[name]")[:MOST_FIELDS]
            if node.attributes.get("name") and node.attributes.get("type") not in ("file", "submit")
        )
        yield Route("POST", target.target, f"a form of {page.target}", fields)


def _of_document(page: Page, body: bytes) -> Iterator[Route]:
    """The operations of an OpenAPI document (OpenAPI 3.1, 4.8.9, and Swagger 2.0 alike)."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return
    if not isinstance(document, dict) or not {"openapi", "swagger"} & document.keys():
        return
    paths = document.get("paths")
    base = document.get("basePath")
    prefix = base.rstrip("/") if isinstance(base, str) and base.startswith("/") else ""
    for path, item in list(paths.items())[:MOST_ROUTES] if isinstance(paths, dict) else ():
        if not isinstance(item, dict) or not _ROUTE.fullmatch(f"{prefix}{path}"):
            continue
        for method in item:
            if method in _KNOWN_METHODS:
                yield Route(method.upper(), f"{prefix}{path}", f"the API document {page.target}")


def _of_sources(scene: Scene, sources: Iterable[Entry]) -> Iterator[Route]:
    left = MOST_SOURCES
    for entry in sorted(sources, key=lambda item: item.path):
        stem, dot, suffix = name(entry.path).rpartition(".")
        patterns = _PATTERNS.get(f"{dot}{suffix}" if stem else "")
        is_setting = entry.path.startswith("/etc/")
        if patterns is None or is_setting != (patterns is _SETTINGS):
            continue
        if not 0 < entry.size <= min(LARGEST_SOURCE, left) or _is_for_browsers(entry):
            continue
        left -= entry.size
        try:
            text = decoded(scene.contents.read(entry.path, LARGEST_SOURCE))
        except FileNotFoundError:
            continue
        for pattern in patterns:
            yield from _in_text(pattern, text, entry)


def _is_for_browsers(entry: Entry) -> bool:
    return entry.path.endswith("js") and bool(_IN_BROWSERS & set(entry.path.split("/")))


def _in_text(pattern: re.Pattern[str], text: str, entry: Entry) -> Iterator[Route]:
    for count, found in enumerate(pattern.finditer(text)):
        if count >= MOST_ROUTES:
            return
        groups = found.groupdict()
        path = "/" + groups["path"].lstrip("^/")
        if _ROUTE.fullmatch(path) or "(?P<" in path:
            method = _method(groups.get("method") or "", groups.get("tail") or "")
            yield Route(method, path.rstrip("$"), entry.path)


def _method(word: str, tail: str) -> str:
    listed = _METHOD_LIST.search(tail)
    if listed:
        return listed[1].upper()
    if word.lower() in _KNOWN_METHODS:
        return word.upper()
    return "GET" if word == "route" else ANY
