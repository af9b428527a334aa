"""`python -m benchmarks.pictures [NAME...]`: build a sample, open its report, run programs on a
terminal, and take docs/pictures/*.png.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from selenium.webdriver import Chrome
from selenium.webdriver.support.wait import WebDriverWait

from benchmarks import terminal
from benchmarks.browser import chromium, picture, prefer, resize
from benchmarks.rounds import ROOT, tell
from benchmarks.terminal import Shot

PICTURES = ROOT / "docs" / "pictures"
SAMPLE = "flask-gunicorn"
MISSING = "/srv/app/static/**"
"""What the failing build leaves out."""


@dataclass(frozen=True, slots=True)
class View:
    """One picture: which report, how the page is set up by clicks, and from where it is seen."""

    name: str
    report: str = "passed"
    scheme: str = "light"
    width: int = 1280
    height: int = 900
    clicks: tuple[str, ...] = ()
    at: str = ""


VIEWS = (
    View("report", height=1480),
    View("report-dark", scheme="dark", height=1480),
    View("report-phone", width=390, height=844),
    View("report-failed", report="failed", height=900),
    View("report-packages", clicks=("input[name=group][value=package]",), at="#map", height=980),
    View(
        "report-files",
        scheme="dark",
        clicks=("input[name=which][value=kept]", "#row-1"),
        at="#files",
        height=960,
    ),
)


IMAGE = f"slimpy-sample/{SAMPLE}"
SHOTS = (
    Shot("terminal-build", (("slim", "build", IMAGE, "--probe-file", "probe.yaml"),), columns=124),
    Shot(
        "terminal-why",
        (
            ("slim", "why", "/usr/lib/x86_64-linux-gnu/libssl.so.3"),
            ("slim", "why", "/usr/bin/perl"),
            ("slim", "restore", "/usr/bin/perl"),
        ),
        rows=90,
        columns=124,
    ),
    Shot("terminal-xray", (("slim", "xray", IMAGE, "--top", "5"),), columns=124, rows=90, last=46),
    Shot(
        "terminal-explorer",
        (("slim", "xray", IMAGE, "--interactive"),),
        columns=150,
        rows=44,
        keys=("]", "]", "v", "s", "b"),
    ),
    Shot("terminal-lint", (("slim", "lint", "Dockerfile"),), columns=124),
)
_CELL = (9.03, 19.8)  # of a character, in pixels
_EDGE = (44, 36)


def main() -> None:
    """Take all pictures, or those that are named."""
    wanted = set(sys.argv[1:])
    subprocess.run([str(ROOT / "sample_apps" / "build.sh"), SAMPLE], check=True)
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        directory = Path(name)
        _take_terminals(browser, directory, wanted)
        _take_reports(browser, directory, wanted)


def _take_terminals(browser: Chrome, directory: Path, wanted: set[str]) -> None:
    for file in ("probe.yaml", "Dockerfile"):
        shutil.copy(ROOT / "sample_apps" / SAMPLE / file, directory)
    variables = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
    variables.pop("NO_COLOR", None)
    slim = shutil.which("slim", path=str(Path(sys.executable).parent)) or "slim"
    for shot in SHOTS:
        if wanted and shot.name not in wanted:
            continue
        tell(f"  {shot.name}")
        file = directory / f"{shot.name}.html"
        text = terminal.page(shot, slim, variables, str(directory))
        file.write_text(text, encoding="utf-8")
        lines = text.partition("<pre>")[2].count("\n")  # one of them is behind the end
        prefer(browser, "dark")
        resize(
            browser,
            round(shot.columns * _CELL[0]) + _EDGE[0],
            round(lines * _CELL[1]) + _EDGE[1],
        )
        browser.get(file.as_uri())
        picture(browser, PICTURES / f"{shot.name}.png")


def _take_reports(browser: Chrome, top: Path, wanted: set[str]) -> None:
    views = [view for view in VIEWS if not wanted or view.name in wanted]
    if not views:
        return
    with tempfile.TemporaryDirectory(dir=top) as directory:
        reports = {
            "passed": _build(Path(directory) / "passed"),
            "failed": _build(
                Path(directory) / "failed",
                *("--drop", MISSING, "--repair", "0", "--tag", "slimpy-picture/failed:1"),
            ),
        }
        for view in views:
            tell(f"  {view.name}")
            _take(browser, view, reports[view.report])


def _build(directory: Path, *more: str) -> Path:
    """The page of a build; one that fails has a page, too."""
    probes = ROOT / "sample_apps" / SAMPLE / "probe.yaml"
    command = [sys.executable, "-m", "slimpy", "build", f"slimpy-sample/{SAMPLE}", "--quiet",
               "--probe-file", str(probes), "--report-dir", str(directory), *more]  # fmt: skip
    subprocess.run(command, check=False, cwd=ROOT, stdout=subprocess.DEVNULL)
    return directory / "report.html"


def _take(browser: Chrome, view: View, page: Path) -> None:
    prefer(browser, view.scheme)
    resize(browser, view.width, view.height, phone=view.width < 600)
    browser.get(page.as_uri())
    WebDriverWait(browser, 30).until(
        lambda b: b.execute_script("return document.documentElement.dataset.state === 'ready'")
    )
    for selector in view.clicks:
        browser.execute_script("document.querySelector(arguments[0]).click()", selector)
    if view.at:
        browser.execute_script(
            "document.querySelector(arguments[0]).scrollIntoView({behavior: 'instant'})", view.at
        )
    picture(browser, PICTURES / f"{view.name}.png")


if __name__ == "__main__":
    main()
