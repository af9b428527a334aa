"""Waiting, as the registry says or as we think."""

from __future__ import annotations

import pytest

from slimpy.image.registry.retries import PassingError, Retries, retry_after

NOW = "Sat, 21 Nov 2026 06:00:00 GMT"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("Sat, 21 Nov 2026 06:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 05:00:00 GMT", 0.0),
        ("", None),
        ("-7", None),
        ("soon", None),
        ("²", None),
        ("9" * 5000, 999999999.0),
    ],
)
def test_what_a_registry_says(value, seconds):
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize("date", ["", "x", "Sat, 99 Nov 2026 06:00:00 GMT"])
def test_a_moment_needs_another(date):
    assert retry_after(NOW, date) is None


def test_waits_grow_to_a_bound(clock):
    retries = Retries(attempts=12, longest=20.0, now=clock.now, pause=clock.pause)

    def never() -> None:
        message = "busy"
        raise PassingError(message)

    with pytest.raises(PassingError):
        retries.run(never)
    assert clock.waits == [0.5, 1, 2, 4, 8, 16, 20, 20, 20, 20, 20]


def test_a_wait_of_no_time_is_a_short_one(clock):
    message = "busy"
    Retries(pause=clock.pause).wait(1, PassingError(message, wait=0.0))
    assert clock.waits == [0.5]


def test_other_errors_are_not_tried_again(clock):
    def wrong() -> None:
        raise ValueError

    with pytest.raises(ValueError):
        Retries(pause=clock.pause).run(wrong)
    assert clock.waits == []


def test_an_interruption_ends_a_wait():
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    def busy() -> None:
        message = "busy"
        raise PassingError(message)

    with pytest.raises(KeyboardInterrupt):
        Retries(pause=interrupted).run(busy)
