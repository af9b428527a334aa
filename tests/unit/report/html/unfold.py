"""Reads back what the page embeds, in Python."""

from __future__ import annotations

import base64
import re
import zlib

from slimpy.report.html.page import page
from slimpy.report.schema import Report


def document(report: Report, keep, tree, owners) -> str:
    """The whole page."""
    return "".join(page(report, keep, tree, owners))


def embedded(html: str) -> str:
    """The text of the list of files."""
    (data,) = re.findall(r'<script type="application/octet-stream" id="data">([^<]*)<', html)
    return zlib.decompress(base64.b64decode(data, validate=True)).decode()


def rows(text: str) -> list[tuple[str, list[str]]]:
    """The paths of a listing with the fields behind them."""
    found, parts = [], []
    for line in text.splitlines():
        shared, rest, *fields = line.split("\t")
        parts = [*parts[: int(shared)], *rest.split("/")]
        found.append(("/" + "/".join(parts), fields))
    return found
