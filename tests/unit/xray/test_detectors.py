"""The second opinion: what only detect-secrets knows, on few files, masked, without a network."""

from __future__ import annotations

import builtins
import socket
from typing import Any

import pytest

from slimpy.errors import UsageError
from slimpy.xray import detectors
from slimpy.xray.secrets import Weight, in_file

TWILIO = "SK" + "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
LINE = f"twilio: {TWILIO}\n".encode()


def test_it_knows_forms_that_ours_do_not() -> None:
    assert in_file("/app/config.yaml", LINE) == ()
    (found,) = detectors.opinion()("/app/config.yaml", b"# first\n" + LINE)
    assert (found.kind, found.weight, found.line) == (
        "Twilio API Key (detect-secrets)",
        Weight.HIGH,
        2,
    )
    assert TWILIO not in repr(found) and "characters" in found.masked


QUIET = {
    "/app/main.py": LINE,  # no settings
    "/app/tests.json": b'"sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f0"',
    "/app/a.env": b"PASSWORD=${FROM_OUTSIDE}",
    "/app/b.env": b"\0" + LINE,
    "/app/c.env": LINE.ljust(detectors.LARGEST + 1, b"\n"),
    "/app/long.env": b" " * 3000 + LINE,
}


@pytest.mark.parametrize("path", QUIET)
def test_it_is_silent_on(path: str) -> None:
    assert detectors.opinion()(path, QUIET[path]) == ()


def test_examples_weigh_little() -> None:
    (found,) = detectors.opinion()("/app/examples/config.yaml", LINE)
    assert found.weight is Weight.LOW


def test_all_files_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detectors, "ALTOGETHER", 2 * len(LINE))
    look = detectors.opinion()
    assert [len(look(f"/app/{n}.env", LINE)) for n in range(4)] == [1, 1, 0, 0]


def test_nothing_is_asked_of_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise AssertionError("a connection")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "create_connection", refused)
    assert detectors.opinion()("/app/.env", LINE + b"key: AKIA2E0A8F3B244C9986\n")


def test_without_the_library_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name.startswith("detect_secrets"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(UsageError) as caught:
        detectors.opinion()
    assert "slimpy[secrets]" in caught.value.hint


def test_blanks_do_not_make_it_slow() -> None:
    """A line like this costs some of its patterns half a minute."""
    line = b"token" + b" " * 1990 + b"\n"
    assert detectors.opinion()("/app/.env", line * 30) == ()
