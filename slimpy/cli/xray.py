"""`slim xray IMAGE`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slimpy.cli import configuration
from slimpy.cli.ending import errors_as_json
from slimpy.cli.engines import access_of, engine_for, engine_option
from slimpy.cli.names import IMAGE
from slimpy.cli.options import FilePath
from slimpy.engine.choice import EngineName
from slimpy.errors import ThresholdError, UsageError

if TYPE_CHECKING:
    from slimpy.image.oci import ImageSource, Platform
    from slimpy.image.registry.access import Access
    from slimpy.xray.thresholds import Thresholds

_HELP = {
    "secrets": "Break if a key, token or password lies in the image (weight medium or high).",
    "root": "Break if the image runs as root.",
    "setuid": "Break on setuid and setgid files and file capabilities.",
    "world-writable": "Break on files and directories that all may write.",
    "shell": "Break on shells.",
    "compiler": "Break on compilers.",
    "package-manager": "Break on package managers.",
}


def threshold_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the thresholds; it receives one ``bounds`` value."""

    def collected(**given: Any) -> Any:
        from slimpy.xray.thresholds import Thresholds

        size, share = given.pop("max_waste") or (None, None)
        flags = {f"no_{name.replace('-', '_')}" for name in _HELP}
        named = {name: given.pop(name) for name in ("max_size", "min_efficiency", "max_layers")}
        named |= {name: given.pop(name) for name in flags}
        bounds = Thresholds(max_waste=size, max_waste_share=share, **named)
        return command(bounds=bounds, **given)

    collected.__doc__ = command.__doc__
    collected.__dict__.update(command.__dict__)
    wrapped: Callable[..., Any] = collected
    for name in reversed(tuple(_HELP)):
        wrapped = click.option(f"--no-{name}", is_flag=True, help=_HELP[name])(wrapped)
    for option in reversed(_bounds()):
        wrapped = option(wrapped)
    return wrapped


def _read(how: str) -> Callable[[click.Context, click.Parameter, str | None], Any]:
    """A callback that reads an option's text with a function of the thresholds."""

    def read(_context: click.Context, _option: click.Parameter, text: str | None) -> Any:
        from slimpy.xray import thresholds

        try:
            return None if text is None else getattr(thresholds, how)(text)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    return read


def _bounds() -> tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...]:
    return (
        click.option(
            "--max-size",
            metavar="SIZE",
            callback=_read("size_of"),
            help="Break if the visible files are larger: 200MB, 1.5GiB.",
        ),
        click.option(
            "--max-waste",
            metavar="SIZE|N%",
            callback=_read("waste_of"),
            help="Break if more is stored without being visible.",
        ),
        click.option(
            "--min-efficiency",
            metavar="SHARE",
            callback=_read("share_of"),
            help="Break if the score is lower: 0.95 or 95%.",
        ),
        click.option(
            "--max-layers", type=click.IntRange(0), metavar="N", help="Break on more layers."
        ),
    )


