"""The crawl's order and bounds, on sites made of a function."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from probes.http.crawl import VARIANTS, crawl
from probes.model import CrawlLimits, Exchange, HttpAnswer, NoAnswer, Page

START = Page("http", 80, "/")


def html(*hrefs: str) -> HttpAnswer:
    body = "".join(f'<a href="{href}">' for href in hrefs).encode()
    digest = hashlib.sha256(body).hexdigest()
    return HttpAnswer(200, (("content-type", "text/html"),), body, len(body), digest)


def walk(site: Callable[[str], object], known=None, **limits) -> list[str]:
    asked = []

    def ask(page: Page) -> Exchange:
        asked.append(page.target)
        found = site(page.target)
        answer, again = found if isinstance(found, tuple) else (found, found)
        return Exchange(page.target, "http", answer, again=again, page=page)

    count = crawl(START, CrawlLimits(**limits), ask, known or {})
    assert count == len(asked)
    return asked


SITE = {
    "/": html("/a", "/b"),
    "/a": html("/a1", "/"),
    "/b": html("/b1", "/a"),
    "/a1": html("/a2"),
    "/b1": html(),
    "/a2": html(),
}


def test_breadth_first_in_the_order_of_the_pages():
    assert walk(SITE.__getitem__, depth=9) == ["/", "/a", "/b", "/a1", "/b1", "/a2"]


def test_depth():
    assert walk(SITE.__getitem__, depth=0) == ["/"]
    assert walk(SITE.__getitem__, depth=1) == ["/", "/a", "/b"]


def test_pages():
    assert walk(SITE.__getitem__, depth=9, pages=3) == ["/", "/a", "/b"]
    assert walk(SITE.__getitem__, depth=9, pages=0) == []


def test_pages_that_were_asked_for_before_only_lend_their_links():
    known = {START: Exchange("GET /", "http", SITE["/"])}
    assert walk(SITE.__getitem__, known=known, depth=1) == ["/a", "/b"]


def test_a_calendar_without_end_does_not_take_all_pages():
    def site(target: str) -> HttpAnswer:
        day = int(target.partition("=")[2] or 0)
        return html(f"/?day={day + 1}", "/about") if target != "/about" else html()

    asked = walk(site, depth=1000, pages=100)
    assert "/about" in asked
    assert len(asked) == VARIANTS + 2


def test_relative_links_that_grow_without_end():
    asked = walk(lambda target: html(target.rstrip("/") + "/deeper/"), depth=1000, pages=100)
    assert len(asked) < 30


def test_links_that_change_by_themselves_are_not_followed():
    site = {"/": (html("/stay", "/token/1"), html("/stay", "/token/2")), "/stay": html()}
    assert walk(site.__getitem__, depth=2) == ["/", "/stay"]


def test_a_page_without_an_answer_ends_there():
    assert walk(lambda _: (NoAnswer("gone"), None)) == ["/"]
