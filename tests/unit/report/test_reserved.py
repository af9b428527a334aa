"""A report directory that is made before the work, and goes if nothing comes of it."""

from __future__ import annotations

import pytest

from slimpy.errors import OutputError
from slimpy.report.files import reserved


def test_it_is_there_during_the_work_and_after_success(tmp_path):
    place = tmp_path / "a/b"
    with reserved(place):
        assert place.is_dir() and not list(place.iterdir())
        (place / "report.json").touch()
    assert place.is_dir()


def test_what_was_made_for_nothing_goes_again(tmp_path):
    with pytest.raises(KeyboardInterrupt), reserved(tmp_path / "a/b"):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_what_was_there_stays(tmp_path):
    old = tmp_path / "a/b"
    old.mkdir(parents=True)
    with pytest.raises(ValueError, match="no"), reserved(old):
        raise ValueError("no")
    assert old.is_dir()


def test_what_others_put_there_stays(tmp_path):
    with pytest.raises(ValueError, match="no"), reserved(tmp_path / "a/b"):
        (tmp_path / "a/other").touch()
        raise ValueError("no")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["other"]


def test_a_place_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError), reserved(tmp_path / "file/below"):
        pytest.fail("the work must not start")
