"""What a Python source file imports and names."""

from __future__ import annotations

import ast
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import slimpy
from slimpy.keep.rules import python_binary, python_commands
from slimpy.keep.rules.python_source import LONGEST_SOURCE, MOST_STRINGS, Import, read


def modules(source: str, *, main: bool = False) -> set[str]:
    return {"." * i.level + i.module for i in read(source.encode(), main=main).imports}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import a", [Import("a")]),
        ("import a.b as c, d", [Import("a.b"), Import("d")]),
        ("from a.b import c as d, e", [Import("a.b", 0, ("c", "e"))]),
        ("from a import (\n  b,  # one\n  c,\n)\nx = 1", [Import("a", 0, ("b", "c"))]),
        ("from a import b, \\\n    c", [Import("a", 0, ("b", "c"))]),
        ("from . import a", [Import("", 1, ("a",))]),
        ("from .. a . b import *", [Import("a.b", 2, ("*",))]),
        ("from .importer import x", [Import("importer", 1, ("x",))]),
        ("def f():\n    import a", [Import("a", late=True)]),
        (
            "try: import a\nexcept ImportError: import b",
            [Import("a", late=True), Import("b", late=True)],
        ),
        ("if x: import a; import b", [Import("a", late=True), Import("b", late=True)]),
        ("x = 1; import a", [Import("a")]),
        ("importer = 1\nimport_a = 2\nfrom_x = 3", []),
        ("x = 'import a'\n# import b\ny = '''\nimport c\n'''", []),
        ('"""\nimport a\n\\"""\nimport b\n"""\nimport c', [Import("c")]),
        ("importlib.import_module('a.b')", [Import("a.b", late=True)]),
        ('__import__("a")', [Import("a", late=True)]),
        ("lazy_import('.x')", [Import("x", 1, late=True)]),
        ("print 'python 2'\nimport a", [Import("a")]),
        ("type X = int\nimport a", [Import("a")]),
    ],
)
def test_imports(source: str, found: list[Import]) -> None:
    assert list(read(source.encode()).imports) == found


def test_blocks_for_type_checkers_and_for_running_as_a_program() -> None:
    source = """
if TYPE_CHECKING:
    from a import (
        B,
)
    import c

    import d
else:
    import e
if typing.TYPE_CHECKING and x:
    import f
if not TYPE_CHECKING:
    import g
if __name__ == "__main__":
    import h
import i
"""
    assert modules(source) == {"e", "g", "i"}
    assert modules(source, main=True) == {"e", "g", "h", "i"}


def test_strings_that_can_be_names() -> None:
    strings = read(b'"""doc.string"""\nx = "a.b:C", f"{n}.dat", "two words", "x" * 3\n').strings
    assert strings == {"a.b:C", "{n}.dat", "x"}


@pytest.mark.parametrize(
    ("source", "computes", "siblings"),
    [
        ("import_module(name)", True, False),
        ('import_module(f"{__package__}.{name}")', True, True),
        ('import_module("." + name, __package__)', True, True),
        ("__import__(f'{__name__}.' + x)", True, True),
        ("for m in pkgutil.iter_modules(__path__): load(m)", True, True),
        ("names = os.listdir(os.path.dirname(__file__))\n__import__(x)", True, True),
        ("names = os.listdir(os.path.dirname(__file__))", False, False),
    ],
)
def test_computed_imports(source: str, computes: bool, siblings: bool) -> None:
    found = read(source.encode())
    assert (found.computes, found.siblings) == (computes, siblings)


def test_agrees_with_the_grammar_on_real_code() -> None:
    """Everything that ast finds in this project, but for type checking blocks, is found."""
    for file in sorted(Path(slimpy.__file__).parent.rglob("*.py")):
        expected: set[tuple[str, int, tuple[str, ...]]] = set()
        nodes = ast.walk(ast.parse(file.read_bytes()))
        for node in nodes:
            if isinstance(node, ast.Import):
                expected.update((alias.name, 0, ()) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                names = tuple(alias.name for alias in node.names)
                expected.add((node.module or "", node.level, names))
        data = file.read_bytes().replace(b"if TYPE_CHECKING:", b"if True:")
        found = {(i.module, i.level, i.names) for i in read(data).imports}
        assert expected <= found, file


def test_tables_are_read_in_part() -> None:
    table = b"import a\nX = [\n" + b'"0123456789",\n' * 60_000 + b"]\nimport b\n"
    assert [i.module for i in read(table).imports] == ["a"]
    code = b"import a\n" + b"def f():\n  return 'abc'\n" * 6000 + b"import b\n"
    assert [i.module for i in read(code).imports] == ["a", "b"]


@pytest.mark.parametrize(
    "data",
    [
        b'"' * LONGEST_SOURCE,
        b"'''" * 300_000,
        b"\\\n" * 400_000,
        b"from a import (" * 60_000,
        b"import " * 100_000,
        b"import a;" * 100_000,
        b"from " + b"." * 500_000,
        b"if TYPE_CHECKING:\n" * 50_000,
        b"import_module(" * 60_000,
        b"\xff\xfe\0\x01" * 200_000,
        b",".join(b'"%d"' % n for n in range(150_000)),
    ],
)
def test_hostile_sources_are_bounded(data: bytes) -> None:
    found = read(data)
    assert len(found.strings) <= MOST_STRINGS


@given(
    st.binary(max_size=2000) | st.text(max_size=2000).map(lambda t: t.encode("utf-8", "replace"))
)
def test_any_bytes_are_read(data: bytes) -> None:
    read(data)
    python_binary.read_compiled(data)
    python_binary.words(data)
    python_binary.neighbours(data, ("name", "other"))


def test_compiled_files_without_a_source() -> None:
    source = "import json\nfrom email.mime import text\n\ndef f():\n    import decimal\n"
    code = compile(source, "x.py", "exec")
    import marshal

    found = {i.module for i in python_binary.read_compiled(bytes(16) + marshal.dumps(code)).imports}
    assert {"json", "email.mime", "decimal"} <= found


def test_names_in_packed_tables_of_extension_modules() -> None:
    table = zlib.compress(
        b"All strings must be text, long enough to be a table of them: _elementpathlxml" * 2
    )
    data = b"\0a.b\0" + table + b"\0plain\0"
    assert python_binary.words(data) >= ["a.b"]
    assert python_binary.neighbours(data, ("_elementpath", "plain", "ths", "other")) == [
        "_elementpath",
        "plain",
    ]


def test_packed_bombs_are_bounded() -> None:
    bomb = zlib.compress(b"abcdefgh" * (4 << 20))
    assert python_binary.neighbours(bomb * 50, ("abcdefgh", "nothing")) == ["abcdefgh"]


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        (("python", "-m", "a.b"), [("-m", "a.b")]),
        (
            ("/bin/sh", "-c", "exec python3 -m a.b --x"),
            [("-c", "exec python3 -m a.b --x"), ("-m", "a.b")],
        ),
        (
            ("/bin/sh", "-c", "python -c 'import a'"),
            [("-c", "python -c 'import a'"), ("-c", "import a")],
        ),
        (("/bin/sh", "-c", "python 'open"), [("-c", "python 'open")]),
        (("gunicorn", "app:app"), []),
    ],
)
def test_command_lines(argv: tuple[str, ...], found: list[tuple[str, str]]) -> None:
    assert list(python_commands.options(argv)) == found


def test_modules_that_shell_scripts_run() -> None:
    script = '#!/bin/sh\nexec /usr/bin/python3.11 -u -m a.b.c "$@"\npython -mtool\n'
    assert python_commands.modules_run(script) == ["a.b.c", "tool"]
