from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimpy.harden.identity import Identity, identify

PASSWD = b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n\nbroken\nx:y:z:1\n"
GROUP = b"root:x:0:\nweb:x:33:app\napp:x:1001:\n"


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("", Identity(0, 0)),
        ("root", Identity(0, 0)),
        ("0", Identity(0, 0)),
        (":33", Identity(0, 33)),
        ("app", Identity(1000, 1001)),
        ("1000", Identity(1000, 1001)),
        ("2000", Identity(2000, 0)),
        ("1000:1000", Identity(1000, 1000)),
        ("app:web", Identity(1000, 33)),
        ("app:7", Identity(1000, 7)),
        ("2000:web", Identity(2000, 33)),
        ("nobody", None),
        ("app:nogroup", None),
        ("-5", None),
        ("99999999999", None),
        ("4294967295", None),
        ("²", None),
    ],
)
def test_user_lines(user, expected):
    assert identify(user, passwd=PASSWD, group=GROUP) == expected


@given(st.text(), st.binary(), st.binary())
def test_hostile_tables_never_crash(user, passwd, group):
    found = identify(user, passwd=passwd, group=group)
    assert found is None or (0 <= found.uid < 2**31 and 0 <= found.gid < 2**31)
