"""The chains of reasons that `slim why` tells."""

from __future__ import annotations

from types import MappingProxyType

from slimpy.keep.why import MOST_CHAINS, chains, explain
from slimpy.model import ImagePath, KeepSet, Reason, Rule
from tests.unit.keep.worlds import World, event, file, link, program

TOUCHED = Reason(Rule.TOUCHED, "/bin/init", "opened by /bin/init")


def keep_of(**reasons: tuple[Reason, ...]) -> KeepSet:
    """A KeepSet of paths that are single letters."""
    return KeepSet(MappingProxyType({ImagePath(f"/{p}"): why for p, why in reasons.items()}))


def paths(keep: KeepSet, path: str) -> list[str]:
    return ["".join(link.path[1:] for link in chain) for chain in chains(keep, ImagePath(path))]


def needs(by: str) -> Reason:
    return Reason(Rule.LIBRARY, f"/{by}", "needed")


def test_the_shortest_chain_comes_first() -> None:
    keep = keep_of(
        a=(needs("b"), needs("d")), b=(needs("c"),), c=(TOUCHED,), d=(TOUCHED,), e=(needs("a"),)
    )
    assert paths(keep, "/a") == ["ad", "abc"]
    assert paths(keep, "/e") == ["ead"]


def test_circles_end_and_only_count_where_there_is_nothing_else() -> None:
    keep = keep_of(a=(needs("b"), TOUCHED), b=(needs("a"), needs("b")), c=(needs("c"),))
    assert paths(keep, "/a") == ["a"]
    assert paths(keep, "/b") == ["ba"]
    assert paths(keep, "/c") == ["c"]


def test_a_reason_by_something_that_is_not_kept_ends_the_chain() -> None:
    assert paths(keep_of(a=(Reason(Rule.LIBRARY, "/gone", "needed"),)), "/a") == ["a"]


def test_a_library_of_thousands_tells_few_chains() -> None:
    users = {chr(0x4E00 + n): (TOUCHED,) for n in range(3000)}
    keep = keep_of(a=tuple(needs(user) for user in users), **users)
    assert len(chains(keep, ImagePath("/a"))) == MOST_CHAINS


def test_the_words_lead_from_a_library_to_the_run() -> None:
    world = World(
        {"/app": link("srv/v1"), "/srv/v1/run": program("#!/bin/sh"), "/bin/sh": program()}
    )
    keep = world.decide(event("/app/run", by="/sbin/init"))
    assert explain(keep, ImagePath("/bin/sh")) == (
        "/bin/sh is kept whole:",
        "  script-interpreter: #!/bin/sh (/srv/v1/run)",
        "    /srv/v1/run: touched: opened by /sbin/init during GET /",
    )
    assert explain(keep, ImagePath("/srv")) == (
        "/srv is kept whole:",
        "  parent: holds /srv/v1 (/srv/v1)",
        "    /srv/v1: parent: holds /srv/v1/run (/srv/v1/run)",
        "      /srv/v1/run: touched: opened by /sbin/init during GET /",
    )
    assert explain(keep, ImagePath("/app"))[1:] == (
        "  link: leads to /srv/v1/run (/srv/v1/run)",
        "    /srv/v1/run: touched: opened by /sbin/init during GET /",
    )


def test_refused_stood_in_and_unknown_paths_say_so() -> None:
    world = World({"/etc/hosts": file(), "/data/link": link("x"), "/data/x": file(size=1 << 30)})
    keep = world.decide(event("/etc/hosts"), changed=("/data/link",))
    assert "refused" in explain(keep, ImagePath("/etc/hosts"))[0]
    assert "name only" in explain(keep, ImagePath("/data/x"))[0]
    assert explain(keep, ImagePath("/nothing")) == ()
