"""Applications of the Erlang runtime in use."""

from __future__ import annotations

import random
import struct

import pytest

from slimpy.keep.rules.erlang_beam import imported_modules
from slimpy.model import Rule
from tests.unit.keep.rules.apps import asked_by, kept
from tests.unit.keep.worlds import Thing, World, elf, event, file, program

ROOT = "/usr/lib/erlang"
MACHINE = f"{ROOT}/erts-13.1/bin/beam.smp"


def beam(*modules: str, compact: bool = False) -> bytes:
    """A compiled module that calls f/0 of each of the others."""
    atoms = ["me", "f", *modules]
    table = b"".join(_length(len(atom), compact=compact) + atom.encode() for atom in atoms)
    count = struct.pack(">i", -len(atoms) if compact else len(atoms))
    imports = struct.pack(">I", len(modules)) + b"".join(
        struct.pack(">III", number, 2, 0) for number in range(3, 3 + len(modules))
    )
    body = b"BEAM" + _chunk(b"AtU8", count + table) + _chunk(b"ImpT", imports)
    return b"FOR1" + struct.pack(">I", len(body)) + body


def _length(size: int, *, compact: bool) -> bytes:
    if not compact:
        return bytes([size])
    return bytes([size << 4]) if size < 16 else bytes([size >> 8 << 5 | 8, size & 0xFF])


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack(">I", len(data)) + data + bytes(-len(data) % 4)


def application(name: str, *needs: str, at: str = f"{ROOT}/lib") -> dict[str, Thing]:
    short = name.partition("-")[0]
    home = f"{at}/{name}"
    return {
        f"{home}/ebin/{short}.app": file(
            f'{{application,{short},[{{vsn,"1"}},{{applications,[{",".join(needs)}]}}]}}.'
        ),
        f"{home}/ebin/{short}.beam": file(beam()),
        f"{home}/ebin/{short}_late.beam": file(beam()),
        f"{home}/priv/lib/{short}_nif.so": file("1"),
        f"{home}/priv/obj/{short}.o": file("1"),
        f"{home}/src/{short}.erl": file("1"),
        f"{home}/include/{short}.hrl": file("1"),
    }


def reach(things: dict[str, Thing], *opened: str) -> set[str]:
    made = World({MACHINE: program(elf(interpreter="/lib/ld.so")), **things})
    keep = kept(made, Rule.ERLANG, *map(event, (MACHINE, *opened)))
    return asked_by(keep, made, Rule.ERLANG)


def parts(name: str, at: str = f"{ROOT}/lib") -> set[str]:
    short = name.partition("-")[0]
    files = (f"ebin/{short}.app", f"ebin/{short}.beam", f"ebin/{short}_late.beam")
    return {f"{at}/{name}/{path}" for path in (*files, f"priv/lib/{short}_nif.so")}


def test_applications_in_use_and_those_that_they_need() -> None:
    things = {
        **application("kernel-9.0"),
        **application("ssl-11.0", "kernel", "crypto"),
        **application("crypto-5.4", "kernel"),
        **application("wx-2.4"),
    }
    found = reach(things, f"{ROOT}/lib/ssl-11.0/ebin/ssl.beam")
    assert found - {MACHINE} == parts("kernel-9.0") | parts("ssl-11.0") | parts("crypto-5.4")


def test_without_the_machine_nothing_is_kept() -> None:
    made = World(application("ssl-11.0"))
    keep = kept(made, Rule.ERLANG, event(f"{ROOT}/lib/ssl-11.0/ebin/ssl.beam"))
    assert not asked_by(keep, made, Rule.ERLANG)


def test_programs_and_boot_scripts_beside_the_machine() -> None:
    things = {
        f"{ROOT}/erts-13.1/bin/inet_gethost": program(),
        f"{ROOT}/erts-13.1/bin/dialyzer": program(),
        f"{ROOT}/bin/start_clean.boot": file("1"),
    }
    assert reach(things) == {
        MACHINE,
        f"{ROOT}/erts-13.1/bin/inet_gethost",
        f"{ROOT}/bin/start_clean.boot",
    }


def test_a_release_and_its_applications() -> None:
    things = {
        "/srv/releases/1.0/shop.rel": file('{release,{"shop","1"},{erts,"13"},[{shop,"1.0"}]}.'),
        "/srv/releases/1.0/sys.config": file("[]."),
        "/srv/releases/shop.tar.gz": file("1"),
        **application("shop-1.0", at="/srv/lib"),
        **application("other-1.0", at="/srv/lib"),
    }
    found = reach(things, "/srv/releases/1.0/shop.rel")
    assert parts("shop-1.0", "/srv/lib") <= found
    assert "/srv/releases/1.0/sys.config" in found
    assert not any("other" in path or path.endswith(".gz") for path in found)


@pytest.mark.parametrize("compact", [False, True])
def test_modules_that_code_of_the_app_calls(compact: bool) -> None:
    things = {
        "/srv/hello.beam": file(beam("crypto", "erlang", "crypto_late", compact=compact)),
        **application("crypto-5.4"),
    }
    assert parts("crypto-5.4") <= reach(things, "/srv/hello.beam")


def test_modules_of_the_runtime_name_others_in_vain() -> None:
    things = {**application("kernel-9.0"), **application("ssl-11.0")}
    things[f"{ROOT}/lib/kernel-9.0/ebin/kernel.beam"] = file(beam("ssl"))
    found = reach(things, f"{ROOT}/lib/kernel-9.0/ebin/kernel.beam")
    assert not any("ssl" in path for path in found)


def test_long_names_of_modules() -> None:
    long = "m" * 200
    assert imported_modules(beam(long, compact=True)) == {long}
    assert imported_modules(beam(long)) == {long}


def test_damaged_modules_are_survived() -> None:
    whole = beam("one", "two", "three")
    shuffler = random.Random(8)
    for length in range(len(whole)):
        assert imported_modules(whole[:length]) <= {"one", "two", "three", "", "o", "on", "t"} | {
            "tw",
            "th",
            "thr",
            "thre",
        }
    for _ in range(500):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[shuffler.randrange(len(damaged))] = shuffler.randrange(256)
        assert len(imported_modules(bytes(damaged))) <= 3


def test_hostile_descriptions_end() -> None:
    things = {
        "/srv/lib/a-1/ebin/a.app": file("{applications,[" + "{applications,[" * 20_000),
        "/srv/lib/a-1/ebin/a.beam": file(b"FOR1\xff\xff\xff\xffBEAMAtU8\xff\xff\xff\xff"),
        "/srv/releases/x.rel": file('{a,"' * 50_000),
    }
    assert "/srv/lib/a-1/ebin/a.beam" in reach(things, "/srv/lib/a-1/ebin/a.app")
