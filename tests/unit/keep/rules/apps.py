"""Small images with an app in them, decided on by one rule alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from probes.model import FileEvent
from slimpy.keep.decide import decide
from slimpy.keep.policy import TABLE
from slimpy.model import FileType, ImagePath, KeepSet, Level, Rule
from tests.unit.keep.worlds import Thing, World, file, program, trace_of


def debian(things: Mapping[str, Thing], *, owned: Iterable[str] = (), **config: Any) -> World:
    """An image with a package database that lists ``owned`` and one file more."""
    listed = "\n".join(("/usr/bin/true", *owned)) + "\n"
    base = {
        "/usr/bin/true": program(),
        "/var/lib/dpkg/status": file("Package: base\nArchitecture: amd64\nVersion: 1\n\n"),
        "/var/lib/dpkg/info/base.list": file(listed),
    }
    return World({**base, **things}, config)


def kept(world: World, rule: Rule, *events: FileEvent) -> KeepSet:
    """What is kept at the balanced level by that rule, and by no other of the policy table."""
    others = {policy.rule for policy in TABLE} - {rule}
    return decide(
        world.image,
        world.tree,
        trace_of(events),
        world.store,
        level=Level.BALANCED,
        disabled=others,
    )


def asked_by(keep: KeepSet, world: World, rule: Rule) -> set[str]:
    """The files and links that the rule asked for."""
    return {
        path
        for path, reasons in keep.reasons.items()
        if any(reason.rule is rule for reason in reasons) and _is_no_directory(world, path)
    }


def _is_no_directory(world: World, path: ImagePath) -> bool:
    entry = world.tree.get(path)
    return entry is not None and entry.type is not FileType.DIRECTORY
