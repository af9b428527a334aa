"""How long the report's page takes to write and to open in a real browser, by number of paths."""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path

from benchmarks.outcome import Outcome, Table, Target
from benchmarks.rounds import Settings, median, tell
from slimpy.image.tree import Tree
from slimpy.model import Entry, FileType, ImagePath, KeepSet, Reason, Rule
from slimpy.report.costs import costs
from slimpy.report.html.page import page
from slimpy.report.schema import (
    AccountFacts,
    Count,
    ExchangeFacts,
    HardeningFacts,
    ImageFacts,
    Report,
    SeccompFacts,
    TraceFacts,
)

PATHS = (2_000, 20_000, 70_000, 200_000)
REQUIRED = 70_000
LIMIT = 2.0
"""Seconds until the page of the required number of paths is ready."""

_KEPT_SHARE = 0.2
_PARTS = ("lib", "share", "core", "data", "python", "module", "test", "doc", "locale", "config",
          "include", "plugin", "site", "package", "index", "util", "main", "init")  # fmt: skip
_SUFFIXES = (".py", ".so.1", ".h", ".mo", ".txt", ".js", ".json", ".pyc", "", ".gz")
_RULES = (Rule.TOUCHED, Rule.LIBRARY, Rule.PYTHON, Rule.LISTED, Rule.APP)

_OPENED = """
const mark = performance.getEntriesByName("ready")[0];
const paint = performance.getEntriesByName("first-contentful-paint")[0];
return mark && paint ? [paint.startTime, mark.startTime] : null;
"""
_SEARCH = """
const field = document.getElementById("search");
const timed = (text) => {
  field.value = text;
  const begin = performance.now();
  field.dispatchEvent(new Event("input"));
  return performance.now() - begin;
};
const first = timed("lib");
return [first, timed("python mo")];
"""
_PACKAGES = """
const begin = performance.now();
document.querySelector("input[name=group][value=package]").click();
return performance.now() - begin;
"""


def measure(settings: Settings) -> Outcome:
    """Write and open pages of several sizes."""
    rows = []
    ready = 0.0
    for count in PATHS[: 3 if settings.quick else None]:
        tell(f"  {count:,} paths")
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "report.html"
            written = _write(count, file)
            found = _open(file, settings.rounds(5, 2))
            size = file.stat().st_size
        if count == REQUIRED:
            ready = found[1]
        rows.append((count, written, size / 1e6, *found))
    columns = ("Paths", "Write s", "MB", "First paint s", "Ready s", "First search ms",
               "Next search ms", "By package ms")  # fmt: skip
    return Outcome(
        (Table("The report's page in Chromium, headless, software drawing", columns, tuple(rows)),),
        (Target(f"a page of {REQUIRED:,} paths is ready", ready, LIMIT, "s"),),
    )


def made_up(count: int) -> tuple[Tree, KeepSet, dict[ImagePath, str]]:
    """An image of that many files, always the same: directories, packages, reasons."""
    dice = random.Random(count)
    directories = ["/usr", "/opt", "/srv", "/var"]
    while len(directories) < count / 12:
        name = dice.choice(_PARTS) + str(dice.randrange(1000))
        directories.append(f"{dice.choice(directories[-400:])}/{name}")
    entries, owners, reasons = {}, {}, {}
    programs = [f"/usr/bin/{name}" for name in _PARTS]
    while len(entries) < count:
        name = f"{dice.choice(_PARTS)}_{dice.choice(_PARTS)}{dice.randrange(9999)}"
        directory = dice.choice(directories)
        path = ImagePath(f"{directory}/{name}{dice.choice(_SUFFIXES)}")
        entries[path] = Entry(path, FileType.FILE, size=int(dice.lognormvariate(8, 2)))
        if dice.random() < 0.7:
            owners[path] = f"package-{hash_of(directory) % 400} 1.{hash_of(directory) % 97}-2"
        if dice.random() < _KEPT_SHARE:
            reasons[path] = tuple(
                Reason(rule, dice.choice(programs), f"open by {dice.choice(programs)}")
                for rule in dice.sample(_RULES, dice.randint(1, 4))
            )
    return Tree(entries.values()), KeepSet(reasons), owners


def hash_of(text: str) -> int:
    """A number of a text that is the same in every run."""
    return sum(ord(char) * (at + 1) for at, char in enumerate(text))


def made_up_report(tree: Tree, keep: KeepSet) -> Report:
    """A document to go with it."""
    files = [entry for entry in tree if entry.type is FileType.FILE]
    kept = [entry for entry in files if entry.path in keep]
    total, small = sum(e.size for e in files), sum(e.size for e in kept)
    return Report(
        schema="slimpy-report",
        version=1,
        slimpy="0",
        status="slimmed",
        image=ImageFacts("made-up", "sha256:0", total),
        slim=ImageFacts("made-up.slim", "sha256:1", small),
        factor=round(total / small, 2),
        kept=Count(files=len(kept), bytes=small),
        removed=Count(files=len(files) - len(kept), bytes=total - small),
        placeholders=0,
        kept_by_rule=(),
        refused={},
        trace=TraceFacts(0, 0, 0, (), 0, (), (), True),
        exchanges=tuple(
            ExchangeFacts(f"GET /{n}", "http", "same", "200", "200", ()) for n in range(50)
        ),
        causes=(),
        account=AccountFacts("app", 1000, 1000, "image", "", ()),
        seccomp=SeccompFacts(("read",), 0, (), {}, 1, ("mount",)),
        hardening=HardeningFacts((), True, True, (), "", (), ()),
        warnings=(),
        seconds={"trace": 1.0, "prove": 2.0},
        directory="",
        rule_costs=costs(tree, keep),
    )


def _write(count: int, file: Path) -> float:
    tree, keep, owners = made_up(count)
    report = made_up_report(tree, keep)
    begin = time.perf_counter()
    with file.open("w", encoding="utf-8") as opened:
        opened.writelines(page(report, keep, tree, owners))
    return time.perf_counter() - begin


def _open(file: Path, rounds: int) -> tuple[float, ...]:
    """Medians: first paint and ready in seconds, searches and packages in milliseconds."""
    from selenium.webdriver.support.wait import WebDriverWait

    from benchmarks.browser import chromium, resize

    figures: list[tuple[float, ...]] = []
    with chromium() as browser:
        resize(browser, 1280, 900)
        for _ in range(rounds):
            browser.get(file.as_uri())
            paint, ready = WebDriverWait(browser, 60).until(lambda b: b.execute_script(_OPENED))
            searches = browser.execute_script(_SEARCH)
            packages = browser.execute_script(_PACKAGES)
            figures.append((paint / 1000, ready / 1000, *searches, packages))
    return tuple(median(column) for column in zip(*figures, strict=True))
