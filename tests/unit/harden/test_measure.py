from __future__ import annotations

from slimpy.harden.floor import floor
from slimpy.harden.measure import CASES, Case, measure
from slimpy.model import Profile


def test_every_case_is_started_under_its_own_floor():
    seen: list[tuple[Case, Profile]] = []

    def start(profile: Profile, case: Case) -> str | None:
        seen.append((case, profile))
        return None if len(seen) % 2 else "hung"

    found = measure(start, runtime="crun", times=4)
    assert [item.case for item in found] == list(CASES)
    assert {(item.starts, item.failures) for item in found} == {(4, ("hung", "hung"))}
    assert len(seen) == 4 * len(CASES) == 32
    for case, profile in seen:
        needed = floor("crun", no_new_privileges=case.no_new_privileges)
        assert needed <= set(profile.allowed)
        assert ("setresuid" in profile.allowed) is not case.no_new_privileges
