"""Writes the page: facts as plain HTML, and the list of files as data that its script unfolds."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterator, Mapping
from importlib import resources
from itertools import chain
from typing import TYPE_CHECKING

from slimpy.image.tree import Tree
from slimpy.model import ImagePath, KeepSet, display
from slimpy.report.html import listing, view, wording
from slimpy.report.html.listing import Files
from slimpy.report.schema import Report
from slimpy.report.text import size_text, title

if TYPE_CHECKING:
    from jinja2 import Template

FILE = "report.html"

SCRIPTS = ("tree.js", "treemap.js", "chart.js", "map.js", "files.js", "main.js")
"""The page's script, in the order of its parts."""

STYLES = ("style.css", "parts.css")

_HOLE = "@@FILES@@"
"""Where the list of files goes; the document cannot hold it there, as the template writes it."""


def page(
    report: Report, keep: KeepSet, tree: Tree, owners: Mapping[ImagePath, str]
) -> Iterator[str]:
    """The page in pieces. Names out of the image are escaped; the same values, the same bytes.

    Args:
        owners: path -> package.
    """
    files = Files(tree, keep, owners)
    limit = listing.cut(files)
    script, style = _script(), _joined(STYLES)
    facts = _template().render(
        report=report,
        heading=title(report),
        smaller=view.smaller(report),
        proportion=view.proportion(report),
        places=view.places(files),
        rules=view.rules(report),
        levels=view.levels(report),
        timeline=view.timeline(report),
        layers=view.layers(report),
        same=sum(item.verdict == "same" for item in report.exchanges),
        limit=limit,
        verdicts=wording.VERDICTS,
        policy=policy(script, style),
        style=_markup(style),
        script=_markup(script),
        hole=_HOLE,
    )
    before, _, after = facts.rpartition(_HOLE)
    yield before
    yield from listing.compressed(chain(_rules(), listing.lines(files, limit)))
    yield after


def policy(script: str, style: str) -> str:
    """The content security policy: nothing from anywhere, and only this script and this style."""
    return (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _rules() -> Iterator[str]:
    """The data's first lines, up to an empty one: what each rule keeps."""
    for rule, about in wording.RULES.items():
        yield f"{rule}\t{about}\n"
    yield "\n"


def _script() -> str:
    return f'(() => {{\n"use strict";\n{_joined(SCRIPTS)}}})();\n'


@functools.cache
def _joined(names: tuple[str, ...]) -> str:
    return "".join(_asset(name) for name in names)


def _asset(name: str) -> str:
    return (resources.files(__package__) / "assets" / name).read_text(encoding="utf-8")


def _markup(text: str) -> str:
    """Our own script or style, which is not escaped."""
    from markupsafe import Markup

    return Markup(text)


def _printable(value: object) -> object:
    """What the template prints, once more without control characters, whoever made it."""
    return display(value) if type(value) is str else value


@functools.cache
def _template() -> Template:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        loader=FunctionLoader(_asset),
    )
    environment.filters["size"] = size_text
    environment.filters["many"] = "{:,}".format
    environment.filters["percent"] = view.percent
    return environment.get_template("page.html")
