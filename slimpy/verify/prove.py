"""Prove a slim image: pack it, run it confined with the same probes, mend what it missed.

User by user in order of preference, each with a few rounds. A round runs the image once more,
traced, and applies the narrowest widening that explains the difference: a missing path, an owner,
a system call, a capability, a writable root. What was widened is recorded and reported.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from probes.errors import ProbeError
from probes.files.recorder import merge
from probes.model import Activity, Trace
from slimpy import __version__
from slimpy.engine.observe import Observation, Observer
from slimpy.engine.protocol import Confinement, Engine, Workspace
from slimpy.engine.session import temporary_tag
from slimpy.errors import AppExitedError, EngineLostError
from slimpy.events import Stopwatch
from slimpy.harden import account as accounts
from slimpy.harden import apparmor, capabilities, seccomp, writable
from slimpy.harden.forms.common import tmpfs
from slimpy.harden.hardening import Hardening, profile_name
from slimpy.harden.identity import home_of
from slimpy.harden.ownership import home_after
from slimpy.image.spool import Spool
from slimpy.image.tree import Tree
from slimpy.keep.decide import decide
from slimpy.model import (
    Account,
    Image,
    ImagePath,
    KeepSet,
    Profile,
    Reason,
    Rule,
    Verdict,
)
from slimpy.pack.accounts import ensure_account
from slimpy.pack.archive import write_archive
from slimpy.pack.config import slim_config
from slimpy.pack.layer import Packed, write_layer
from slimpy.sbom.catalogue import survey
from slimpy.sbom.database import with_database
from slimpy.settings import BuildOptions
from slimpy.verify.causes import Causes, find_causes
from slimpy.verify.compare import compare

TOOLBOX = ("/.slimpy",)
"""What the tracer adds to the container that it watches."""
PASSWD = ImagePath("/etc/passwd")
GROUP = ImagePath("/etc/group")
_READ_ONLY = "EROFS"


@dataclass(frozen=True, slots=True)
class Original:
    """The pristine image under work, and what its run showed."""

    image: Image
    tree: Tree
    contents: Spool
    trace: Trace


@dataclass(frozen=True, slots=True)
class Round:
    """One round of mending: how many of the ``probes`` were answered ``alike`` before it, and in
    sentences the causes that it found, and mended unless the user's wishes forbid it.
    """

    number: int
    alike: int
    probes: int
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is to be proven: the kept paths, the user, and how tightly it is confined.

    ``seen`` is what traced runs of slim images did, beside the original's; ``widened`` holds one
    sentence for each thing that was added or loosened, ``rounds`` those of each round of mending.
    """

    keep: KeepSet
    account: Account
    capabilities: tuple[str, ...]
    no_new_privileges: bool
    read_only: bool
    seen: Activity = field(default_factory=Activity)
    missing: Mapping[ImagePath, tuple[Reason, ...]] = field(default_factory=dict)
    widened: tuple[str, ...] = ()
    rounds: tuple[Round, ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One slim image, and what came of its proof; ``image`` has a temporary tag until settled."""

    candidate: Candidate
    profile: Profile
    hardening: Hardening
    packed: Packed | None  # None: the original itself was confined
    image: Image
    verdict: Verdict
    observation: Observation


def keep_files(
    original: Original,
    options: BuildOptions,
    missing: Mapping[ImagePath, Iterable[Reason]] | None = None,
) -> KeepSet:
    """What ships, by the user's level and patterns, with what earlier rounds missed."""
    keep = decide(
        original.image,
        original.tree,
        original.trace,
        original.contents,
        wishes=options.wishes,
        extra=missing,
        ignore=TOOLBOX,
        level=options.level,
        disabled=options.disabled,
    )
    if not options.package_db or Rule.DATABASE in options.disabled:
        return keep
    found = survey(original.tree, original.contents, whole=())
    return with_database(original.tree, original.contents, keep, found)


@dataclass(frozen=True, slots=True)
class Prover:
    """Makes attempts on one engine until one answers like the original."""

    engine: Engine
    workspace: Workspace
    original: Original
    options: BuildOptions
    scratch: Path
    watch: Stopwatch
    missing: Mapping[ImagePath, tuple[Reason, ...]] = field(default_factory=dict)  # known before

    @contextlib.contextmanager
    def proven(self, keep: KeepSet) -> Iterator[Attempt]:
        """The first attempt that answers alike, else the best one; temporary tags go at the end."""
        made: list[str] = []
        try:
            yield self._first_good(keep, made)
        finally:
            for tag in made:
                # An engine that is gone must not hide why: the next start takes the tag away.
                with contextlib.suppress(EngineLostError):
                    self.engine.remove_tag(tag)

    def _first_good(self, keep: KeepSet, made: list[str]) -> Attempt:
        best: Attempt | None = None
        first_failure = ""
        for account in self._accounts():
            if account.is_root and first_failure:
                account = replace(account, why=f"{account.why}; as another user: {first_failure}")
            attempt = self._mended(self._candidate(keep, account), made)
            if best is None or attempt.verdict.same > best.verdict.same or attempt.verdict.passed:
                best = attempt
            if attempt.verdict.passed:
                break
            keep = attempt.candidate.keep
            first_failure = first_failure or _first_difference(attempt.verdict)
        assert best is not None
        return best

    def _accounts(self) -> tuple[Account, ...]:
        found = accounts.choose(
            self.original.image,
            self.original.tree,
            self.original.trace,
            passwd=self._small_file(PASSWD),
            group=self._small_file(GROUP),
        )
        if not self.options.root and not self.workspace.only_root:
            return found
        why = "Asked for." if self.options.root else "No other user exists where it was proven."
        return tuple(replace(item, why=why) for item in found if item.is_root) or found

    def _candidate(self, keep: KeepSet, account: Account) -> Candidate:
        """The tightest confinement that what was seen does not speak against."""
        original = self.original
        activity = original.trace.activity
        setuid = capabilities.privileged_programs(original.tree, activity)
        places = writable.compute(original.image, original.tree, keep, original.trace, account)
        reasons = [f"no-new-privileges is off: {path} changes the user" for path in setuid]
        reasons += [
            f"the root file system is writable: {path}: {why}"
            for path, why in places.impossible.items()
        ]
        return Candidate(
            keep=keep,
            account=account,
            capabilities=capabilities.candidates(activity, account),
            no_new_privileges=not setuid,
            read_only=not places.impossible,
            missing=self.missing,
            widened=tuple(reasons),
        )

    def _mended(self, candidate: Candidate, made: list[str]) -> Attempt:
        """Attempts as one user until it answers alike or nothing more can be mended."""
        attempt = self._attempt(candidate, made, 0)
        for number in range(1, self.options.repair + 1):
            if attempt.verdict.passed:
                break
            wider, causes = self._widened(attempt, number)
            attempt = replace(attempt, verdict=replace(attempt.verdict, causes=causes))
            if wider is None:
                break
            self.watch.progress.update(
                f"round {number}: mending {len(causes)} causes, such as {causes[0]}"
            )
            self.archive(attempt.image).unlink(missing_ok=True)
            attempt = self._attempt(wider, made, number)
        return attempt

    def _widened(self, attempt: Attempt, number: int) -> tuple[Candidate | None, tuple[str, ...]]:
        """The narrowest widening that explains a difference, and the causes in sentences."""
        old = attempt.candidate
        seen = self._diagnose(attempt)
        found = self._causes(old, seen, number)
        wider = replace(old, seen=merge((old.seen, seen)))
        refused = sorted(set(self._profile(wider).allowed) - set(attempt.profile.allowed))
        causes = [
            *found.sentences,
            *(f"system call not in the profile: {call}" for call in refused),
        ]
        if found:
            missing = {**old.missing, **found.missing}
            chown = tuple(sorted({*old.account.chown, *found.forbidden}))
            wider = replace(
                wider,
                missing=missing,
                keep=keep_files(self.original, self.options, missing),
                account=replace(old.account, chown=chown),
            )
            if not refused and _same_contents(wider, old):
                return None, (*causes, "that cannot be added: it must not ship, or is dropped")
        elif not refused:
            looser, cause = self._loosened(wider, seen)
            causes.append(cause)
            if looser is None:
                return None, tuple(causes)
            wider = looser
        verdict = attempt.verdict
        mended = Round(number, verdict.same, len(verdict.comparisons), tuple(causes))
        wider = replace(wider, widened=(*old.widened, *causes), rounds=(*old.rounds, mended))
        return wider, tuple(causes)

    def _causes(self, candidate: Candidate, seen: Activity, number: int) -> Causes:
        """What the slim image lacked that repacking can give it."""
        keep, account = candidate.keep, candidate.account
        return find_causes(self.original.tree, keep, account, seen, round_number=number)

    def _loosened(self, candidate: Candidate, seen: Activity) -> tuple[Candidate | None, str]:
        """One restriction less, where no path and no call explains the difference."""
        name = capabilities.next_to_try(
            seen, candidate.capabilities, normal=self.original.trace.activity
        )
        if candidate.account.is_root and name is not None:
            more = tuple(sorted({*candidate.capabilities, name}))
            return replace(candidate, capabilities=more), f"capability needed: {name}"
        if candidate.read_only:
            path = next((event.path for event in seen.events if event.error == _READ_ONLY), "")
            where = f" ({path})" if path else ""
            return replace(candidate, read_only=False), f"a read-only root is in the way{where}"
        if candidate.no_new_privileges:
            return replace(candidate, no_new_privileges=False), "no-new-privileges is in the way"
        if dropped := [item for item in candidate.keep.warnings if item.code == "drop"]:
            return None, dropped[0].text
        return None, "nothing that the slim image was refused explains the difference"

    def _profile(self, candidate: Candidate) -> Profile:
        return self._profile_with(candidate, margin=self.options.margin)

    def _profile_with(self, candidate: Candidate, *, margin: bool) -> Profile:
        activity = merge((self.original.trace.activity, candidate.seen))
        privileges = candidate.no_new_privileges
        return seccomp.profile(activity, no_new_privileges=privileges, margin=margin)

    def before_margin(self, candidate: Candidate) -> int:
        """How many system calls the profile would allow without its margin."""
        return len(self._profile_with(candidate, margin=False).allowed)

    def _attempt(self, candidate: Candidate, made: list[str], number: int) -> Attempt:
        profile = self._profile(candidate)
        packed, image = self._made(candidate, made, number)
        hardening = self._hardening(candidate, profile, image)
        with self.watch.stage("prove") as stage:
            verdict, seen = self._verdict(image, hardening)
            stage.summary = _verdict_summary(verdict, hardening)
        return Attempt(candidate, profile, hardening, packed, image, verdict, seen)

    def _made(
        self, candidate: Candidate, made: list[str], number: int
    ) -> tuple[Packed | None, Image]:
        """The slim image, under a temporary tag that is noted in ``made``."""
        with self.watch.stage("pack") as stage:
            tag = temporary_tag()
            made.append(tag)
            packed, image = self._packed(candidate, tag, number)
            layer = packed.layer
            stage.summary = f"{layer.files:,} files, {layer.content_size / 1e6:.1f} MB"
        return packed, image

    def _hardening(self, candidate: Candidate, profile: Profile, image: Image) -> Hardening:
        original = self.original
        keep, account = candidate.keep, candidate.account
        places = writable.compute(original.image, original.tree, keep, original.trace, account)
        confined = apparmor.Confined(
            name=profile_name(self.options.tag),
            tree=original.tree,
            keep=keep,
            trace=original.trace,
            writables=places,
            capabilities=candidate.capabilities,
        )
        return Hardening(
            image=self.options.tag,
            original=original.image.reference,
            config=image,
            profile=profile,
            account=account,
            capabilities=candidate.capabilities,
            no_new_privileges=candidate.no_new_privileges,
            read_only=candidate.read_only,
            writable=places.places,
            ports=original.trace.ports,
            apparmor=apparmor.text(confined),
        )

    def _packed(self, candidate: Candidate, tag: str, number: int) -> tuple[Packed, Image]:
        original = self.original
        account = candidate.account
        layer = self.scratch / f"layer-{number}-{account.uid}.tar"
        archive = self.scratch / "image.tar"
        try:
            packed = write_layer(
                original.tree,
                candidate.keep,
                account,
                original.contents,
                layer,
                replaced={**candidate.keep.rewritten, **self._accounts_files(candidate)},
            )
            labels = {"io.slimpy.version": __version__, "io.slimpy.source": original.image.id}
            config = slim_config(
                original.image, packed.layer, account, labels, ports=original.trace.ports
            )
            write_archive(packed.layer, config, tag, archive)
            image = self.engine.load(archive, tag)
            if self.options.outputs:
                archive.replace(self.archive(image))
            return packed, image
        finally:
            layer.unlink(missing_ok=True)
            archive.unlink(missing_ok=True)

    def archive(self, image: Image) -> Path:
        """Where the archive of an attempt lies while there are outputs to be made of it."""
        return self.scratch / f"{image.id.removeprefix('sha256:')}.tar"

    def _accounts_files(self, candidate: Candidate) -> dict[ImagePath, bytes]:
        """/etc/passwd and /etc/group with a line for the user, where the image has such files."""
        account = candidate.account
        if account.is_root or not {PASSWD, GROUP} <= candidate.keep.reasons.keys():
            return {}
        old = {path: self._small_file(path) for path in (PASSWD, GROUP)}
        home = home_after(
            self.original.tree, home_of(self.original.image.user, passwd=old[PASSWD]), account
        )
        passwd, group = ensure_account(old[PASSWD], old[GROUP], account.uid, account.gid, home=home)
        new = {PASSWD: passwd, GROUP: group}
        return {path: data for path, data in new.items() if data != old[path]}

    def _small_file(self, path: ImagePath) -> bytes:
        try:
            return self.original.contents.read(path, limit=1 << 20)
        except FileNotFoundError:
            return b""

    def _observer(self, confinement: Confinement, *, traced: bool) -> Observer:
        trace = self.original.trace
        return Observer(
            self.workspace,
            self.options.plan,
            traced=traced,
            confinement=confinement,
            replay=trace.exchanges,
            ports=trace.ports,
        )

    def _verdict(self, image: Image, hardening: Hardening) -> tuple[Verdict, Observation]:
        fat = self.original.trace.exchanges
        try:
            seen = self._observer(confinement_of(hardening), traced=False).observe(image)
        except (ProbeError, AppExitedError) as error:
            lines = (str(error), *getattr(error, "log", ()), *getattr(error, "details", ()))
            return Verdict(compare(fat, ()), causes=tuple(lines), started=False), Observation()
        return Verdict(compare(fat, seen.exchanges)), seen

    def _diagnose(self, attempt: Attempt) -> Activity:
        """The slim image once more, traced, confined but for the system calls: what does it look
        for in vain?
        """
        confinement = replace(confinement_of(attempt.hardening), seccomp=None)
        with self.watch.stage("diagnose"):
            try:
                return self._observer(confinement, traced=True).observe(attempt.image).activity
            except ProbeError as error:
                return error.activity or Activity()
            except AppExitedError:
                return Activity()


@dataclass(frozen=True, slots=True)
class Confiner(Prover):
    """Proves the original image itself under restrictions: nothing is packed, no owner changes."""

    def _accounts(self) -> tuple[Account, ...]:
        found = Prover._accounts(self)
        return tuple(item for item in found if item.source in ("image", "root"))

    def _made(
        self,
        candidate: Candidate,  # noqa: ARG002
        made: list[str],  # noqa: ARG002
        number: int,  # noqa: ARG002
    ) -> tuple[Packed | None, Image]:
        return None, self.original.image

    def _causes(
        self,
        candidate: Candidate,  # noqa: ARG002
        seen: Activity,  # noqa: ARG002
        number: int,  # noqa: ARG002
    ) -> Causes:
        return Causes({}, (), ())


def _same_contents(one: Candidate, other: Candidate) -> bool:
    """Whether both make the same layer."""
    return (
        one.keep.reasons.keys() == other.keep.reasons.keys()
        and one.keep.placeholders == other.keep.placeholders
        and one.account == other.account
    )


def confinement_of(hardening: Hardening) -> Confinement:
    """The restrictions as an engine takes them."""
    places = (tmpfs(place).partition(":") for place in hardening.temporary)
    return Confinement(
        seccomp=seccomp.to_json(hardening.profile),
        no_new_privileges=hardening.no_new_privileges,
        capabilities=hardening.capabilities,
        read_only=hardening.read_only,
        tmpfs={path: options for path, _, options in places},
        volumes=tuple(place.path for place in hardening.volumes),
    )


def _first_difference(verdict: Verdict) -> str:
    for item in verdict.comparisons:
        for difference in item.differences:
            return f"{item.name}: {difference}"
    return verdict.causes[0] if verdict.causes else "it did not start"


def _verdict_summary(verdict: Verdict, hardening: Hardening) -> str:
    return (
        f"{verdict.same} of {len(verdict.comparisons)} answers the same, "
        f"as {hardening.account.user or 'root'}, "
        f"{len(hardening.profile.allowed)} system calls, "
        f"{len(hardening.capabilities) or 'no'} capabilities, "
        f"{'read-only' if hardening.read_only else 'writable'} root"
    )
