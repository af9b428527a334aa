"""Which users a container can have, by the maps of where slimpy itself runs."""

from __future__ import annotations

import pytest

from slimpy.engine.embedded.namespaces import in_namespace, same

MACHINE = "         0          0 4294967295\n"
ROOTLESS = "         0       1000          1\n         1     100000      65536\n"


def test_the_machine_s_own_namespace_is_told_from_others() -> None:
    assert not in_namespace(MACHINE)
    for text in (ROOTLESS, "0 0 65536\n", "0 100000 4294967295\n", ""):
        assert in_namespace(text)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (MACHINE, ((0, 0, 65536),)),
        (ROOTLESS, ((0, 0, 1), (1, 1, 65535))),
        ("1 100000 10\n0 1000 1\n", ((0, 0, 1), (1, 1, 10))),
        ("0 1000 1\n", ((0, 0, 1),)),
        ("0 0 10\n70000 0 10\n", ((0, 0, 10),)),
        ("", ()),
    ],
)
def test_ids_are_mapped_to_themselves(text: str, rows: tuple[tuple[int, int, int], ...]) -> None:
    assert same(text) == rows
