"""Lines for a user and a group: only where they are missing, and nothing else changes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimpy.pack.accounts import ensure_account

PASSWD = b"root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33:www:/var/www:/usr/sbin/nologin\n"
GROUP = b"root:x:0:\nwww-data:x:33:\n"


def test_missing_ids_get_lines_at_the_end() -> None:
    passwd, group = ensure_account(PASSWD, GROUP, 65532, 65533)
    assert passwd == PASSWD + b"slim:x:65532:65533:slim:/:/sbin/nologin\n"
    assert group == GROUP + b"slim:x:65533:\n"


@pytest.mark.parametrize(
    ("home", "written"), [("/root", b"/root"), ("/a:b", b"/"), ("/a\nroot::0:0::", b"/")]
)
def test_home_is_written_unless_it_would_break_the_line(home: str, written: bytes) -> None:
    passwd, _ = ensure_account(PASSWD, GROUP, 7, 7, home=home)
    assert passwd == PASSWD + b"slim:x:7:7:slim:" + written + b":/sbin/nologin\n"


@pytest.mark.parametrize("number", [0, 33])
def test_known_ids_change_nothing(number: int) -> None:
    assert ensure_account(PASSWD, GROUP, number, number) == (PASSWD, GROUP)


def test_a_known_group_of_an_unknown_user() -> None:
    passwd, group = ensure_account(PASSWD, GROUP, 1000, 33)
    assert group == GROUP
    assert passwd.endswith(b"\nslim:x:1000:33:slim:/:/sbin/nologin\n")


def test_no_files_at_all() -> None:
    passwd, group = ensure_account(b"", b"", 7, 8)
    assert (passwd, group) == (b"slim:x:7:8:slim:/:/sbin/nologin\n", b"slim:x:8:\n")


def test_a_missing_last_newline_is_added() -> None:
    passwd, _ = ensure_account(PASSWD[:-1], GROUP, 7, 7)
    assert passwd.startswith(PASSWD)


def test_a_name_that_is_taken_gets_a_number() -> None:
    taken = PASSWD + b"slim:x:5:5::/:\nslim1:x:6:6::/:\n"
    passwd, group = ensure_account(taken, GROUP + b"slim:x:5:\n", 7, 7)
    assert passwd.endswith(b"\nslim2:x:7:7:slim:/:/sbin/nologin\n")
    assert group.endswith(b"\nslim1:x:7:\n")


@pytest.mark.parametrize(
    "line",
    [
        b"", b":", b"a:x:7", b":x:7:7:::", b"#a:x:7:7:::", b"+a:x:7:7:::", b"a:x:7a:7:::",
        b"a:x:-7:7:::", b"a:x: :7:::", b"a:7:x:8:::", b"a:x:" + b"9" * 5000 + b":7:::", b"\xff:\0",
    ],
)  # fmt: skip
def test_odd_lines_are_no_accounts_and_stay(line: bytes) -> None:
    passwd, _ = ensure_account(line + b"\n" + PASSWD, GROUP, 7, 7)
    assert passwd.startswith(line + b"\n" + PASSWD)
    assert b"slim:x:7:7:" in passwd


def test_leading_zeros_are_the_same_number() -> None:
    data = b"a:x:007:00:::\n"
    assert ensure_account(data, b"a:x:00:\n", 7, 0) == (data, b"a:x:00:\n")


@pytest.mark.parametrize("name", ["", "a:b", "a\nb", "é", " "])
def test_a_name_that_would_break_the_file_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        ensure_account(PASSWD, GROUP, 7, 7, name=name)


@settings(deadline=None)
@given(st.binary(), st.binary(), st.integers(0, 2**32 - 2))
def test_doing_it_twice_is_doing_it_once(passwd: bytes, group: bytes, number: int) -> None:
    once = ensure_account(passwd, group, number, number)
    assert once[0].startswith(passwd)
    assert once[1].startswith(group)
    assert ensure_account(*once, number, number) == once
