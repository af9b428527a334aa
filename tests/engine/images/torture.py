"""Builds the torture image: one entry for each thing that image tools get wrong.

It is Debian with a second layer on top, written by Python's tarfile: `docker build` would drop
extended attributes, and the host's file system would have to allow devices and foreign owners. What
no tar layer can hold (a socket, a ``.wh.`` name, holes, a time before 1970) is made in the started
container by `PREPARE`.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")  # cap_net_bind_service=ep
ACL = bytes.fromhex("0200000001000600ffffffff02000400e803000004000400ffffffff")
ACL += bytes.fromhex("10000400ffffffff20000000ffffffff")  # user::rw- user:1000:r-- mask::r--

ODD_NAMES = (
    b"new\nline", b"trailing ", b" leading", b"back\\slash", b"back\\101", b"-n", b"--help", b"*",
    b"[a-z]?", b"Case", b"case", b"\xff\xfe\x80", "h\u00e9".encode(), "e\u0301".encode(),
    "\U0001f600".encode(), b"\x01\x1b[31m", b"quote'\"", b"n" * 255, b"a.wh.b", b"%s=1", b"...",
    b"PaxHeader", b"x" * 100, b"y" * 101,
)  # fmt: skip

PREPARE = r"""
set -e
cd /torture
perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => "app.sock", Listen => 1) or die'
echo deletes > .wh.literal
mkdir .wh.directory && echo below > .wh.directory/below
printf start > sparse && truncate -s 10M sparse && printf end >> sparse
printf x > before-1970 && touch -d @-5.5 before-1970
touch -d @1600000000 app.sock .wh.literal .wh.directory/below sparse
"""


def text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


class Layer:
    """A tar of the second layer being put together."""

    def __init__(self) -> None:
        self._out = io.BytesIO()
        # Closed by `finish`.
        self._tar = tarfile.TarFile(fileobj=self._out, mode="w", format=tarfile.PAX_FORMAT)

    def add(
        self,
        name: str,
        kind: bytes = tarfile.REGTYPE,
        mode: int = 0o644,
        data: bytes = b"",
        *,
        link: str = "",
        owner: tuple[int, int] = (0, 0),
        mtime: float = 1_500_000_000,
        device: tuple[int, int] = (0, 0),
        xattrs: dict[str, bytes] | None = None,
    ) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.linkname = kind, mode, link
        (info.uid, info.gid), info.mtime, info.size = owner, mtime, len(data)
        info.devmajor, info.devminor = device
        info.pax_headers = {
            f"SCHILY.xattr.{key}": text(value) for key, value in (xattrs or {}).items()
        }
        self._tar.addfile(info, io.BytesIO(data))

    def directory(self, name: str, mode: int = 0o755, **more: object) -> None:
        self.add(name, tarfile.DIRTYPE, mode, **more)  # type: ignore[arg-type]

    def symlink(self, name: str, target: str) -> None:
        self.add(name, tarfile.SYMTYPE, 0o777, link=target)

    def hard_link(self, name: str, first: str, xattrs: dict[str, bytes] | None = None) -> None:
        self.add(name, tarfile.LNKTYPE, link=first, xattrs=xattrs)

    def finish(self) -> bytes:
        self._tar.close()
        return self._out.getvalue()


def layer() -> bytes:
    """The second layer."""
    made = Layer()
    made.directory("torture", mtime=1_400_000_000)
    for part in (_links, _hard_links, _modes, _special, _attributes, _names, _times, _changes):
        part(made)
    return made.finish()


def _links(made: Layer) -> None:
    made.directory("torture/usr")
    made.directory("torture/usr/lib")
    made.add("torture/usr/lib/foo", data=b"foo")
    made.symlink("torture/lib", "usr/lib")
    made.symlink("torture/absolute", "/etc/passwd")
    made.symlink("torture/upwards", "../../../../etc/passwd")
    made.symlink("torture/chain", "lib/../lib/foo")
    made.symlink("torture/dangling", "no/where")
    made.symlink("torture/loop", "loop")
    made.symlink("torture/slash", "usr/lib/")
    made.symlink("torture/long", "t" * 250)
    made.symlink("torture/odd-target", text(b"\xff\nx"))


def _hard_links(made: Layer) -> None:
    made.directory("torture/hard")
    made.add("torture/hard/z-first", mode=0o4711, data=b"shared", owner=(7, 8))
    made.hard_link("torture/hard/a-second", "torture/hard/z-first")
    made.hard_link("torture/third", "torture/hard/z-first")
    capable = {"security.capability": CAPABILITY}
    made.add("torture/hard/cap", data=b"cap", xattrs=capable)
    # Once more: Docker sets the owner of a hard link, and then the kernel drops the capabilities.
    made.hard_link("torture/hard/cap2", "torture/hard/cap", xattrs=capable)
    made.symlink("torture/hard/link", "nothing")
    made.hard_link("torture/hard/link2", "torture/hard/link")
    made.add("torture/hard/fifo", tarfile.FIFOTYPE)
    made.hard_link("torture/hard/fifo2", "torture/hard/fifo")


def _modes(made: Layer) -> None:
    made.directory("torture/private", 0o700, owner=(1000, 1000))
    made.directory("torture/private/group", 0o2775, owner=(0, 50))
    made.add("torture/private/group/file", mode=0o640, data=b"inside")
    made.directory("torture/sticky", 0o1777)
    made.directory("torture/closed", 0)
    made.add("torture/closed/file", mode=0, data=b"secret")
    made.add("torture/setuid", mode=0o4755, data=b"u")
    made.add("torture/setgid", mode=0o2755, data=b"g", owner=(0, 42))
    made.add("torture/large-owner", data=b"o", owner=(4_000_000_000, 4_000_000_001))
    made.directory("torture/empty", owner=(1000, 0))
    made.directory("torture/own", owner=(0, 0))
    made.add("torture/own/log", mode=0o600, data=b"line\n")


def _special(made: Layer) -> None:
    made.directory("torture/dev")
    made.add("torture/dev/null", tarfile.CHRTYPE, 0o666, device=(1, 3))
    made.add("torture/dev/large", tarfile.CHRTYPE, 0o600, device=(300, 70_000))
    made.add("torture/dev/loop0", tarfile.BLKTYPE, 0o660, device=(7, 0), owner=(0, 6))
    made.add("torture/pipe", tarfile.FIFOTYPE, 0o620)


def _attributes(made: Layer) -> None:
    made.add("torture/ping", mode=0o755, data=b"ping", xattrs={"security.capability": CAPABILITY})
    values = {"user.text": b"value", "user.raw": b"\0\xff\n7 a=b", "user.empty": b""}
    made.add("torture/xattrs", data=b"x", xattrs=values)
    made.directory("torture/xattr-directory", xattrs={"user.d": b"1"})
    made.add("torture/acl", data=b"a", xattrs={"system.posix_acl_access": ACL})


def _names(made: Layer) -> None:
    made.directory("torture/names")
    for name in ODD_NAMES:
        made.add(f"torture/names/{text(name)}", data=name)
    deep = "torture"
    for _ in range(6):
        deep += "/" + "deep-directory-" * 4
        made.directory(deep)
    made.add(f"{deep}/file", data=b"deep")
    odd = text(b"torture/directory-\xfe\n")
    made.directory(odd)
    made.add(f"{odd}/file", data=b"in an odd directory")


def _times(made: Layer) -> None:
    for mtime in (0, 1, 315_532_800, 1_700_000_000.75, 2**33, 2**31 + 5):
        made.add(f"torture/time-{mtime}", mtime=mtime)
    made.directory("torture/old-directory", mtime=86_400)


def _changes(made: Layer) -> None:
    """What only shows when layers lie on top of each other."""
    # Parents too: without them the engine gives these directories the moment of loading.
    for path in ("etc", "usr", "usr/share", "usr/share/doc"):
        made.directory(path)
    made.add("etc/.wh.issue")
    made.add("usr/share/doc/.wh..wh..opq")
    made.add("usr/share/doc/only", data=b"only")
    made.symlink("usr/share/man", "doc")
    made.directory("etc/issue.net", 0o750)


def archive(base: Path, tag: str, destination: Path) -> None:
    """Write ``base``, as `docker save` gave it, with the torture layer on top, named ``tag``."""
    top = layer()
    with tarfile.open(base) as old, tarfile.open(destination, "w") as new:
        (manifest,) = json.loads(_read(old, "manifest.json"))
        config = json.loads(_read(old, manifest["Config"]))
        config["rootfs"]["diff_ids"].append(f"sha256:{hashlib.sha256(top).hexdigest()}")
        config["history"] = []
        config["config"].update(_settings())
        for path in dict.fromkeys(manifest["Layers"]):
            member = old.getmember(path)
            new.addfile(member, old.extractfile(member))
        entry = {
            "Config": "config.json",
            "RepoTags": [tag],
            "Layers": [*manifest["Layers"], "torture.tar"],
        }
        for name, data in (
            ("torture.tar", top),
            ("config.json", json.dumps(config).encode()),
            ("manifest.json", json.dumps([entry]).encode()),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            new.addfile(info, io.BytesIO(data))


def _settings() -> dict[str, object]:
    return {
        "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "MODE=a=b", "EMPTY="],
        "Entrypoint": ["/usr/bin/env"], "Cmd": ["sleep", "infinity"], "WorkingDir": "/torture/own",
        "ExposedPorts": {"80/tcp": {}, "53/udp": {}}, "Volumes": {"/torture/volume": {}},
        "Labels": {"kind": "torture"}, "StopSignal": "SIGQUIT", "User": "",
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 60_000_000_000},
        "OnBuild": ["RUN true"], "Shell": ["/bin/sh", "-e", "-c"],
    }  # fmt: skip


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    assert file is not None
    return file.read()


def names() -> Iterator[str]:
    """Every path of the second layer, absolute, without what deletes."""
    with tarfile.open(fileobj=io.BytesIO(layer()), encoding="utf-8") as tar:
        for member in tar:
            if ".wh." not in member.name.replace("a.wh.b", ""):
                yield "/" + member.name
