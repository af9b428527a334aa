"""The default crawl: breadth first from a start page, on one host and port, within bounds."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping

from probes.http.links import links
from probes.model import CrawlLimits, Exchange, HttpAnswer, Page

VARIANTS = 8
"""Different query strings that are followed for one path: a calendar links to itself for ever."""

SEGMENTS = 24
"""Segments of the longest path that is followed: a broken relative link grows without end."""

Ask = Callable[[Page], Exchange]
"""Asks for one page and returns what came back, both times."""


def crawl(start: Page, limits: CrawlLimits, ask: Ask, known: Mapping[Page, Exchange]) -> int:
    """Follow the links from ``start`` in a fixed order; the number of pages asked for.

    ``known`` are pages that were already asked for: they are not asked again, only their links are
    followed.
    """
    queue = deque([(start, 0)])
    seen = {start}
    variants: Counter[str] = Counter()
    asked = 0
    while queue and asked < limits.pages:
        page, depth = queue.popleft()
        exchange = known.get(page)
        if exchange is None:
            exchange = ask(page)
            asked += 1
        if depth >= limits.depth:
            continue
        for link in _stable_links(page, exchange):
            path = link.target.partition("?")[0]
            if link in seen or path.count("/") > SEGMENTS or variants[path] >= VARIANTS:
                continue
            seen.add(link)
            variants[path] += 1
            queue.append((link, depth + 1))
    return asked


def _stable_links(page: Page, exchange: Exchange) -> tuple[Page, ...]:
    """Links that were there both times: one that changes by itself cannot be asked for again in the
    slim run."""
    if not isinstance(exchange.answer, HttpAnswer):
        return ()
    found = links(page, exchange.answer)
    if (
        not isinstance(exchange.again, HttpAnswer)
        or exchange.again.sha256 == exchange.answer.sha256
    ):
        return found
    again = frozenset(links(page, exchange.again))
    return tuple(link for link in found if link in again)
