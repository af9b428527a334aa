"""A whole image: what is told of it, as a document and as text, and that nothing hurts."""

from __future__ import annotations

import gzip
import json
import tarfile
from dataclasses import replace
from typing import Any

import pytest

from slimpy.errors import SourceError
from slimpy.image.oci import LAYER_TYPE, Descriptor
from slimpy.xray import document, text
from slimpy.xray.facts import XRay
from slimpy.xray.inspect import inspected
from slimpy.xray.judge import judged
from slimpy.xray.software import Package
from slimpy.xray.thresholds import CI, Thresholds
from tests.sources import MemorySource, digest
from tests.unit.xray.images import directory, file, image, layer, link
from tests.unit.xray.test_secrets import PEM

CONFIG = {"User": "app", "Env": ["DB_PASSWORD=hunter2hunter2", "PATH=/bin"]}
HISTORY = [
    {"created_by": "/bin/sh -c #(nop) ADD file:0123456789abcdef in / "},
    {"created_by": "ENV DB_PASSWORD=hunter2hunter2", "empty_layer": True},
    {"created_by": "RUN /bin/sh -c rm /root/.ssh/id_rsa # buildkit"},
]
BASE = layer(
    file("etc/os-release", b'PRETTY_NAME="Test Linux 1"\n'),
    file("etc/passwd", b"root:x:0:0::/root:/bin/sh\napp:x:10:10::/:/sbin/nologin\nbad line\n"),
    file("etc/shadow", b"root::1:2\n"),
    file("bin/sh", b"shell", mode=0o755),
    file("usr/bin/gcc-12", b"compiler", mode=0o755),
    link("usr/bin/apt-get", "apt"),
    file("usr/bin/su", b"su", mode=0o4755),
    file("usr/bin/wall", b"wall", mode=0o2755),
    file("bin/ping", b"ping", mode=0o755, pax_headers={"SCHILY.xattr.security.capability": "x"}),
    directory("tmp", 0o1777),
    directory("open", 0o777),
    file("root/.ssh/id_rsa", PEM.encode()),
    file("var/lib/apt/lists/x_Packages", b"p" * 5000),
    file("root/.cache/pip/x", b"c" * 3000),
    file(
        "var/lib/dpkg/status",
        b"Package: libc6\nStatus: install ok installed\nVersion: 2.36\n\n"
        b"Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n",
    ),
)
SECOND = layer(
    file("root/.ssh/.wh.id_rsa"),
    file("app/node_modules/@x/y/package.json", b'{"name": "@x/y", "version": "1.2.3"}'),
    file("opt/lib/site-packages/flask-3.dist-info/METADATA", b"Name: flask\nVersion: 3.0\n\nx"),
    file("opt/gems/specifications/rack-2.2.gemspec", b"# stub: rack 2.2 ruby lib\n"),
    file("opt/app/lib-core-1.0.jar", b"jar"),
    file("same/a", b"d" * 700),
    file("same/b", b"d" * 700),
    link("same/c", "same/a", tarfile.LNKTYPE),
)


@pytest.fixture(scope="module")
def source() -> MemorySource:
    return image([BASE, SECOND], config=CONFIG, history=HISTORY, created="2020-01-01T00:00:00Z")


@pytest.fixture(scope="module")
def found(source: MemorySource) -> XRay:
    return inspected(source)[0]


def test_layers_have_their_instructions(found: XRay) -> None:
    assert [item.instruction for item in found.layers] == [
        "ADD file:0123456789abcdef /",
        "RUN rm /root/.ssh/id_rsa",
    ]
    # Of the second: 8 members, and the directories are not counted as nobody stored them.
    assert [(item.added, item.changed, item.removed) for item in found.layers] == [
        (15, 0, 0),
        (7, 0, 1),
    ]
    assert found.layers[0].wasted_bytes == len(PEM) == found.wasted_bytes
    assert found.total_bytes == found.visible_bytes + found.wasted_bytes


def test_a_deleted_key_is_found_and_so_is_a_password_in_the_configuration(found: XRay) -> None:
    assert {(item.kind, item.path, item.where) for item in found.secrets} == {
        ("private key", "/root/.ssh/id_rsa", "layer 1, hidden by a later layer"),
        ("value of DB_PASSWORD", "ENV DB_PASSWORD", "configuration"),
        ("value of DB_PASSWORD", "history, entry 2", "history"),
    }


def test_no_secret_is_told(found: XRay) -> None:
    told = document.encode("0", found).decode() + "".join(line for _, line in text.lines(found))
    told += text.dockerfile(found)
    assert "hunter2" not in told
    assert "ENV DB_PASSWORD=***" in told
    assert PEM.splitlines()[1] not in told


def test_rights(found: XRay) -> None:
    assert [item.path for item in found.setuid] == ["/usr/bin/su"]
    assert [item.path for item in found.setgid] == ["/usr/bin/wall"]
    assert [item.path for item in found.capabilities] == ["/bin/ping"]
    assert [item.path for item in found.world_writable] == ["/open"]


def test_software(found: XRay) -> None:
    assert found.system == "Test Linux 1"
    assert found.packages == (
        Package("deb", "libc6", "2.36"),
        Package("gem", "rack", "2.2"),
        Package("maven", "lib-core", "1.0"),
        Package("npm", "@x/y", "1.2.3"),
        Package("pypi", "flask", "3.0"),
    )
    assert found.shells == ("/bin/sh",)
    assert found.compilers == ("/usr/bin/gcc-12",)
    assert found.managers == ("/usr/bin/apt-get",)
    users = [(item.name, item.login, item.password) for item in found.users]
    assert users == [("root", True, "empty"), ("app", False, "none")]
    assert not found.root


