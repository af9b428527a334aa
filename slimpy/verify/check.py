"""Run an image under given restrictions: what differs from a free run, and what was refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from probes.errors import ProbeError
from probes.model import Activity, Plan, Trace
from slimpy.engine.observe import Observer
from slimpy.engine.protocol import Confinement, Workspace
from slimpy.errors import AppExitedError
from slimpy.model import Comparison, Image, Sameness, display
from slimpy.verify.compare import compare

_REFUSED = ("EACCES", "EPERM", "EROFS")
_VIRTUAL = ("/proc/", "/sys/", "/dev/")


@dataclass(frozen=True, slots=True)
class Checked:
    """The comparisons with the free run; ``refused`` says in sentences what was not allowed."""

    comparisons: tuple[Comparison, ...]
    refused: tuple[str, ...] = ()

    @property
    def same(self) -> int:
        """How many exchanges were answered alike."""
        return sum(item.sameness is Sameness.SAME for item in self.comparisons)

    @property
    def passed(self) -> bool:
        """Whether everything was."""
        return self.same == len(self.comparisons) > 0


def check_confined(
    workspace: Workspace, image: Image, plan: Plan, free: Trace, confinement: Confinement
) -> Checked:
    """Ask a confined run what the traced free run was asked; where it differs, find out why."""
    observer = Observer(
        workspace,
        plan,
        traced=False,
        confinement=confinement,
        replay=free.exchanges,
        ports=free.ports,
    )
    said: tuple[str, ...] = ()
    try:
        comparisons = compare(free.exchanges, observer.observe(image).exchanges)
    except (ProbeError, AppExitedError) as error:
        comparisons = compare(free.exchanges, ())
        said = (str(error), *getattr(error, "log", ())[-5:])
    checked = Checked(comparisons, said)
    if checked.passed:
        return checked
    traced = replace(observer, traced=True, confinement=replace(confinement, seccomp=None))
    try:
        seen = traced.observe(image).activity
    except ProbeError as error:
        seen = error.activity or Activity()
    except AppExitedError:
        seen = Activity()
    return replace(
        checked,
        refused=(
            *said,
            *_calls(free.activity, confinement),
            *_paths(free.activity, seen),
        ),
    )


def _calls(free: Activity, confinement: Confinement) -> Iterator[str]:
    """System calls that the free run made with success and that the profile does not allow."""
    if confinement.seccomp is None:
        return
    allowed = _allowed(json.loads(confinement.seccomp))
    for name in sorted({use.name for use in free.syscalls if "ok" in use.outcomes} - allowed):
        users = sorted({use.executable for use in free.syscalls if use.name == name})
        yield f"system call {name} is refused, which {display(', '.join(users))} needs"


def _allowed(profile: Mapping[str, Any]) -> set[str]:
    return {
        name
        for rule in profile.get("syscalls") or ()
        if rule.get("action") == "SCMP_ACT_ALLOW"
        for name in (*rule.get("names", ()), rule.get("name", ""))
    }


def _paths(free: Activity, seen: Activity) -> Iterator[str]:
    """Paths refused under the restrictions that were not refused without them."""
    usual = {(event.path, event.operation, event.error) for event in free.events}
    told = set()
    for event in seen.events:
        key = (event.path, event.operation, event.error)
        if event.error not in _REFUSED or key in usual or event.path.startswith(_VIRTUAL):
            continue
        text = (
            f"{display(event.path)}: {event.operation} by {display(event.executable)} "
            f"during {display(event.during)} was refused ({event.error})"
        )
        if text not in told:
            told.add(text)
            yield text
