"""Stages, and what is known at each instruction."""

from __future__ import annotations

from slimpy.lint.dockerfile import parse
from slimpy.lint.stages import MOST_VARIABLES, Recipe, understand


def recipe(text: str) -> Recipe:
    return understand(parse(text))


def test_stages_and_what_ships() -> None:
    made = recipe(
        "ARG V=1\nFROM a:${V} AS One\nRUN x\nFROM b AS two\nFROM one AS three\nUSER u\nCMD c\n"
    )
    assert [(stage.name, stage.base.name, stage.base.stage) for stage in made.stages] == [
        ("one", "a:1", None),
        ("two", "b", None),
        ("three", "one", 0),
    ]
    assert [stage.name for stage in made.shipped] == ["one", "three"]
    user = made.last("USER")
    assert user is not None and user.line == 6
    assert made.last("HEALTHCHECK") is None
    assert (made.stage_named("ONE", 2), made.stage_named("1", 2), made.stage_named("2", 2)) == (
        0,
        1,
        None,
    )
    assert made.stage_named("9" * 1000, 2) is None


def test_values_follow_the_order_of_the_file() -> None:
    made = recipe(
        "ARG G=g\nFROM a AS base\nENV E=1 F=$E\nARG A=2\nWORKDIR /srv\n"
        'SHELL ["/bin/bash", "-c"]\nFROM base\nARG G\nARG E=9\nARG N\nRUN x\n'
    )
    last = made.stages[-1].steps[-1]
    assert last.values == {"E": "1", "F": None, "G": "g", "N": None}
    assert last.environment == {"E": "1", "F": None}
    assert (last.shell, last.workdir) == (("/bin/bash", "-c"), "/srv")


def test_bases_that_are_not_known() -> None:
    made = recipe("ARG A\nFROM x:$A\nFROM y:$B\nFROM z:${C:-1}\nFROM w:$TARGETARCH")
    assert [(stage.base.name, stage.base.empty) for stage in made.stages] == [
        (None, ()),
        (None, ("B",)),
        ("z:1", ()),
        (None, ()),
    ]


def test_variables_are_bounded() -> None:
    text = "".join(f"ENV A{number}=x\n" for number in range(MOST_VARIABLES * 2))
    made = recipe(f"FROM a\n{text}RUN x")
    assert len(made.stages[0].steps[-1].values) == MOST_VARIABLES


def test_no_stage() -> None:
    assert recipe("").shipped == () and recipe("RUN a").last("RUN") is None
