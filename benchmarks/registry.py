"""How fast images go into a registry and come out of it, against skopeo in the same run.

Each program is a process of its own, each push goes to a registry that is empty. The registry is
Debian's docker-registry on loopback, so this is the cost of the clients, not of a network.
`python -m benchmarks.registry push|pull FROM TO` is one case of ours.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import requests

from benchmarks.outcome import Outcome, Table
from benchmarks.program import Finished, run, sample_image
from benchmarks.rounds import Settings, interleaved, median, poll
from slimpy.image import references, sources
from slimpy.image.registry import Access, open_registry, push

SAMPLE = "bash-healthcheck"
SECONDS = 600.0
_NAME = "benchmark/app:1"
_PIECE = 1 << 20
_OURS, _SKOPEO = "slimpy", "skopeo"
_PUSHES = {"push, layers to be compressed": "archive", "push, compressed layers": "layout"}


def measure(settings: Settings) -> Outcome:
    """Push and pull a sample image, with layers that have to be compressed and with others."""
    image = sample_image(SAMPLE)
    with tempfile.TemporaryDirectory(prefix="slimpy-benchmark-") as directory:
        folder = Path(directory)
        archive, layout = folder / "image.tar", folder / "layout"
        _checked(run(["docker", "save", "-o", str(archive), image], timeout=SECONDS))
        _checked(_skopeo(f"docker-archive:{archive}", f"oci:{layout}:1"))
        places = {"archive": f"docker-archive:{archive}", "layout": f"oci:{layout}:1"}
        with _registry(folder) as host:
            _checked(_skopeo(places["layout"], f"docker://{host}/{_NAME}"))
            cases: dict[str, Callable[[], Finished]] = {
                f"{_OURS} pull": partial(_pulled, folder, host, _ours_pull),
                f"{_SKOPEO} pull": partial(_pulled, folder, host, _skopeo),
            }
            for what, place in _PUSHES.items():
                cases[f"{_OURS} {what}"] = partial(_pushed, folder, places[place], _ours_push)
                cases[f"{_SKOPEO} {what}"] = partial(_pushed, folder, places[place], _skopeo)
            found = interleaved(cases, settings.rounds(5, 3))
        sizes = archive.stat().st_size, sum(item.stat().st_size for item in layout.rglob("*"))
    rows = tuple(_row(what, found) for what in ("pull", *_PUSHES))
    title = (
        f"A registry on loopback, {image}: {sizes[0] / 1e6:.0f} MB, "
        f"compressed {sizes[1] / 1e6:.0f} MB"
    )
    columns = ("What", "Seconds", "skopeo's", "Times skopeo", "CPU s", "skopeo's CPU s", "Peak MB")
    return Outcome((Table(title, columns, rows),), ())


def _row(what: str, found: dict[str, list[Finished]]) -> tuple[str | float, ...]:
    ours, theirs = found[f"{_OURS} {what}"], found[f"{_SKOPEO} {what}"]
    seconds = [median(item.seconds for item in items) for items in (ours, theirs)]
    processor = [median(item.processor_seconds for item in items) for items in (ours, theirs)]
    peak = max(item.peak for item in ours) / 1e6
    return (what, *seconds, seconds[0] / seconds[1], *processor, peak)


def _pulled(folder: Path, host: str, copy: Callable[[str, str], Finished]) -> Finished:
    with tempfile.TemporaryDirectory(dir=folder) as destination:
        return _checked(copy(f"docker://{host}/{_NAME}", f"oci:{destination}/layout:1"))


def _pushed(folder: Path, source: str, copy: Callable[[str, str], Finished]) -> Finished:
    with _registry(folder) as host:
        return _checked(copy(source, f"docker://{host}/{_NAME}"))


def _skopeo(source: str, destination: str) -> Finished:
    plain = ("--src-tls-verify=false", "--dest-tls-verify=false")
    return run(["skopeo", "copy", "--quiet", *plain, source, destination], timeout=SECONDS)


def _ours_push(source: str, destination: str) -> Finished:
    return run([sys.executable, "-m", "benchmarks.registry", "push", source, destination])


def _ours_pull(source: str, destination: str) -> Finished:
    return run([sys.executable, "-m", "benchmarks.registry", "pull", source, destination])


def _checked(done: Finished) -> Finished:
    if done.code:
        raise RuntimeError(f"a copy failed: {done.errors.decode()}")
    return done


@contextlib.contextmanager
def _registry(folder: Path) -> Iterator[str]:
    """An empty registry; its host."""
    with tempfile.TemporaryDirectory(dir=folder) as directory:
        place = Path(directory)
        host = f"127.0.0.1:{_free_port()}"
        (place / "settings.yml").write_text(
            "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
            f"storage: {{filesystem: {{rootdirectory: {place}/data}}}}\nhttp: {{addr: '{host}'}}\n"
        )
        command = ["docker-registry", "serve", str(place / "settings.yml")]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )
        try:
            poll(partial(_answers, host), seconds=30, what="the registry answers")
            yield host
        finally:
            process.terminate()
            process.wait(30)


def _answers(host: str) -> bool:
    with contextlib.suppress(requests.ConnectionError):
        return requests.get(f"http://{host}/v2/", timeout=5).ok
    return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _pull(source: str, destination: str) -> None:
    folder = Path(destination.removeprefix("oci:").rpartition(":")[0])
    folder.mkdir()
    with open_registry(source, access=Access()) as image:
        (folder / "config").write_bytes(image.config)
        for layer in image.manifest.layers:
            with (
                image.open(layer) as blob,
                (folder / layer.digest.partition(":")[2]).open("wb") as out,
            ):
                while data := blob.read(_PIECE):
                    out.write(data)


def _push(source: str, destination: str) -> None:
    with sources.open_source(references.parse(source)) as image:
        push(image, destination, access=Access())


if __name__ == "__main__":
    {"push": _push, "pull": _pull}[sys.argv[1]](*sys.argv[2:4])
