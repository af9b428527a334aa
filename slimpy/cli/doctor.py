"""`slim doctor`: which engines work here, what is missing, and the command that mends it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass

import click

from slimpy.cli import configuration
from slimpy.cli.engines import VARIABLE, addressed
from slimpy.errors import EngineUnavailableError, SlimError

SCHEMA = "slimpy-doctor"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``mend`` is what to do where it does not work."""

    what: str
    works: bool
    how: str
    mend: str = ""


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(as_json: bool) -> int:
    """Tell which engines and tools work on this machine, and how to get the others.

    The exit code is 0 if an image can be slimmed here.
    """
    engines, tools = _engines(), _tools()
    used = _used(engines)
    fit = used is not None and all(item.works for item in tools)
    if as_json:
        document = {"schema": SCHEMA, "version": VERSION, "works": fit}
        rows = {"engines": engines, "tools": tools}
        found = {name: [asdict(item) for item in items] for name, items in rows.items()}
        click.echo(json.dumps({**document, **found}, indent=2))
    else:
        click.echo("\n".join(_line(item) for item in (*engines, *tools)))
        verdict = f"slim build uses {used}" if fit else "no image can be slimmed here yet"
        click.echo(f"{verdict}.")
    return 0 if fit else EngineUnavailableError.exit_code


def _used(engines: list[Finding]) -> str | None:
    """The engine of a build, chosen as `engine_for` does; None if that one does not work."""
    said = os.environ.get(VARIABLE) or configuration.load(None).engine or addressed(os.environ)
    wanted = [item for item in engines if not said or item.what == f"engine {said}"]
    return next((item.what for item in wanted if item.works), None)


def _line(item: Finding) -> str:
    mark = "yes" if item.works else "no "
    mend = f"\n{'':24}{item.mend}" if item.mend and not item.works else ""
    return f"{mark}  {item.what:<18} {item.how}{mend}"


def _engines() -> list[Finding]:
    from slimpy.engine.choice import EngineName, connected

    found = []
    for name in EngineName:
        try:
            with connected(name) as engine:
                how = f"{engine.architecture}{_details(engine)}"
                found.append(Finding(f"engine {name}", True, how))
        except SlimError as error:
            found.append(Finding(f"engine {name}", False, error.message, error.hint))
    return found


def _details(engine: object) -> str:
    from slimpy.engine.embedded.engine import EmbeddedEngine

    if isinstance(engine, EmbeddedEngine):
        notes = {
            "root": "as root",
            "own": "as root of a container",
            "ranges": "as an ordinary user with subordinate ids",
            "single": "as an ordinary user with one id: images that need other users do not run",
        }
        return f", {notes[engine.users.kind]}, images in {engine.store.directory}"
    version = getattr(engine, "version", "")
    return f", version {version}" if version else ""


def _tools() -> list[Finding]:
    from slimpy import proc
    from slimpy.engine import toolbox

    found = []
    for name, package in toolbox.PACKAGES.items():
        path = proc.find(name)
        how = path or "is not installed here; it is copied into the traced container"
        found.append(Finding(f"tool {name}", path is not None, how, f"apt-get install {package}"))
    return found
