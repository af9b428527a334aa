"""Which thresholds an image breaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from slimpy.report.text import size_text
from slimpy.xray.facts import XRay
from slimpy.xray.thresholds import Thresholds


@dataclass(frozen=True, slots=True)
class Judgement:
    """One threshold: its name as the option has it, whether the image keeps to it, and a sentence
    that says both figures.
    """

    name: str
    passed: bool
    text: str


def judged(found: XRay, bounds: Thresholds) -> tuple[Judgement, ...]:
    """How an image stands to each threshold that is given."""
    return tuple(_judged(found, bounds))


def _judged(found: XRay, bounds: Thresholds) -> Iterator[Judgement]:
    if bounds.max_size is not None:
        text = f"{size_text(found.visible_bytes)} of files, at most {size_text(bounds.max_size)}"
        yield Judgement("max-size", found.visible_bytes <= bounds.max_size, text)
    if bounds.max_waste is not None:
        text = f"{size_text(found.wasted_bytes)} wasted, at most {size_text(bounds.max_waste)}"
        yield Judgement("max-waste", found.wasted_bytes <= bounds.max_waste, text)
    if bounds.max_waste_share is not None:
        share = found.wasted_bytes / found.total_bytes if found.total_bytes else 0.0
        text = f"{share:.1%} wasted, at most {bounds.max_waste_share:.1%}"
        yield Judgement("max-waste", share <= bounds.max_waste_share, text)
    if bounds.min_efficiency is not None:
        text = f"efficiency {found.efficiency:.1%}, at least {bounds.min_efficiency:.1%}"
        yield Judgement("min-efficiency", found.efficiency >= bounds.min_efficiency, text)
    if bounds.max_layers is not None:
        count = len(found.layers)
        text = f"{count} layers, at most {bounds.max_layers}"
        yield Judgement("max-layers", count <= bounds.max_layers, text)
    yield from _forbidden(found, bounds)


def _forbidden(found: XRay, bounds: Thresholds) -> Iterator[Judgement]:
    secrets = [f"{item.kind} ({item.path})" for item in found.secrets if item.weight != "low"]
    special = [item.path for item in (*found.setuid, *found.setgid, *found.capabilities)]
    user = found.user or "not set"
    rows = (
        ("no-secrets", bounds.no_secrets, "secrets", secrets),
        ("no-root", bounds.no_root, "root", [f"USER is {user}"] if found.root else []),
        ("no-setuid", bounds.no_setuid, "setuid, setgid or capabilities", special),
        (
            "no-world-writable",
            bounds.no_world_writable,
            "writable by all",
            [item.path for item in found.world_writable],
        ),
        ("no-shell", bounds.no_shell, "shells", list(found.shells)),
        ("no-compiler", bounds.no_compiler, "compilers", list(found.compilers)),
        (
            "no-package-manager",
            bounds.no_package_manager,
            "package managers",
            list(found.managers),
        ),
    )
    for name, wanted, what, there in rows:
        if wanted:
            more = f" and {len(there) - 3:,} more" if len(there) > 3 else ""
            text = f"{what}: {', '.join(there[:3])}{more}" if there else f"{what}: none"
            yield Judgement(name, not there, text)
