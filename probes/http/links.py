"""The links of a page that stay with the app, from pages that may be hostile."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import urlencode, urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

from probes.http.urls import absolute
from probes.model import HttpAnswer, Page

MOST_LINKS = 1000
"""Links of one page that are looked at."""

_HTML = frozenset({"text/html", "application/xhtml+xml"})
_ATTRIBUTES = (
    ("a[href]", "href"),
    ("area[href]", "href"),
    ("iframe[src]", "src"),
    ("frame[src]", "src"),
    ("link[href]", "href"),
    ("script[src]", "src"),
    ("img[src]", "src"),
    ("source[src]", "src"),
    ("video[src]", "src"),
    ("video[poster]", "poster"),
    ("audio[src]", "src"),
    ("track[src]", "src"),
    ("embed[src]", "src"),
    ("object[data]", "data"),
    ("input[type=image][src]", "src"),
    ("[data-src]", "data-src"),
)
_CSS_LINK = re.compile(
    r"""url\(\s*(?:"([^"\n]{1,4096})"|'([^'\n]{1,4096})'|([^'")\s]{1,4096}))"""
    r"""|@import\s+(?:"([^"\n]{1,4096})"|'([^'\n]{1,4096})')""",
    re.IGNORECASE,
)
_REFRESH = re.compile(r"^[\d.\s]*[;,]\s*url\s*=\s*['\"]?([^'\"]+)", re.IGNORECASE)
_STATIC = re.compile(
    r"\.(css|js|mjs|map|png|jpe?g|gif|webp|avif|svg|ico|woff2?|ttf|otf|eot)$", re.IGNORECASE
)
_DESTRUCTIVE = re.compile(
    r"(?<![a-z])(log[-_]?(?:out|off)|sign[-_]?(?:out|off)|delete|remove|destroy|erase|purge|drop|reset|unsubscribe"
    r"|deactivate|disable|uninstall|revoke|shut[-_]?down|restart|reboot|terminate|kill)(?![a-z])",
    re.IGNORECASE,
)
_NOT_SENT = frozenset({"submit", "button", "image", "reset", "file"})


def links(page: Page, answer: HttpAnswer) -> tuple[Page, ...]:
    """Where a page leads on the same host and port: other pages first, then what they are dressed
    with.

    In the order of the page, each once, without fragments, and without links that look as if
    following them would log out or delete something.
    """
    found = (absolute(page, link) for link in _redirect(answer))
    inner = _inside(page, answer)
    kept: dict[Page, None] = {}
    for link in (*found, *inner):
        if link is None or (link.scheme, link.port) != (page.scheme, page.port):
            continue
        if not is_destructive(link):
            kept.setdefault(link)
    kept.pop(page, None)
    return tuple(kept)


def is_destructive(page: Page) -> bool:
    """Whether asking for this page may end the session or take something away; pictures and styles
    never do."""
    parts = urlsplit(page.target)
    if _STATIC.search(parts.path):
        return False
    return _DESTRUCTIVE.search(page.target) is not None


def _redirect(answer: HttpAnswer) -> Iterator[str]:
    if 300 <= answer.status < 400:
        yield from (value for name, value in answer.headers if name == "location")


def _inside(page: Page, answer: HttpAnswer) -> Iterator[Page | None]:
    if answer.content_type in _HTML:
        yield from _html(page, _text(answer))
    elif answer.content_type == "text/css":
        yield from (absolute(page, link) for link in _styles(_text(answer)))


def _text(answer: HttpAnswer) -> str:
    header = dict(answer.headers).get("content-type", "")
    found = re.search(r"charset=\"?([\w.:-]{1,40})", header, re.IGNORECASE)
    try:
        return answer.body.decode(found[1] if found else "utf-8", "replace")
    except (LookupError, UnicodeError):
        return answer.body.decode("utf-8", "replace")


def _html(page: Page, text: str) -> Iterator[Page | None]:
    tree = LexborHTMLParser(text)
    base = page
    first = tree.css_first("base[href]")
    if first is not None:
        base = absolute(page, first.attributes.get("href") or "") or _elsewhere(first, page)
    for count, link in enumerate(_all_links(tree, base)):
        if count >= MOST_LINKS:
            return
        yield link


def _elsewhere(base: LexborNode, page: Page) -> Page:
    """A base on another host takes every relative link with it: port 0 matches no page."""
    link = (base.attributes.get("href") or "").strip()
    return Page(page.scheme, 0, "/") if "//" in link else page


def _all_links(tree: LexborHTMLParser, base: Page) -> Iterator[Page | None]:
    texts = _marked(tree)
    yield from (absolute(base, link) for link in texts[:MOST_LINKS])
    for form in tree.css("form"):
        yield _form(base, form)
    yield from (absolute(base, link) for link in _srcset(tree))
    for style in tree.css("style"):
        yield from (absolute(base, link) for link in _styles(style.text()))
    for node in tree.css("[style]"):
        yield from (absolute(base, link) for link in _styles(node.attributes.get("style") or ""))


def _marked(tree: LexborHTMLParser) -> list[str]:
    """Links in plain attributes, and in a page's own refresh."""
    out = []
    for node in tree.css("meta[http-equiv=refresh i][content]"):
        found = _REFRESH.match((node.attributes.get("content") or "")[:4096])
        if found:
            out.append(found[1])
    for selector, attribute in _ATTRIBUTES:
        out.extend(node.attributes.get(attribute) or "" for node in tree.css(selector))
    return [link for link in out if link]


def _srcset(tree: LexborHTMLParser) -> Iterator[str]:
    for node in tree.css("[srcset]"):
        for candidate in (node.attributes.get("srcset") or "").split(",")[:50]:
            words = candidate.split()
            if words:
                yield words[0]


def _styles(text: str) -> Iterator[str]:
    for found in _CSS_LINK.finditer(text):
        yield next(group for group in found.groups() if group is not None)


def _form(base: Page, form: LexborNode) -> Page | None:
    """What sending a GET form as it stands would ask for (HTML, "constructing the entry list")."""
    if (form.attributes.get("method") or "get").strip().lower() != "get":
        return None
    page = absolute(base, form.attributes.get("action") or base.target)
    if page is None:
        return None
    query = urlencode(list(_entries(form)))
    path = page.target.partition("?")[0]
    return Page(page.scheme, page.port, f"{path}?{query}" if query else path)


def _entries(form: LexborNode) -> Iterable[tuple[str, str]]:
    for node in form.css("input[name], select[name], textarea[name]")[:100]:
        name = node.attributes.get("name") or ""
        if not name or "disabled" in node.attributes:
            continue
        value = _value(node)
        if value is not None:
            yield name, value[:1000].encode("utf-8", "replace").decode()


def _value(node: LexborNode) -> str | None:
    match node.tag:
        case "textarea":
            return str(node.text())
        case "select":
            option = node.css_first("option[selected]") or node.css_first("option")
            if option is None:
                return None
            value = option.attributes.get("value")
            return str(option.text()).strip() if value is None else value
        case _:
            kind = (node.attributes.get("type") or "text").lower()
            if kind in _NOT_SENT:
                return None
            if kind in ("checkbox", "radio"):
                checked = "checked" in node.attributes
                return (node.attributes.get("value") or "on") if checked else None
            return node.attributes.get("value") or ""
