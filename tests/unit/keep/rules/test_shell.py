"""What shell scripts name: commands, sourced files and other files, in every branch."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.model import Operation
from slimpy.keep.rules.shell_syntax import LARGEST_SCRIPT, parse
from slimpy.model import ImagePath, Rule
from tests.unit.keep.rules.apps import asked_by, kept
from tests.unit.keep.worlds import Thing, World, directory, event, file, link, program, rules

TOOLS = (
    *("alpha", "beta", "gamma", "delta", "xargs", "find", "env", "sudo", "gosu", "timeout"),
    *("sort", "cat", "printf", "test", "su", "setpriv", "chpst", "flock", "nice"),
)
BASE = {
    **{f"/usr/bin/{name}": program() for name in TOOLS},
    "/bin": link("usr/bin"),
    "/usr/bin/dash": program(),
    "/usr/bin/sh": link("dash"),
    "/usr/bin/bash": program(),
    "/opt/tool/bin/gadget": program(),
    "/opt/tool/share/table.txt": file(),
    "/etc/app/first.conf": file(),
    "/etc/app/second.conf": file(),
}

PIECES = (
    *("alpha ", "$(", ")", "`", "${x:-", "}", '"', "'", "<<E\n", "E\n", "if ", "; ", "\n", "|"),
    *("case x in ", ") ", "esac ", "((", "))", "{ ", "x=", "/a/*", "\\", "&&", "[[ ", "]] "),
)


def started(script: str, more: dict[str, Thing] | None = None, **config: object) -> set[str]:
    """What is asked for because of one entrypoint, without the entrypoint and known tools."""
    things = BASE | {"/app/start": program(f"#!/bin/sh\n{script}\n")} | (more or {})
    world = World(things, {"Entrypoint": ["/app/start"], **config})
    found = asked_by(kept(world, Rule.SHELL), world, Rule.SHELL)
    return {path.removeprefix("/usr/bin/") for path in found} - {"/app/start"}


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("alpha", {"alpha"}),
        ("if false; then alpha; elif beta; then :; else gamma; fi", {"alpha", "beta", "gamma"}),
        ("case $1 in a) alpha ;; *) beta ;; esac", {"alpha", "beta"}),
        ("while alpha; do beta; done; until gamma; do :; done", {"alpha", "beta", "gamma"}),
        ("f() { alpha; }", {"alpha"}),
        ("alpha() { beta; }; alpha", {"beta"}),
        ("x=$(alpha | beta) && `gamma`", {"alpha", "beta", "gamma"}),
        ('echo "now $(alpha)"', {"alpha"}),
        ("cat <<EOF\n$(alpha)\nEOF", {"alpha", "cat"}),
        ("cat <<'EOF'\n$(alpha)\nEOF", {"cat"}),
        ("(alpha) & { beta; }; ! gamma", {"alpha", "beta", "gamma"}),
        ("exec alpha -x", {"alpha"}),
        ("exec 2>&1 alpha", {"alpha"}),
        (">&2 alpha", {"alpha"}),
        ("command -v alpha >/dev/null && beta", {"alpha", "beta"}),
        ("A=1 B=2 alpha", {"alpha"}),
        ("env -u X A=1 alpha", {"alpha", "env"}),
        ("sudo -u www alpha", {"alpha", "sudo"}),
        ("exec gosu www:www alpha -x", {"alpha", "gosu"}),
        ("setpriv --reuid www --clear-groups -- alpha", {"alpha", "setpriv"}),
        ("chpst -u www alpha", {"alpha", "chpst"}),
        ("timeout -k 5 10 alpha", {"alpha", "timeout"}),
        ("nice -n 5 env A=1 timeout 3 alpha", {"alpha", "env", "nice", "timeout"}),
        ("cat list | xargs -n 1 -I{} alpha {}", {"alpha", "cat", "xargs"}),
        ("find . -name x -exec alpha {} + -o -execdir beta {} \\;", {"alpha", "beta", "find"}),
        ("sh -c 'alpha; sh -ec \"beta\"'", {"alpha", "beta", "dash"}),
        ("bash -lc alpha", {"alpha", "bash"}),
        ("su www -c 'alpha | beta'", {"alpha", "beta", "su"}),
        ("flock /run/lock/x -c 'alpha'", {"alpha", "flock"}),
        ('eval "alpha $1"', {"alpha"}),
        ("trap 'alpha; beta' TERM INT", {"alpha", "beta"}),
        ('run() { log "$@"; "$@"; }; run alpha', {"alpha"}),
        ('run() { sudo -u www "$@"; }; run alpha', {"alpha", "sudo"}),
        ('set -- alpha "$@"', {"alpha"}),
        ("/usr/bin/alpha; /bin/beta", {"alpha", "beta"}),
        ("tool=alpha; $tool", {"alpha"}),
        ("${TOOL:-alpha}", {"alpha"}),
        ("dir=/opt/tool; $dir/bin/gadget", {"/opt/tool/bin/gadget"}),
        ('base=/opt; tool=$base/tool; "${tool}/bin/gadget"', {"/opt/tool/bin/gadget"}),
        ("PATH=/opt/tool/bin:$PATH; gadget", {"/opt/tool/bin/gadget"}),
        ('"$UNSET_HOME/bin/alpha"', {"alpha"}),
        ("for t in alpha beta; do $t; done", {"alpha", "beta"}),
        ("tools=(alpha beta); ${tools[0]}", {"alpha", "beta"}),
        ("# alpha", set()),
        ("echo alpha; printf beta; test -n x", set()),
        ("unknown-program --help", set()),
    ],
)
def test_commands(script: str, found: set[str]) -> None:
    assert started(script) == found


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("cat /etc/app/first.conf", {"cat", "/etc/app/first.conf"}),
        ("read x </etc/app/first.conf", {"/etc/app/first.conf"}),
        ("[ -f /etc/app/second.conf ] && :", {"/etc/app/second.conf"}),
        ("x --config=/etc/app/first.conf", {"/etc/app/first.conf"}),
        ("C=/etc/app; x $C/first.conf", {"/etc/app/first.conf"}),
        ('x "/etc/app/$NAME.conf"', {"/etc/app/first.conf", "/etc/app/second.conf"}),
        ("x /etc/app/*.conf", {"/etc/app/first.conf", "/etc/app/second.conf"}),
        ("rm -f /etc/app/{first,third}.conf", {"/etc/app/first.conf"}),
        ("x -r /opt/tool/share", {"/opt/tool/share/table.txt"}),
        ("cd /opt/tool/share; x table.txt", {"/opt/tool/share/table.txt"}),
        ("D=/opt/tool/share", set()),
        ("export D=/opt/tool/share", {"/opt/tool/share/table.txt"}),
        ("D=/opt/tool/share x", {"/opt/tool/share/table.txt"}),
        ('echo "see /etc/app/first.conf for more"', set()),
        ("ls /usr/bin/* /etc/* /usr /", set()),
    ],
)
def test_files(script: str, found: set[str]) -> None:
    assert started(script) == found


def test_a_large_directory_is_not_kept_because_it_is_named() -> None:
    more = {"/opt/big/a": file(size=900_000), "/opt/big/b": file(size=900_000)}
    assert started("x /opt/big", more) == set()


@pytest.mark.parametrize(
    "line",
    [
        ". /usr/share/lib/more.sh",
        "source /usr/share/lib/more.sh",
        'lib=/usr/share/lib; . "$lib/more.sh"',
        'lib=${LIB:-/usr/share/lib}; . "$lib/more.sh"',
        ". /usr/share/lib/*.sh",
        '. "/usr/share/lib/$KIND.sh"',
        "bash /usr/share/lib/more.sh",
    ],
)
def test_sourced_files_are_read_too(line: str) -> None:
    found = started(line, {"/usr/share/lib/more.sh": file("alpha\n")})
    assert {"alpha", "/usr/share/lib/more.sh"} <= found


@pytest.mark.parametrize(
    "line",
    [
        '. "$(dirname "$0")/lib/more"',
        '. "${0%/*}/lib/more"',
        'here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd); . "$here/lib/more"',
        'here=$(dirname "$(readlink -f "$0")"); . "$here"/lib/more',
        ". ./lib/more",
    ],
)
def test_files_beside_the_script(line: str) -> None:
    assert {"alpha", "/app/lib/more"} <= started(line, {"/app/lib/more": file("alpha\n")})


def test_variables_pass_between_sourced_scripts() -> None:
    more = {
        "/app/settings.sh": file("tool=alpha\n"),
        "/app/steps.sh": file("$tool; $other\n"),
    }
    assert started(". /app/settings.sh; other=beta; . /app/steps.sh", more) >= {"alpha", "beta"}


@pytest.mark.parametrize(
    "config",
    [
        {"Healthcheck": {"Test": ["CMD-SHELL", "alpha | beta || exit 1"]}},
        {"Healthcheck": {"Test": ["CMD", "timeout", "3", "sh", "-c", "alpha; beta"]}},
        {"Cmd": ["sh", "-c", "alpha && exec beta"]},
        {"Entrypoint": ["/bin/sh", "-c", "alpha; beta"], "Cmd": []},
        {"Entrypoint": ["env", "A=1", "alpha"], "Cmd": ["beta"]},
    ],
)
def test_command_lines_of_the_configuration(config: dict[str, object]) -> None:
    world = World(BASE, config)
    found = asked_by(kept(world, Rule.SHELL), world, Rule.SHELL)
    second = set() if "A=1" in str(config) else {"/usr/bin/beta"}
    assert {"/usr/bin/alpha"} | second <= found


def test_scripts_named_by_scripts_are_read_and_keep_their_interpreter() -> None:
    world = World(
        BASE
        | {"/usr/bin/step": program("#!/bin/bash\nalpha\n"), "/app/go": program("#!/bin/sh\nstep")},
        {"Entrypoint": ["/app/go"]},
    )
    keep = kept(world, Rule.SHELL)
    assert {"/usr/bin/step", "/usr/bin/alpha", "/usr/bin/bash"} <= set(keep.reasons)


def test_a_packaged_script_that_was_only_looked_at_is_not_read() -> None:
    things = BASE | {"/usr/bin/wizard": program("#!/bin/sh\nalpha\n")}
    seen = kept(World(things), Rule.SHELL, event("/usr/bin/wizard", Operation.STAT))
    assert "/usr/bin/wizard" in seen and "/usr/bin/alpha" not in seen
    ran = kept(World(things), Rule.SHELL, event("/usr/bin/wizard", Operation.EXEC))
    assert Rule.SHELL in rules(ran, "/usr/bin/alpha")


def test_busybox_applets_keep_their_links() -> None:
    things = {
        "/bin/busybox": program(),
        "/bin/sh": link("/bin/busybox"),
        "/bin/tr": link("/bin/busybox"),
        "/bin/vi": link("/bin/busybox"),
        "/start": program("#!/bin/sh\ntr a b\n"),
    }
    keep = kept(World(things, {"Entrypoint": ["/start"]}), Rule.SHELL)
    assert {"/bin/busybox", "/bin/tr"} <= set(keep.reasons)
    assert "/bin/vi" not in keep


def test_other_scripts_and_data_are_not_read_as_shell() -> None:
    things = BASE | {
        "/app/run.py": program("#!/usr/bin/env python3\nalpha\n"),
        "/app/words.txt": file("alpha\nbeta\n"),
        "/app/go": program("#!/bin/sh\nx /app/run.py /app/words.txt"),
    }
    keep = kept(World(things, {"Entrypoint": ["/app/go"]}), Rule.SHELL)
    assert "/app/words.txt" in keep
    assert not {"/usr/bin/alpha", "/usr/bin/beta"} & set(keep.reasons)


def test_a_script_that_cannot_be_understood_is_told_and_read_as_far_as_possible() -> None:
    world = World(
        BASE | {"/app/go": program("#!/bin/sh\nalpha\nif then (((\nbeta\n")},
        {"Entrypoint": ["/app/go"]},
    )
    keep = kept(world, Rule.SHELL)
    assert [w.code for w in keep.warnings] == ["shell"]
    assert "/usr/bin/alpha" in keep


@pytest.mark.parametrize(
    "source",
    [
        b"(" * 200_000,
        b"$(" * 100_000,
        b'"$(' * 50_000,
        b"if " * 90_000,
        b"<<A " * 50_000,
        b"${" * 100_000,
        b"`" * 100_001,
        b"((case x in )) [[ ${ $( \"'<<EOF\n" * 9_000,
        b"{" + b"a," * 100_000 + b"}",
        b"x=$x$x$x$x\n" * 5_000,
        bytes(range(256)) * 500,
        b"a" * (LARGEST_SCRIPT * 2),
    ],
    ids=lambda source: repr(source[:12]),
)
def test_hostile_scripts(source: bytes) -> None:
    world = World(BASE | {"/app/go": Thing(data=b"#!/bin/sh\n" + source, mode=0o755)})
    keep = kept(world, Rule.SHELL, event("/app/go", Operation.EXEC))
    assert "/app/go" in keep


def test_values_that_multiply_are_given_up() -> None:
    doubled = "\n".join(f"v{n + 1}=$v{n}{{a,b}}$v{n}" for n in range(40))
    assert started(f"v0=/x\n{doubled}\n$v40\nalpha") == {"alpha"}


def test_what_is_behind_a_nul_byte_is_not_code() -> None:
    assert [c.words for c in parse(b"alpha\n\0beta\n").commands] == [(("alpha",),)]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(PIECES), max_size=40),
)
def test_any_text_can_be_read(pieces: list[str]) -> None:
    script = parse("".join(pieces).encode())
    assert parse("".join(pieces).encode()) == script
    for command in script.commands:
        assert command.words and all(isinstance(word, tuple) for word in command.words)


def test_directories_are_kept_by_name() -> None:
    world = World(
        BASE | {"/data/in": directory(), "/app/go": program("#!/bin/sh\nx /data/in")},
        {"Entrypoint": ["/app/go"]},
    )
    assert ImagePath("/data/in") in kept(world, Rule.SHELL).reasons
