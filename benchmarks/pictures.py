"""`python -m benchmarks.pictures`: build a sample, open its report, take docs/pictures/*.png."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from selenium.webdriver import Chrome
from selenium.webdriver.support.wait import WebDriverWait

from benchmarks.browser import chromium, picture, prefer, resize
from benchmarks.rounds import ROOT, tell

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


def main() -> None:
    """Take all pictures."""
    subprocess.run([str(ROOT / "sample_apps" / "build.sh"), SAMPLE], check=True)
    with tempfile.TemporaryDirectory() as directory:
        reports = {
            "passed": _build(Path(directory) / "passed"),
            "failed": _build(
                Path(directory) / "failed",
                *("--drop", MISSING, "--repair", "0", "--tag", "slimpy-picture/failed:1"),
            ),
        }
        with chromium() as browser:
            for view in VIEWS:
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
