"""A real browser, headless and without the network, for looking at pages as people see them."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--force-device-scale-factor=1",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


@contextlib.contextmanager
def chromium(*more: str) -> Iterator[Chrome]:
    """Chromium with an empty profile; ``more`` flags are added. Its console is recorded."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        message = "chromium and chromedriver are missing; tests/setup.sh installs them"
        raise FileNotFoundError(message)
    with tempfile.TemporaryDirectory(prefix="slimpy-browser-") as profile:
        options = Options()
        options.binary_location = program
        for flag in (*FLAGS, f"--user-data-dir={profile}", *more):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        browser = Chrome(options=options, service=Service(driver))
        try:
            yield browser
        finally:
            browser.quit()


def resize(browser: Chrome, width: int, height: int, *, phone: bool = False) -> None:
    """Give the page a view of that many pixels, as a phone would or as a desktop."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def prefer(browser: Chrome, scheme: str, media: str = "") -> None:
    """Pretend that the user prefers ``light`` or ``dark``; media ``print`` shows paper."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    settings: dict[str, Any] = {"media": media, "features": features}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", settings)


def picture(browser: Chrome, file: Path) -> None:
    """What is in view, as PNG."""
    file.parent.mkdir(parents=True, exist_ok=True)
    browser.get_screenshot_as_file(str(file))
