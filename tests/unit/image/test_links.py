"""The resolver against the kernel's own: openat2(2) with RESOLVE_IN_ROOT on a small real tree."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimpy.image.links import MAXIMUM_LINKS, Resolution, resolve
from slimpy.image.tree import Tree
from slimpy.model import Entry, FileType, ImagePath

SYS_OPENAT2 = 437
RESOLVE_IN_ROOT = 0x10
LIBC = ctypes.CDLL(None, use_errno=True)


class OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


@dataclass(frozen=True)
class Kernel:
    """What the kernel says of a path below ``root``: the real path, or the errno."""

    real: str | None
    error: int = 0


def ask_kernel(root: Path, path: str, *, follow_last: bool) -> Kernel:
    flags = os.O_PATH | os.O_CLOEXEC | (0 if follow_last else os.O_NOFOLLOW)
    how = OpenHow(flags, 0, RESOLVE_IN_ROOT)
    top = os.open(root, os.O_PATH | os.O_DIRECTORY)
    try:
        while True:
            found = LIBC.syscall(
                SYS_OPENAT2, top, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how)
            )
            if found >= 0:
                break
            # EAGAIN: something was renamed elsewhere while ".." was walked; the manual says retry.
            if ctypes.get_errno() != errno.EAGAIN:
                return Kernel(None, ctypes.get_errno())
    finally:
        os.close(top)
    try:
        real = str(Path(f"/proc/self/fd/{found}").readlink())
    finally:
        os.close(found)
    return Kernel(real.removeprefix(str(root)) or "/")


def tree_of(root: Path) -> Tree:
    entries = []
    for path in root.rglob("*"):
        facts = path.lstat()
        inside = ImagePath("/" + str(path.relative_to(root)))
        if stat.S_ISLNK(facts.st_mode):
            entries.append(Entry(inside, FileType.LINK, target=str(path.readlink())))
        elif stat.S_ISDIR(facts.st_mode):
            entries.append(Entry(inside, FileType.DIRECTORY))
        else:
            entries.append(Entry(inside, FileType.FILE))
    return Tree(entries)


def tree(**entries: str | None) -> Tree:
    """``name="target"`` is a link, ``name=None`` a file; two underscores stand for a slash."""
    made = []
    for key, target in entries.items():
        path = ImagePath("/" + key.replace("__", "/"))
        kind = FileType.FILE if target is None else FileType.LINK
        made.append(Entry(path, kind, target=target or ""))
    return Tree(made)


USR_MERGE = tree(
    lib="usr/lib",
    usr__lib__libc=None,
    etc__alternatives__awk="/usr/bin/mawk",
    usr__bin__awk="/etc/alternatives/awk",
    usr__bin__mawk=None,
    up="usr/lib/../../../../etc",
    dangling="usr/nothing/else",
    round="round",
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/lib/libc", Resolution(ImagePath("/usr/lib/libc"), (ImagePath("/lib"),), None)),
        ("/lib/../bin/mawk", Resolution(ImagePath("/usr/bin/mawk"), (ImagePath("/lib"),), None)),
        (
            "/usr/bin/awk",
            Resolution(
                ImagePath("/usr/bin/mawk"),
                (ImagePath("/usr/bin/awk"), ImagePath("/etc/alternatives/awk")),
                None,
            ),
        ),
        ("/up", Resolution(ImagePath("/etc"), (ImagePath("/up"),), None)),
        ("/../..//./usr", Resolution(ImagePath("/usr"), (), None)),
        ("usr/lib", Resolution(ImagePath("/usr/lib"), (), None)),
        ("/", Resolution(ImagePath("/"), (), None)),
        ("", Resolution(None, (), ImagePath("/"))),
        ("/dangling/x", Resolution(None, (ImagePath("/dangling"),), ImagePath("/usr/nothing"))),
        ("/usr/lib/no/thing", Resolution(None, (), ImagePath("/usr/lib/no"))),
        ("/usr/lib/libc/x/y", Resolution(None, (), ImagePath("/usr/lib/libc/x"))),
        ("/usr/lib/libc/", Resolution(None, (), ImagePath("/usr/lib/libc"))),
        ("/usr/lib/libc/.", Resolution(None, (), ImagePath("/usr/lib/libc"))),
        ("/usr/lib/libc/..", Resolution(None, (), ImagePath("/usr/lib/libc"))),
        ("/round", Resolution(None, (ImagePath("/round"),), None, loop=True)),
    ],
)
def test_resolution(path: str, expected: Resolution) -> None:
    assert resolve(USR_MERGE, path) == expected


def test_without_follow_last_the_link_itself_is_the_result() -> None:
    plain = resolve(USR_MERGE, "/lib", follow_last=False)
    assert plain == Resolution(ImagePath("/lib"), (), None)
    slash = resolve(USR_MERGE, "/lib/", follow_last=False)
    assert slash == Resolution(ImagePath("/usr/lib"), (ImagePath("/lib"),), None)
    assert resolve(USR_MERGE, "/round", follow_last=False).real == "/round"


def test_a_link_without_a_target_leads_nowhere() -> None:
    assert resolve(tree(a=""), "/a/b").missing == "/a"


@pytest.fixture(scope="module")
def kernel_resolves() -> None:
    with tempfile.TemporaryDirectory() as name:
        if ask_kernel(Path(name), "/", follow_last=True).error == errno.ENOSYS:
            pytest.skip("this kernel has no openat2(2)")


@pytest.mark.parametrize("length", [1, MAXIMUM_LINKS - 1, MAXIMUM_LINKS, MAXIMUM_LINKS + 1])
def test_the_bound_on_links_is_the_kernels(
    kernel_resolves: None, tmp_path: Path, length: int
) -> None:
    (tmp_path / "0").touch()
    for number in range(1, length + 1):
        (tmp_path / str(number)).symlink_to(str(number - 1))
    kernel = ask_kernel(tmp_path, f"/{length}", follow_last=True)
    ours = resolve(tree_of(tmp_path), f"/{length}")
    assert ours.real == kernel.real
    assert ours.loop == (kernel.error == errno.ELOOP) == (length > MAXIMUM_LINKS)


COMPONENT = st.sampled_from(["a", "b", "c", ".", "..", ""])
PATH = st.builds(
    lambda lead, parts: lead + "/".join(parts) or ".",
    st.sampled_from(["", "/"]),
    st.lists(COMPONENT, min_size=1),
)
PLACE = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3).map("/".join)
KIND = st.one_of(
    st.just("directory"), st.just("directory"), st.just("file"), st.tuples(st.just("link"), PATH)
)


def build(root: Path, plan: dict[str, str | tuple[str, str]]) -> None:
    directories = {root}
    for place, kind in sorted(plan.items()):
        path = root / place
        # Only below directories made here: a link on the way would lead out of the root.
        if path.parent not in directories:
            continue
        match kind:
            case "directory":
                path.mkdir()
                directories.add(path)
            case "file":
                path.touch(exist_ok=False)
            case (_, target):
                path.symlink_to(target)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(PLACE, KIND, max_size=14), st.lists(PATH, min_size=1, max_size=6))
def test_any_path_leads_where_the_kernel_goes(
    kernel_resolves: None, plan: dict[str, str | tuple[str, str]], paths: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        # realpath: the test compares with the kernel's own spelling of the directory.
        root = Path(os.path.realpath(name)) / "root"
        root.mkdir()
        build(root, plan)
        known = tree_of(root)
        for path in paths:
            for follow_last in (True, False):
                kernel = ask_kernel(root, path, follow_last=follow_last)
                ours = resolve(known, path, follow_last=follow_last)
                assert ours.real == kernel.real, (path, follow_last, kernel)
                assert ours.loop == (kernel.error == errno.ELOOP)
                gone = kernel.error in (errno.ENOENT, errno.ENOTDIR)
                assert (ours.missing is not None) == gone
                for link in ours.links:
                    entry = known.get(link)
                    assert entry is not None
                    assert entry.type is FileType.LINK
