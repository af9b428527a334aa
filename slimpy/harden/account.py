"""Whom the slim image should run as: candidates, the best first, each tried by the same probes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from probes.model import Trace
from slimpy.harden.identity import MAXIMUM_ID, Identity, home_of, identify
from slimpy.harden.ownership import owned_after
from slimpy.image.tree import Tree
from slimpy.model import Account, Image, display

DEFAULT = Identity(65532, 65532)
"""The uid of distroless images' ``nonroot``: no image's own account, and above Debian's range."""


def choose(
    image: Image, tree: Tree, trace: Trace, *, passwd: bytes, group: bytes
) -> tuple[Account, ...]:
    """The accounts to try, in this order.

    1. A USER of the image that is not root stays, and is the only candidate: it can already do
       what the run did, and the slim image must not run as more.
    2. The user that the running app dropped to by itself.
    3. 65532:65532.
    4. Root, as before; the caller replaces ``why`` by what the others failed with.
    """
    own = _own(image, trace, passwd=passwd, group=group)
    if own is not None and own.uid != 0:
        why = f"The image already has USER {display(image.user)}, which is not root."
        return (Account(image.user, own.uid, own.gid, "image", why),)
    home = image.environment.get("HOME") or home_of(image.user, passwd=passwd)
    return (*_others(image, tree, trace, home), _root(image, own))


def _own(image: Image, trace: Trace, *, passwd: bytes, group: bytes) -> Identity | None:
    """What USER means. If the files do not tell, PID 1 does: the engine could start it."""
    own = identify(image.user, passwd=passwd, group=group)
    if own is None and trace.uids:
        return Identity(*trace.uids[0])
    return own


def _others(image: Image, tree: Tree, trace: Trace, home: str) -> Iterator[Account]:
    dropped = dropped_to(trace)
    if dropped is not None:
        why = f"The running app's own processes drop from root to uid {dropped.uid}."
        yield _candidate(image, tree, trace, dropped, "dropped-to", why, home)
    if dropped is None or dropped.uid != DEFAULT.uid:
        why = f"The image runs as root; uid {DEFAULT.uid} has no rights but those given here."
        yield _candidate(image, tree, trace, DEFAULT, "default", why, home)


def _candidate(
    image: Image, tree: Tree, trace: Trace, who: Identity, source: str, why: str, home: str
) -> Account:
    chown = owned_after(image, tree, trace, who, home)
    return Account(f"{who.uid}:{who.gid}", who.uid, who.gid, source, why, chown)


def _root(image: Image, own: Identity | None) -> Account:
    why = "No other user could do what the app does."
    return Account(image.user if own else "", 0, own.gid if own else 0, "root", why)


def dropped_to(trace: Trace) -> Identity | None:
    """The non-root user of the app's long-running processes, None if all of them are root's.

    PID 1 decides if it is not root's (an entrypoint that ends in gosu or su-exec); else the most
    common user of the others (a root master with workers). Where the engine could not tell who was
    alive, the user that processes last set themselves.
    """
    alive = [Identity(uid, gid) for uid, gid in trace.uids if 0 <= uid <= MAXIMUM_ID]
    if not trace.uids:
        alive = [
            Identity(process.uid, process.uid if process.gid is None else process.gid)
            for process in trace.activity.processes
            if process.uid is not None and 0 <= process.uid <= MAXIMUM_ID
        ]
    elif alive and alive[0].uid != 0:
        return alive[0]
    others = Counter(who for who in alive if who.uid != 0)
    return others.most_common(1)[0][0] if others else None