def test_leftovers_and_duplicates(found: XRay) -> None:
    assert [(item.kind, item.files, item.size) for item in found.leftovers] == [
        ("apt package lists", 1, 5000),
        ("pip cache", 1, 3000),
    ]
    (same,) = found.duplicates
    assert (same.bytes, same.count, same.extra) == (700, 2, 700)
    assert same.paths == ("/same/a", "/same/b")


def test_the_document(source: MemorySource, found: XRay) -> None:
    _, stack = inspected(source)
    told: Any = json.loads(document.encode("1.2", found, judged(found, CI), paths=stack))
    assert (told["schema"], told["version"]) == (1, "1.2")
    assert told["image"]["layers"][1]["removed"] == 1
    assert {"path": "/root/.ssh/id_rsa", "change": "removed", "type": "f", "bytes": 0} in told[
        "changes"
    ][1]
    assert [(item["name"], item["passed"]) for item in told["thresholds"]] == [
        ("min-efficiency", True),
        ("no-secrets", False),
    ]


def test_lists_are_cut_and_the_rest_is_counted() -> None:
    files = (file(f"f{number:02}", b"x" * number) for number in range(1, 31))
    second = (file(f".wh.f{number:02}") for number in range(1, 31))
    found, _ = inspected(image([layer(*files), layer(*second)]))
    told = [line for _, line in text.lines(found, top=4)]
    start = told.index("wasted: stored, but not to be seen: 30")
    assert told[start + 5] == "  and 26 more"


def test_hostile_names_are_harmless_on_a_terminal() -> None:
    name = b"evil\x1b[31m\n\xff"
    evil = name.decode("utf-8", "surrogateescape")
    members = (file(evil, b"x", mode=0o4777), file(f"{evil}2", PEM.encode()), file("a", b"y"))
    history = [{"created_by": "RUN /bin/sh -c \x1b[2J echo # buildkit"}, {"created_by": "\x07"}]
    source = image(
        [layer(*members), layer(file(f".wh.{evil}2"))],
        history=history,
        config={"User": "\x1b[1m", "Labels": {"\x1bpassword": "hunter2hunter2"}},
    )
    found, stack = inspected(source)
    told = [line for _, line in (*text.lines(found), *text.layer_lines(found, stack, 1))]
    assert all(line.isprintable() for line in told)
    assert any("evil\\x1b[31m\\x0a\\xff" in line for line in told)
    assert json.loads(document.encode("0", found, paths=stack))


@pytest.mark.parametrize("config", [{}, {"Env": 3, "Labels": [], "User": 7}, {"Env": [None, "A"]}])
def test_odd_configurations(config: dict[str, Any]) -> None:
    found, _ = inspected(image([layer(file("a", b"1"))], config=config, history="none"))
    assert found.layers[0].instruction == ""
    assert "makers unknown" in found.warnings[0]


def test_an_image_of_nothing() -> None:
    found, _ = inspected(image([]))
    assert (found.files, found.efficiency, found.root) == (0, 1.0, True)
    assert text.lines(found)


def test_compressed_layers_are_read_and_damaged_ones_are_errors() -> None:
    plain = layer(file("a", b"1" * 5000))
    packed = gzip.compress(plain, mtime=0)
    source = image([plain])
    blob = Descriptor(f"{LAYER_TYPE}+gzip", digest(packed), len(packed))
    manifest = replace(source.manifest, layers=(blob,))
    good = replace(source, manifest=manifest, blobs={digest(packed): packed})
    assert inspected(good)[0].visible_bytes == 5000
    bad = replace(good, blobs={digest(packed): packed[:-20] + b"x" * 20})
    with pytest.raises(SourceError):
        inspected(bad)


@pytest.mark.parametrize(
    ("bounds", "name"),
    [
        (Thresholds(max_size=100), "max-size"),
        (Thresholds(max_waste=10), "max-waste"),
        (Thresholds(max_waste_share=0.001), "max-waste"),
        (Thresholds(min_efficiency=1.0), "min-efficiency"),
        (Thresholds(max_layers=1), "max-layers"),
        (Thresholds(no_secrets=True), "no-secrets"),
        (Thresholds(no_setuid=True), "no-setuid"),
        (Thresholds(no_world_writable=True), "no-world-writable"),
        (Thresholds(no_shell=True), "no-shell"),
        (Thresholds(no_compiler=True), "no-compiler"),
        (Thresholds(no_package_manager=True), "no-package-manager"),
    ],
)
def test_each_threshold_breaks(found: XRay, bounds: Thresholds, name: str) -> None:
    assert [(item.name, item.passed) for item in judged(found, bounds)] == [(name, False)]
    harmless, _ = inspected(image([layer(file("a", b"1"))], config={"User": "app"}))
    assert all(item.passed for item in judged(harmless, bounds))


@pytest.mark.parametrize(("user", "root"), [("", True), ("0:5", True), ("root", True),
    ("00", True), ("toor", True), ("app", False), ("10", False)])  # fmt: skip
def test_who_is_root(user: str, root: bool) -> None:
    passwd = layer(file("etc/passwd", b"toor:x:0:0::/:/bin/sh\napp:x:10:1::/:/bin/sh\n"))
    found, _ = inspected(image([passwd], config={"User": user}))
    assert found.root is root
    assert judged(found, Thresholds(no_root=True))[0].passed is not root
