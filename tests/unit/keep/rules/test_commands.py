"""Programs that other programs start by name."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest

from probes.model import Operation
from slimpy.model import Rule
from tests.unit.keep.rules.apps import asked_by, kept
from tests.unit.keep.worlds import Thing, World, directory, elf, event, file, link, program, rules

LOADER = "/lib64/ld-linux-x86-64.so.2"
BASE = {
    LOADER: program(),
    "/bin": link("usr/bin"),
    "/usr/bin/dash": program(),
    "/usr/bin/sh": link("dash"),
    **{f"/usr/bin/{name}": program() for name in ("frob", "gzip", "sort", "ffmpeg", "gcc", "bash")},
    "/usr/bin/x86_64-linux-gnu-gcc-12": program(),
    "/usr/lib/thing/helper": program(),
    "/etc/motd": file(),
}


def named(path: str, thing: Thing, more: dict[str, Thing] | None = None) -> set[str]:
    """What is asked for because of one kept file."""
    world = World(BASE | {path: thing} | (more or {}))
    return asked_by(kept(world, Rule.COMMAND, event(path)), world, Rule.COMMAND)


def compiled(text: bytes, *imports: str) -> Thing:
    return Thing(data=elf(interpreter=LOADER, imports=imports, text=text), mode=0o755)


@pytest.mark.parametrize(
    ("text", "imports", "found"),
    [
        (b"\0/usr/bin/frob\0", ("execv",), {"/usr/bin/frob"}),
        (b"\0/bin/frob -x\0", ("posix_spawn",), {"/usr/bin/frob"}),
        (b"\0cat x | /usr/bin/frob > y\0", ("popen",), {"/usr/bin/dash", "/usr/bin/frob"}),
        (b"\0/usr/lib/thing/helper\0", ("execve",), {"/usr/lib/thing/helper"}),
        (b"\0/usr/bin/frob\0", ("puts",), set()),
        (b"\0/usr/bin/gcc\0/usr/bin/x86_64-linux-gnu-gcc-12\0", ("execv",), set()),
        (b"\0TOOL=/usr/bin/frob\0", ("execv",), set()),
        (b"\0/srv/usr/bin/frob\0", ("execv",), set()),
        (b"\0/etc/motd /usr/bin/nothing\0", ("execv",), set()),
        (b"\0frob\0sort\0", ("execvp",), set()),
        (b"\0gzip\0", ("execvp",), {"/usr/bin/gzip"}),
        (b"\0gzip\0", ("execve",), set()),
        (b"\0", ("system",), {"/usr/bin/dash"}),
        (b"\0", ("wordexp",), {"/usr/bin/dash"}),
    ],
)
def test_elf_files(text: bytes, imports: tuple[str, ...], found: set[str]) -> None:
    assert named("/app/server", compiled(text, *imports)) == found


def test_static_programs_import_nothing_and_are_searched() -> None:
    static = Thing(data=elf(text=b"\0/usr/bin/frob\0"), mode=0o755)
    assert named("/app/server", static) == {"/usr/bin/frob"}


def test_programs_of_the_same_directory_by_name() -> None:
    more = {"/opt/db/bin/worker": program(), "/opt/db/bin/other": program()}
    server = compiled(b"\0worker\0another\0", "execv")
    assert named("/opt/db/bin/server", server, more) == {"/opt/db/bin/worker"}
    assert named("/usr/bin/server", compiled(b"\0sort\0", "execv")) == set()


def test_data_of_programs_that_never_ran() -> None:
    data = {
        "/usr/share/draw/1.0/init.ps": file(),
        "/usr/share/draw/man/draw.1": file(),
        "/usr/share/draw/colours": link("../color/draw"),
        "/usr/share/draw/colours-again": link("/usr/share/draw"),
        "/usr/share/color/draw/a.icc": file(),
        "/usr/share/draw/tables": link("/var/lib/tables"),
        "/var/lib/tables/t": link("/usr/share/tables/t"),
        "/usr/share/tables/t": file(size=5 << 20),
        "/usr/share/fonts/a.ttf": file(),
        "/usr/share/heavy/x": file(size=17 << 20),
    }
    text = b"\0/usr/share/draw/1.0/lib:/usr/share/fonts\0/usr/share/heavy/x\0"
    world = World(BASE | data | {"/usr/bin/frob": compiled(text, "puts"), "/app/x.sh": file()})
    ran = kept(world, Rule.COMMAND, event("/usr/bin/frob"))
    assert asked_by(ran, world, Rule.COMMAND) == set()
    caller = World({**world.things, "/app/run": compiled(b"\0/usr/bin/frob\0", "execv")})
    fresh = kept(caller, Rule.COMMAND, event("/app/run"))
    assert asked_by(fresh, caller, Rule.COMMAND) == {
        *("/usr/bin/frob", "/usr/share/draw/1.0/init.ps", "/usr/share/color/draw/a.icc"),
    }


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/app/a.py", 'import subprocess\nsubprocess.run(["frob", x])'),
        ("/app/a.py", "import subprocess as sp\nsp.check_output(\n    [\n        'frob',\n"),
        ("/app/a.py", 'import os\nos.system("A=1 frob -x | cat")'),
        ("/app/a.py", 'import shutil\nif shutil.which("frob"): ...'),
        ("/app/a.py", "import asyncio, subprocess\nawait asyncio.create_subprocess_exec('frob')"),
        ("/app/a.py", 'import subprocess\ncommand = ["frob", name, "--fast"]'),
        ("/usr/lib/python3/dist-packages/a/b.py", 'import subprocess\nsubprocess.call(["frob"])'),
        ("/app/a.js", "const {execFile} = require('child_process'); execFile('frob', [x])"),
        ("/app/a.mjs", "import {spawn} from 'node:child_process'; spawn(`frob`)"),
        ("/app/node_modules/x/a.js", "require('child_process').exec('frob -v')"),
        ("/app/a.rb", "system('frob', path)"),
        ("/app/a.rb", "out = `frob -x`"),
        ("/app/a.rb", 'Open3.capture2e("frob")'),
        ("/app/a.php", "<?php shell_exec('frob ' . $x);"),
        ("/app/a.php", "<?php $p = new Process(['frob', $x]);"),
        ("/app/a.pl", 'system("frob", $x);'),
        ("/app/a.pl", 'open(my $in, "-|", "frob -x");'),
        ("/app/tool", '#!/usr/bin/env python3\nimport os\nos.popen("frob")'),
        ("/etc/draw/delegates.xml", '<delegate command="&quot;frob&quot; -q &quot;%o&quot;"/>'),
        ("/etc/supervisor.conf", "[program:x]\ncommand = /usr/bin/frob -n\n"),
        ("/usr/lib/systemd/x.service", "[Service]\nExecStart=-/usr/bin/frob\n"),
    ],
)
def test_source_code_and_settings(path: str, text: str) -> None:
    assert named(path, Thing(data=text.encode(), mode=0o755)) == {"/usr/bin/frob"}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/app/a.py", '# subprocess\nnames = ["frob", "sort"]\nprint("frob")'),
        ("/app/a.py", 'import subprocess\nsubprocess.run([tool, "frob"])'),
        ("/app/a.py", 'import subprocess\nsubprocess.run(["nothing-like-it"])'),
        ("/usr/lib/python3.11/uuid.py", 'import subprocess\nsubprocess.run(["frob"])'),
        ("/app/site-packages/a.py", 'import subprocess\nsubprocess.run(["gcc", "-v"])'),
        ("/app/site-packages/a.py", 'import subprocess, shutil\nshutil.which("bash")'),
        ("/app/a.rb", "# system\n# like (`frob`) or system('frob')\n"),
        ("/app/gems/a-1/a.rb", "system\nreturns = `sort`"),
        ("/app/a.js", "list.push('frob')"),
        ("/app/a.rb", 'name = "frob"\nputs name.system'),
        ("/app/a.txt", 'os.system("frob")'),
        ("/etc/a.conf", "name = frob\n"),
    ],
)
def test_other_words_are_no_programs(path: str, text: str) -> None:
    assert named(path, file(text)) == set()


def java_class(*texts: str, user: str = "java/lang/ProcessBuilder") -> bytes:
    """A class file that loads these strings, and names a class that starts programs."""
    pool, count = b"", 1
    for text in texts:
        raw = text.encode()
        pool += b"\x01" + struct.pack(">H", len(raw)) + raw + b"\x08" + struct.pack(">H", count)
        count += 2
    pool += b"\x05" + bytes(8)  # a long takes two places
    raw = user.encode()
    pool += b"\x01" + struct.pack(">H", len(raw)) + raw
    return b"\xca\xfe\xba\xbe" + struct.pack(">HHH", 0, 61, count + 3) + pool


def jar(**classes: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in classes.items():
            archive.writestr(f"{name}.class", data)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (java_class("ffmpeg"), {"/usr/bin/ffmpeg"}),
        (java_class("/usr/bin/sort", "x"), {"/usr/bin/sort"}),
        (java_class("sort"), set()),
        (java_class("ffmpeg", user="java/lang/String"), set()),
        (jar(A=java_class("frob"), B=java_class("x")), {"/usr/bin/frob"}),
    ],
)
def test_java(data: bytes, found: set[str]) -> None:
    suffix = "jar" if data.startswith(b"PK") else "class"
    assert named(f"/app/a.{suffix}", file_of(data)) == found


def file_of(data: bytes) -> Thing:
    return Thing(data=data)


@pytest.mark.parametrize(
    "data",
    [
        java_class("frob")[:40],
        b"\xca\xfe\xba\xbe" + b"\xff" * 400 + b"java/lang/ProcessBuilder",
        jar(A=java_class("frob"))[:60],
        jar(A=java_class("frob")).replace(b"\x08\x00", b"\x63\x00"),
        b"PK\x03\x04" + bytes(2000),
    ],
    ids=range(5),
)
def test_damaged_java(data: bytes) -> None:
    assert named("/app/a.jar", file_of(data)) == set()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/app/a.py", b"import subprocess\n" + b"run(" * 100_000),
        ("/app/a.py", b"import subprocess\n" + b'["a",' * 100_000),
        ("/app/a.js", b"child_process " + b"exec(" + b" " * 500_000),
        ("/app/a.pl", b"system " + b"open " * 100_000),
        ("/app/a.rb", b"system" + b"`" * 500_000),
        ("/etc/a.xml", b'command="' + b"&quot;" * 100_000),
        ("/etc/a.conf", b"command=" * 100_000),
        ("/app/a.php", b"exec(" + b"\xff" * 500_000),
    ],
)
def test_hostile_texts(path: str, text: bytes) -> None:
    assert named(path, file_of(text)) == set()


def test_what_is_named_is_told() -> None:
    world = World(
        BASE | {"/app/server": compiled(b"\0/usr/bin/frob\0", "execv"), "/x": directory()}
    )
    keep = kept(world, Rule.COMMAND, event("/app/server"))
    assert rules(keep, "/usr/bin/frob") == {Rule.COMMAND}
    assert keep.reasons["/usr/bin/frob"][0].by == "/app/server"


def test_a_program_that_was_only_looked_at_starts_nothing() -> None:
    world = World(BASE | {"/usr/bin/arch": compiled(b"\0/usr/bin/frob\0", "execv")})
    seen = event("/usr/bin/arch", Operation.STAT)
    assert asked_by(kept(world, Rule.COMMAND, seen), world, Rule.COMMAND) == set()
    caller = World({**world.things, "/app/run": compiled(b"\0/usr/bin/arch\0", "execv")})
    keep = kept(caller, Rule.COMMAND, seen, event("/app/run", Operation.EXEC))
    assert "/usr/bin/frob" in keep
