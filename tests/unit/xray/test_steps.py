"""The steps that made an image: which made a layer, and what may be told of them."""

from __future__ import annotations

import pytest

from slimpy.engine.protocol import HistoryEntry
from slimpy.xray.steps import LONGEST, steps

NOP = "/bin/sh -c #(nop) "
RUN = "/bin/sh -c "


def docker(*said: tuple[str, int]) -> list[HistoryEntry]:
    """Steps as Docker's API tells them: bytes, but not whether there is a layer."""
    return [HistoryEntry(text, size=size) for text, size in said]


def told(entries: list[HistoryEntry], layers: int) -> list[tuple[int, bool | None]]:
    return [(step.layer, step.empty) for step in steps(entries, layers)]


def test_what_the_configuration_says_is_taken() -> None:
    entries = [
        HistoryEntry("COPY a /a # buildkit", size=0, empty=False, created="2026-01-02T03:04:05Z"),
        HistoryEntry("ENV A=b", size=0, empty=True),
        HistoryEntry("RUN /bin/sh -c make # buildkit", size=None, empty=False),
    ]
    found = steps(entries, 2)
    assert [step.instruction for step in found] == ["COPY a /a", "ENV A=b", "RUN make"]
    assert [(step.layer, step.empty) for step in found] == [(1, False), (0, True), (2, False)]
    assert [step.bytes for step in found] == [0, 0, None]
    assert found[0].created == "2026-01-02T03:04:05Z"


@pytest.mark.parametrize("layers", [1, 3])
def test_a_history_of_another_number_of_layers_numbers_none(layers: int) -> None:
    entries = [HistoryEntry("COPY a b", empty=False), HistoryEntry("COPY c d", empty=False)]
    assert told(entries, layers) == [(0, False), (0, False)]


def test_steps_with_bytes_are_the_layers_if_their_number_fits() -> None:
    entries = docker((f"{NOP}ADD file:x in /", 9), (f"{RUN}true", 0), (f"{RUN}make", 5))
    assert told(entries, 2) == [(1, False), (0, True), (2, False)]


def test_a_run_without_bytes_made_a_layer_if_it_is_one_more() -> None:
    said = ((f"{NOP}ADD file:x in /", 9), (f"{RUN}mkdir /x", 0), (f"{NOP}WORKDIR /y", 0))
    assert told(docker(*said), 2) == [(1, False), (2, False), (0, True)]
    assert told(docker(*said), 3) == [(1, False), (2, False), (3, False)]


def test_what_cannot_be_concluded_is_unknown() -> None:
    said = ((f"{RUN}a", 9), (f"{RUN}b", 0), (f"{RUN}c", 0), (f"{NOP}CMD x", 0))
    assert told(docker(*said), 2) == [(0, False), (0, None), (0, None), (0, None)]


def test_secrets_and_build_arguments_are_not_told() -> None:
    secret = "hunter2-Zx81-correct-horse"
    entries = docker(
        (f"|1 PASSWORD={secret} /bin/sh -c make install", 1),
        (f"{NOP} ENV DB_PASSWORD={secret}", 0),
        (f"{RUN}curl ftp://me:{secret}@host.example/x", 1),
    )
    found = steps(entries, 2)
    assert found[0].instruction == "RUN make install"
    assert found[1].instruction.startswith("ENV DB_PASSWORD=***")
    assert all(secret not in step.instruction for step in found)


def test_hostile_texts_are_shown_safely_and_cut() -> None:
    evil = HistoryEntry("RUN \x1b[31m\u202e\udcff", created="\x1b" * 99, empty=False)
    long = HistoryEntry("RUN " + "x" * 2 * LONGEST, empty=False)
    found = steps([evil, long], 2)
    assert found[0].instruction.isprintable() and found[0].created.isprintable()
    assert len(found[0].created) < 300
    assert len(found[1].instruction) == LONGEST + 1 and found[1].instruction.endswith("…")


def test_no_history_is_no_steps() -> None:
    assert steps([], 3) == ()
