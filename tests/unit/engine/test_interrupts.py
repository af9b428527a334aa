"""Signals that are put off take effect once, and never in the middle."""

from __future__ import annotations

import pytest

from slimpy.engine.interrupts import Interrupts


def test_a_signal_is_raised_at_once_and_only_once():
    interrupts = Interrupts()
    with pytest.raises(KeyboardInterrupt):
        interrupts.arrive()
    interrupts.arrive()
    interrupts.check()
    assert interrupts.arrived


def test_what_is_deferred_is_done_whole():
    interrupts, done = Interrupts(), []
    with pytest.raises(KeyboardInterrupt), interrupts.deferred():
        with interrupts.deferred():
            interrupts.arrive()
            done.append("inner")
        done.append("outer")
    assert done == ["inner", "outer"]


def test_long_work_ends_where_it_says_so():
    interrupts, done = Interrupts(), []
    with pytest.raises(KeyboardInterrupt), interrupts.deferred():
        interrupts.check()
        done.append("before")
        interrupts.arrive()
        interrupts.check()
        done.append("after")
    assert done == ["before"]


def test_an_error_in_the_block_is_not_lost():
    interrupts = Interrupts()
    with pytest.raises(KeyboardInterrupt) as caught, interrupts.deferred():
        interrupts.arrive()
        raise ValueError
    assert isinstance(caught.value.__context__, ValueError)


def test_after_the_work_a_signal_comes_too_late():
    interrupts = Interrupts()
    with interrupts.deferred():
        interrupts.arrive()
        interrupts.conclude()
    interrupts.arrive()
