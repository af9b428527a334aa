"""``docker-run.sh``: one command that starts the image with every restriction."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from slimpy.harden.forms.common import (
    LOW_PORTS,
    SECCOMP,
    comment,
    head,
    needs_low_ports,
    tmpfs,
    user,
)
from slimpy.harden.hardening import Hardening, volume_name


def script(hardening: Hardening) -> str:
    """The script, for any POSIX shell; what it is called with goes to ``docker run`` as it is."""
    lines = (" ".join(part) for part in _options(hardening))
    notes = comment(
        "",
        "More options of docker run, such as --env or --detach, can be given as arguments.",
        *_port_note(hardening),
    )
    return (
        "#!/bin/sh\n"
        + head(hardening, "Starts, with all the restrictions that it was proven under,")
        + notes
        + "set -eu\n"
        + 'here=$(CDPATH=\'\' cd -- "$(dirname -- "$0")" && pwd)\n'
        + _apparmor(hardening)
        + "exec docker run --rm \\\n    "
        + " \\\n    ".join(lines)
        + "\n"
    )


def _port_note(hardening: Hardening) -> tuple[str, ...]:
    if not hardening.ports:
        return ()
    port = hardening.ports[0]
    return (
        f"Port {port} is published as it is; PORT_{port}=9000 in the environment changes that.",
    )


def _apparmor(hardening: Hardening) -> str:
    """The profile is used where it was loaded; Docker's own applies elsewhere."""
    if not hardening.apparmor:
        return ""
    name = hardening.apparmor_name
    return (
        comment(f"AppArmor: {hardening.apparmor_state}. Used where the profile is loaded:")
        + comment('apparmor_parser --replace "$here/apparmor.profile"')
        + f"if grep -qs '^{name} ' /sys/kernel/security/apparmor/profiles; then\n"
        + f'    set -- --security-opt apparmor={name} "$@"\n'
        + "fi\n"
    )


def _options(hardening: Hardening) -> Iterator[tuple[str, ...]]:
    yield "--security-opt", f'"seccomp=$here/{SECCOMP}"'
    if hardening.no_new_privileges:
        yield "--security-opt", "no-new-privileges"
    yield "--cap-drop", "ALL"
    for name in hardening.capabilities:
        yield "--cap-add", shlex.quote(name)
    if not hardening.account.is_root:
        yield "--user", user(hardening.account)
    if hardening.read_only:
        yield ("--read-only",)
    for place in hardening.temporary:
        yield "--tmpfs", shlex.quote(tmpfs(place))
    for place in hardening.volumes:
        yield "--volume", shlex.quote(f"{hardening.name}-{volume_name(place)}:{place.path}")
    if needs_low_ports(hardening):
        yield "--sysctl", f"{LOW_PORTS}=0"
    for port in hardening.ports:
        yield "--publish", f'"${{PORT_{port}:-{port}}}:{port}"'
    yield ('"$@"',)
    yield (shlex.quote(hardening.image),)