@click.command("xray")
@click.argument("image", type=IMAGE)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--paths", is_flag=True, help="With --json: also every path that each layer changes.")
@click.option("--dockerfile", is_flag=True, help="Print only the Dockerfile of the history.")
@click.option(
    "--layer",
    type=click.IntRange(1),
    metavar="N",
    help="Print only what layer N changes. With --interactive: start there.",
)
@click.option(
    "-i",
    "--interactive",
    is_flag=True,
    help="Look around in the layers and files, in this terminal.",
)
@click.option(
    "--top",
    type=click.IntRange(1, 1000),
    default=10,
    show_default=True,
    metavar="N",
    help="Rows of each list.",
)
@click.option(
    "--ci",
    is_flag=True,
    help="Judge by the thresholds of slimpy.toml, [xray]; by default --min-efficiency 0.9 and"
    " --no-secrets.",
)
@threshold_options
@click.option(
    "--detect-secrets",
    "second",
    is_flag=True,
    help="Also let the library detect-secrets look into small files of settings.",
)
@click.option("--platform", metavar="OS/ARCH", help="Which image of a multi-platform one.")
@click.option(
    "--config",
    type=FilePath,
    metavar="FILE",
    help="Settings of the project, for --ci.  [default: slimpy.toml, if there is one]",
)
@click.option("--plain-http", is_flag=True, help="Talk to the registry without encryption.")
@click.option(
    "--ca-file", type=FilePath, metavar="FILE", help="Authorities to trust for registries (PEM)."
)
@engine_option
def command(
    image: str,
    as_json: bool,
    paths: bool,
    dockerfile: bool,
    layer: int | None,
    interactive: bool,
    top: int,
    ci: bool,
    bounds: Thresholds,
    second: bool,
    platform: str | None,
    config: Path | None,
    plain_http: bool,
    ca_file: Path | None,
    engine: EngineName | None,
) -> int:
    """Say what is in IMAGE and who put it there: layers, waste, leftovers, secrets, rights.

    IMAGE is a name in the engine's store, or docker-archive:FILE, oci:DIR, oci-archive:FILE,
    docker://NAME; these need no engine. A threshold that is given and broken ends with 21.
    """
    from slimpy import __version__
    from slimpy.xray import detectors, document, text
    from slimpy.xray.inspect import inspected
    from slimpy.xray.judge import judged

    with errors_as_json(as_json):
        if interactive:
            _check_interactive(as_json=as_json, dockerfile=dockerfile)
        if ci:
            bounds = _for_ci(bounds, config)
        access = access_of(plain_http=plain_http, ca_file=ca_file)
        with _source(image, engine, _platform(platform), access) as source:
            progress = _progress if sys.stderr.isatty() else _silent
            found, stack = inspected(source, progress, detectors.opinion() if second else None)
        if layer is not None and layer > len(found.layers):
            message = f"There is no layer {layer}; the image has {len(found.layers)}."
            raise UsageError(message)
    judgements = judged(found, bounds)
    if interactive:
        from slimpy.xray.interactive.app import explore

        explore(found, stack, (layer or 1) - 1)
    elif as_json:
        whole = stack if paths else None
        encoded = document.encode(__version__, found, judgements, paths=whole)
        click.echo(encoded, nl=False)
    elif dockerfile:
        click.echo(text.dockerfile(found), nl=False)
    elif layer is not None:
        text.show(text.layer_lines(found, stack, layer), colour=sys.stdout.isatty())
    else:
        text.show(text.lines(found, judgements, top), colour=sys.stdout.isatty())
    broken = [item for item in judgements if not item.passed]
    if broken:
        details = tuple(f"{item.name}: {item.text}" for item in broken)
        names = ", ".join(item.name for item in broken)
        message = f"The image {found.reference} breaks {len(broken)} thresholds: {names}."
        if len(broken) == 1:
            message = f"The image {found.reference} breaks the threshold {names}."
        raise ThresholdError(message, details=details)
    return 0


def _check_interactive(*, as_json: bool, dockerfile: bool) -> None:
    """Say at once what `--interactive` lacks, before an image is read.

    Raises:
        UsageError: the options contradict each other, there is no terminal, or no library for it.
    """
    if as_json or dockerfile:
        other = "--json" if as_json else "--dockerfile"
        message = f"--interactive shows the image in the terminal, {other} prints it."
        raise UsageError(message, hint="Give one of the two.")
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        message = "--interactive needs a terminal for its input and its output."
        raise UsageError(message, hint="Leave it out to have the result printed.")
    try:
        import textual  # noqa: F401  # only whether it is there
    except ImportError as error:
        message = "--interactive needs a library that is not installed."
        raise UsageError(message, hint="Install it: pip install 'slimpy[tui]'") from error


def _for_ci(bounds: Thresholds, config: Path | None) -> Thresholds:
    """The flags' thresholds, over the project's, over the usual ones."""
    from slimpy.xray.thresholds import CI

    project = configuration.load(config).xray
    return bounds.over(project if project is not None else CI)


def _platform(text: str | None) -> Platform | None:
    from slimpy.image import platforms

    return None if text is None else platforms.parse(text)


@contextlib.contextmanager
def _source(
    image: str, name: EngineName | None, platform: Platform | None, access: Access
) -> Iterator[ImageSource]:
    """The image, from a file or a registry without any engine, else out of an engine's store."""
    from slimpy.image.references import parse
    from slimpy.image.sources import READABLE, open_source

    reference = parse(image)
    if reference.transport in READABLE:
        with open_source(reference, platform, access=access) as source:
            yield source
        return
    from slimpy.engine.acquire import acquired
    from slimpy.engine.docker import DockerEngine
    from slimpy.engine.embedded.engine import EmbeddedEngine

    with engine_for(name, image) as engine:
        assert isinstance(engine, DockerEngine | EmbeddedEngine)  # there are no others
        with (
            acquired(engine, image, platform=platform) as found,
            engine.export(found) as source,
        ):
            yield source


def _progress(done: int, total: int) -> None:
    end = "\r\x1b[K" if done == total else f"\rreading layer {done + 1} of {total}"
    click.echo(end, err=True, nl=False)


def _silent(_done: int, _total: int) -> None:
    pass
