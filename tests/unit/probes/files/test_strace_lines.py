"""The syntax of single lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.files.calls import open_operations
from probes.files.lines import (
    Call,
    annotation,
    is_cut,
    outcome,
    parse,
    quick_outcome,
    quoted,
    resumed,
    unescape,
)

LETTERS = {0x22: b'\\"', 0x5C: b"\\\\", 9: b"\\t", 10: b"\\n", 11: b"\\v", 12: b"\\f", 13: b"\\r"}


def encoded(data: bytes, escaped: bytes = b"") -> bytes:
    """As strace 6.1 prints text: letters, else octal as short as the next digit allows."""
    out = []
    for position, code in enumerate(data):
        following = data[position + 1 : position + 2]
        if code in LETTERS:
            out.append(LETTERS[code])
        elif 0x20 <= code < 0x7F and code not in escaped:
            out.append(bytes((code,)))
        elif following and following in b"0123456789":
            out.append(b"\\%03o" % code)
        else:
            out.append(b"\\%o" % code)
    return b"".join(out)


@given(st.binary(max_size=60))
def test_strings_and_annotations_round_trip(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    assert unescape(encoded(data)) == data
    assert quoted(b'"' + encoded(data) + b'"') == text
    found = annotation(b"3<" + encoded(data, b"<>") + b">(deleted)")
    assert found is not None
    assert found == (text, True)


@given(st.binary(min_size=1, max_size=40), st.binary(min_size=1, max_size=40))
def test_any_name_leaves_the_arguments_apart(directory: bytes, name: bytes) -> None:
    base = b"AT_FDCWD<" + encoded(directory, b"<>") + b">"
    result = b"3<" + encoded(name, b"<>") + b">"
    line = b'openat(%s, "%s", O_RDONLY) = %s' % (base, encoded(name), result)
    call = parse(line)
    assert call == Call(b"openat", (base, b'"' + encoded(name) + b'"', b"O_RDONLY"), result)
    assert quick_outcome(line) == "ok"
    failed = line.removesuffix(result) + b"-1 ENOENT (No such file or directory)"
    assert quick_outcome(failed) == "ENOENT"


@given(st.binary(max_size=200))
def test_no_bytes_raise(data: bytes) -> None:
    for text in (data, b"open(" + data, b"open(" + data + b") = " + data):
        parse(text)
        quick_outcome(text)
        resumed(text)
        annotation(text)
        quoted(text)
        outcome(text)


@pytest.mark.parametrize(
    ("line", "args", "result"),
    [
        (b"getpid()                = 7", (), b"7"),
        (b'read(3</a = b>, ""..., 4096) = 10', (b"3</a = b>", b'""...', b"4096"), b"10"),
        (
            b"execve(\"/x\", [...], 0x7ff /* 39 vars */) = -1 ENOENT (No such file or directory)",
            (b'"/x"', b"[...]", b"0x7ff /* 39 vars */"),
            b"-1 ENOENT (No such file or directory)",
        ),
        (
            b"clone3({flags=CLONE_VM|CLONE_FS, stack=0x1} => {parent_tid=[8]}, 88) = 8",
            (b"{flags=CLONE_VM|CLONE_FS, stack=0x1} => {parent_tid=[8]}", b"88"),
            b"8",
        ),
        (
            b"poll([{fd=3</a,b>, events=POLLIN}], 1, 0) = 1 ([{fd=3</a,b>, revents=POLLIN}])",
            (b"[{fd=3</a,b>, events=POLLIN}]", b"1", b"0"),
            b"1 ([{fd=3</a,b>, revents=POLLIN}])",
        ),
        (
            b"capset({version=0, pid=0}, {effective=1<<CAP_CHOWN, permitted=0}) = 0",
            (b"{version=0, pid=0}", b"{effective=1<<CAP_CHOWN, permitted=0}"),
            b"0",
        ),
        (
            b"restart_syscall(<... resuming interrupted nanosleep ...>) = 0",
            (b"<... resuming interrupted nanosleep ...>",),
            b"0",
        ),
        (b"fchmod(3</x>(deleted), 0644) = 0", (b"3</x>(deleted)", b"0644"), b"0"),
        (b"rt_sigprocmask(SIG_BLOCK, ~[RTMIN RT_1], [], 8) = 0",
         (b"SIG_BLOCK", b"~[RTMIN RT_1]", b"[]", b"8"), b"0"),
        (b"????( <unavailable>)        = ?", (b"<unavailable>",), b"?"),
    ],
)  # fmt: skip
def test_calls_are_taken_apart(line: bytes, args: tuple[bytes, ...], result: bytes) -> None:
    call = parse(line)
    assert call is not None
    assert (call.args, call.result) == (args, result)


@pytest.mark.parametrize(
    "line",
    [b"", b"open", b'open("/a', b'open("/a"', b'open("/a")', b'open("/a") 3', b'open("/a) = 3',
     b"open(3</a) = 3", b'("/a") = 3', b'open("/a") =', b"+++ exited with 0 +++"],
)  # fmt: skip
def test_damaged_calls_are_none(line: bytes) -> None:
    assert parse(line) is None
    assert quick_outcome(line.replace(b"=", b"-")) is None


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (b"0", "ok"),
        (b"3</a>", "ok"),
        (b"0x7f00", "ok"),
        (b"0x8000 (flags O_RDONLY|O_LARGEFILE)", "ok"),
        (b"0 (Timeout)", "ok"),
        (b"-1 ENOENT (No such file or directory)", "ENOENT"),
        (b"-1 ENOSYS (Function not implemented) (INJECTED)", "ENOSYS"),
        (b"-1 EDEADLK", "EDEADLK"),
        (b"-1 (errno 600)", "?"),
        (b"?", "?"),
        (b"? ERESTARTSYS (To be restarted if SA_RESTART is set)", "?"),
        (b"? <unavailable>", "?"),
    ],
)
def test_outcomes(result: bytes, expected: str) -> None:
    assert outcome(result) == expected
    assert quick_outcome(b"getpid()   = " + result) == expected


def test_an_equals_sign_in_a_name_is_not_the_result() -> None:
    assert quick_outcome(b'read(3</tmp/x) = -1 EFAKE (>, "", 1) = 0') == "ok"
    assert quick_outcome(b"dup(3</a>)  = 4</tmp/x) = -1 EFAKE (>") == "ok"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b'"\\1234"', "S4"),
        (b'"\\0"', "\0"),
        (b'"\\x41\\n"', "A\n"),
        (b'"\\377"', "\udcff"),
        (b'"\\303\\244"', "ä"),
        (b'"\\q"', "q"),
        (b'""', ""),
    ],
)
def test_escapes(raw: bytes, text: str) -> None:
    assert quoted(raw) == text


def test_only_whole_strings_are_texts() -> None:
    assert quoted(b"0x7ffc") is None
    assert quoted(b"NULL") is None
    assert quoted(b'"') is None
    assert is_cut(b'"/long"...')
    assert quoted(b'"/long"...') is None


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (b"<... read resumed>\"\", 1) = 0", (b"read", b'"", 1) = 0')),
        (b"<... vfork resumed>)  = 9", (b"vfork", b")  = 9")),
        (b"<unfinished ...>", None),
        (b"<... resumed>) = 0", None),
    ],
)  # fmt: skip
def test_resumed_lines(text: bytes, parts: tuple[bytes, bytes] | None) -> None:
    assert resumed(text) == parts


@pytest.mark.parametrize(
    ("flags", "operations"),
    [
        (b"O_RDONLY|O_CLOEXEC", ["open"]),
        (b"O_WRONLY", ["write"]),
        (b"O_RDWR", ["open", "write"]),
        (b"O_RDONLY|O_TRUNC", ["open", "write"]),
        (b"O_WRONLY|O_CREAT|O_EXCL", ["create", "write"]),
        (b"O_RDONLY|O_CREAT", ["create", "open"]),
        (b"O_RDONLY|O_PATH", ["open"]),
        (b"{flags=O_RDWR|O_CREAT, mode=0600, resolve=0}", ["create", "open", "write"]),
        (b"0x8000000", ["open"]),
    ],
)
def test_open_flags(flags: bytes, operations: list[str]) -> None:
    assert [operation.value for operation in open_operations(flags)] == operations
