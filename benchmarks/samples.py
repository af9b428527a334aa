"""All sample apps, slimmed: the table of the README."""

from __future__ import annotations

from benchmarks.outcome import Cell, Outcome, Table
from benchmarks.program import REPOSITORY, Build, build, remove_images, sample_image, samples
from benchmarks.rounds import Settings, tell

COLUMNS = ("App", "Fat MB", "Slim MB", "Factor", "Seconds", "Probes alike", "User", "System calls")


def measure(settings: Settings) -> Outcome:
    """Slim each sample once; the figures are those of its report."""
    rows: list[tuple[Cell, ...]] = []
    notes: list[str] = []
    for name in samples():
        tell(f"  {name}")
        tag = f"{REPOSITORY}/{name}.slim:latest"
        try:
            done = build(sample_image(name), name, tag)
        except RuntimeError as error:
            rows.append((name, *[None] * (len(COLUMNS) - 1)))
            notes.append(str(error).strip())
            continue
        finally:
            if not settings.keep:
                remove_images(tag)
        rows.append(_row(name, done))
        if not done.good:
            notes.append(f"{name}: {done.report['status']}")
    return Outcome((Table("Sample apps", COLUMNS, tuple(rows)),), notes=tuple(notes))


def _row(name: str, done: Build) -> tuple[Cell, ...]:
    report = done.report
    exchanges = report["exchanges"]
    same = sum(item["verdict"] == "same" for item in exchanges)
    slim = report["slim"]
    return (
        name,
        report["image"]["size"] / 1e6,
        slim["size"] / 1e6 if slim else None,
        report["factor"],
        done.process.seconds,
        f"{same} of {len(exchanges)}",
        _user(report["account"]),
        len(report["seccomp"]["allowed"]),
    )


def _user(account: dict[str, object]) -> str:
    user, uid = str(account["user"]), str(account["uid"])
    return user if uid in user else f"{user} ({uid})"
