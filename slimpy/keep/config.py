"""What the image's configuration names, and the directories that programs expect in any system."""

from __future__ import annotations

from collections.abc import Iterable

from slimpy.keep.scene import Scene, Want, whole_below
from slimpy.model import FileType, Reason, Rule, display

STATE_DIRECTORIES = ("/tmp", "/var/tmp", "/run", "/run/lock", "/var/run", "/var/lock")
"""Where programs put their state (hier(7), FHS 3.0); kept empty where the image has them."""


def configured(scene: Scene) -> Iterable[Want]:
    """Wants for programs, working directory, volumes and home of the image's configuration."""
    yield from _programs(scene)
    yield Want(scene.image.workdir, _because("WORKDIR"))
    # An engine fills a new volume with what the image has at its place.
    for volume in scene.image.volumes:
        yield from whole_below(scene, volume, _because("VOLUME"))
    yield from _home(scene)
    for directory in STATE_DIRECTORIES:
        entry = scene.entry(directory)
        if entry is not None and entry.type is FileType.DIRECTORY:
            yield Want(directory, Reason(Rule.STATE, "", "programs expect it"))


def _programs(scene: Scene) -> Iterable[Want]:
    # With an ENTRYPOINT, CMD often is the command that an entrypoint script ends with.
    health = scene.image.healthcheck
    lists = {
        "ENTRYPOINT": scene.image.entrypoint,
        "CMD": scene.image.command,
        "HEALTHCHECK": health.argv if health is not None else (),
    }
    for instruction, argv in lists.items():
        path = scene.command(argv[0]) if argv else None
        if path is not None:
            yield Want(path, _because(instruction))


def _home(scene: Scene) -> Iterable[Want]:
    user = scene.image.user.partition(":")[0] or "0"
    homes = {scene.image.environment.get("HOME", "")}
    for line in scene.text("/etc/passwd").splitlines():
        fields = line.split(":")
        if len(fields) >= 6 and user in (fields[0], fields[2]):
            homes.add(fields[5])
    for home in sorted(homes):
        entry = scene.entry(home) if home.startswith("/") else None
        if entry is not None and entry.type is FileType.DIRECTORY:
            yield Want(home, _because(f"home of user {display(user)}"))


def _because(what: str) -> Reason:
    return Reason(Rule.CONFIG, "", what)
