"""Waiting in tests: polling with a deadline, never a fixed sleep."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(check: Callable[[], T | None], *, timeout: float) -> T:
    """The first truthy value of ``check`` within ``timeout`` seconds; fails the test otherwise."""
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    while time.monotonic() < deadline:
        if value := check():
            return value
        pause.wait(0.02)
    message = f"nothing came within {timeout} s"
    raise AssertionError(message)
