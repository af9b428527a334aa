"""A container whose kernel settings cannot be covered does not start."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest

from slimpy.engine.embedded.inside import mounts


def failing(number: int, *, only: int = 0) -> Callable[..., None]:
    """A mount(2) that is refused; with ``only``, just where these flags are set."""

    def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
        if flags & only == only:
            raise OSError(number, os.strerror(number), target)

    return mount


def test_a_refused_mask_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "mount", failing(errno.EPERM))
    with pytest.raises(PermissionError):
        mounts._mask()


def test_a_path_that_stays_writable_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "mount", failing(errno.EPERM, only=mounts.MS_REMOUNT))
    with pytest.raises(PermissionError):
        mounts._mask()


def test_what_this_kernel_does_not_have_needs_no_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "mount", failing(errno.ENOENT))
    monkeypatch.setattr(mounts, "MASKED", ("/proc/no-such-file",))
    monkeypatch.setattr(mounts, "READ_ONLY", ("/proc/no-such-directory",))
    mounts._mask()
