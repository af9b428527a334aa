"""Packages of every kind, out of what installers write."""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
import zlib
from pathlib import Path

import pytest

from slimpy.sbom import java
from slimpy.sbom.package import Distribution, Package
from tests.unit.sbom.world import APK, DPKG, OS_RELEASE, surveyed


def rows(packages: tuple[Package, ...]) -> list[tuple[str, str, str]]:
    return [(item.ecosystem.value, item.name, item.version) for item in packages]


def one(root: Path, files: dict[str, str | bytes]) -> Package:
    (found,) = surveyed(root, files).packages
    return found


def test_dpkg(tmp_path: Path) -> None:
    found = surveyed(tmp_path, {**DPKG, "/lib": "-> usr/lib"})
    assert found.distribution == Distribution("debian", "12", "Debian GNU/Linux 12 (bookworm)")
    assert found.warnings == ()
    assert rows(found.packages) == [
        ("deb", "base", "1.0-1"),
        ("deb", "libz", "1:1.2.13-1+b1"),
        ("deb", "tool", "2~rc1"),
    ]
    libz = found.packages[1]
    assert (libz.source, libz.source_version) == ("zlib", "1:1.2.13")
    assert libz.files == {"/usr/lib/libz.so.1", "/etc/z.conf", "/etc/gone.conf"}
    assert libz.evidence == "/var/lib/dpkg/status"
    assert libz.purl == (
        "pkg:deb/debian/libz@1:1.2.13-1%2Bb1?arch=amd64&distro=debian-12&upstream=zlib%401:1.2.13"
    )


def test_a_package_without_a_list_has_unknown_files(tmp_path: Path) -> None:
    files = {name: data for name, data in DPKG.items() if not name.endswith("tool.list")}
    tool = surveyed(tmp_path, files).packages[2]
    assert (tool.name, tool.files) == ("tool", None)


def test_distroless(tmp_path: Path) -> None:
    found = one(
        tmp_path,
        {
            "/var/lib/dpkg/status.d/tzdata": "Package: tzdata\nVersion: 2024a-0\n",
            "/var/lib/dpkg/status.d/tzdata.md5sums": "0  usr/share/zoneinfo/UTC\n",
            "/usr/share/zoneinfo/UTC": "u",
        },
    )
    assert (found.name, found.version) == ("tzdata", "2024a-0")
    assert found.evidence == "/var/lib/dpkg/status.d/tzdata"
    assert found.files == {"/usr/share/zoneinfo/UTC"}


def test_apk(tmp_path: Path) -> None:
    found = surveyed(
        tmp_path,
        {
            "/lib/apk/db/installed": APK,
            "/lib/ld-musl-x86_64.so.1": "m",
            "/bin/busybox": "b",
            "/etc/os-release": "ID=alpine\nVERSION_ID=3.19.1\n",
        },
    ).packages
    assert [item.name for item in found] == ["busybox", "musl"]
    musl = found[1]
    assert (musl.licence, musl.architecture) == ("MIT", "x86_64")
    assert musl.files == {"/lib/ld-musl-x86_64.so.1"}
    assert musl.purl == "pkg:apk/alpine/musl@1.2.4_git20230717-r4?arch=x86_64&distro=alpine-3.19.1"


def test_python(tmp_path: Path) -> None:
    base = "/opt/lib/python3.11/site-packages"
    found = surveyed(
        tmp_path,
        {
            f"{base}/My_Thing-1.0.dist-info/METADATA": (
                "Metadata-Version: 2.1\r\nName: My_Thing\r\nVersion: 1.0\r\n"
                "License-Expression: MIT\r\n\r\nName: not this\r\n"
            ),
            f"{base}/My_Thing-1.0.dist-info/RECORD": (
                'thing/__init__.py,sha256=x,1\n"thing/a,b.py",,\n../../../bin/thing,,\n'
                "My_Thing-1.0.dist-info/METADATA,,\ngone.py,,\n../../../../../../etc/passwd,,\n"
            ),
            f"{base}/thing/__init__.py": "",
            f"{base}/thing/a,b.py": "",
            "/opt/bin/thing": "",
            "/usr/lib/python3/dist-packages/six-1.16.0.egg-info": "Name: six\nVersion: 1.16.0\n",
        },
    ).packages
    assert rows(found) == [("pypi", "My_Thing", "1.0"), ("pypi", "six", "1.16.0")]
    assert found[0].files == {
        f"{base}/thing/__init__.py", f"{base}/thing/a,b.py", "/opt/bin/thing"
    }  # fmt: skip
    assert (found[0].licence, found[0].purl) == ("MIT", "pkg:pypi/my-thing@1.0")
    assert found[1].files is None


def test_node(tmp_path: Path) -> None:
    def described(name: str) -> str:
        return json.dumps({"name": name, "version": "4.0.0", "license": "ISC"})

    found = surveyed(
        tmp_path,
        {
            "/app/package.json": described("the-app-itself"),
            "/app/node_modules/a/package.json": described("a"),
            "/app/node_modules/a/index.js": "",
            "/app/node_modules/a/test/package.json": described("no-package"),
            "/app/node_modules/a/node_modules/b/package.json": described("b"),
            "/app/node_modules/@s/c/package.json": described("@s/c"),
        },
    ).packages
    assert [item.name for item in found] == ["@s/c", "a", "b"]
    assert found[0].purl == "pkg:npm/%40s/c@4.0.0"
    assert found[1].files == {
        "/app/node_modules/a/index.js", "/app/node_modules/a/test/package.json"
    }  # fmt: skip


def test_ruby(tmp_path: Path) -> None:
    found = surveyed(
        tmp_path,
        {
            "/g/specifications/rack-3.0.gemspec": (
                "# stub: rack 3.0 ruby lib\nGem::Specification.new do |s|\n"
                '  s.name = "rack"\n  s.version = "3.0"\n  s.licenses = ["MIT".freeze]\nend\n'
            ),
            "/g/gems/rack-3.0/lib/rack.rb": "",
            "/g/specifications/default/json-2.gemspec": "# stub: json 2 ruby lib\n",
        },
    ).packages
    assert rows(found) == [("gem", "json", "2"), ("gem", "rack", "3.0")]
    assert found[0].files is None
    assert (found[1].licence, found[1].files) == ("MIT", {"/g/gems/rack-3.0/lib/rack.rb"})


def test_php(tmp_path: Path) -> None:
    listed = [{"name": "a/b", "version": "v1.2", "license": ["MIT"], "install-path": "../a/b"}]
    found = one(
        tmp_path,
        {
            "/app/vendor/composer/installed.json": json.dumps({"packages": listed}),
            "/app/vendor/a/b/x.php": "",
        },
    )
    assert (found.name, found.version, found.purl) == ("a/b", "1.2", "pkg:composer/a/b@1.2")
    assert found.files == {"/app/vendor/a/b/x.php"}


def jar(members: dict[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    return out.getvalue()


def pom(group: str, artifact: str, version: str) -> dict[str, str | bytes]:
    text = f"#made\ngroupId={group}\nartifactId={artifact}\nversion={version}\n"
    return {f"META-INF/maven/{group}/{artifact}/pom.properties": text}


def test_java_with_jars_in_jars(tmp_path: Path) -> None:
    inner = jar(pom("org.x", "inner", "2.0"))
    outer = jar({**pom("org.x", "outer", "1.0"), "BOOT-INF/lib/inner-2.0.jar": inner})
    manifest = "Implementation-Version: 7\r\nBundle-License: MI\r\n T\r\n"
    found = surveyed(
        tmp_path,
        {
            "/app/app.jar": outer,
            "/app/plain-3.1.jar": jar({"META-INF/MANIFEST.MF": manifest}),
            "/app/damaged-1.jar": outer[:200],
        },
    )
    assert rows(found.packages) == [
        ("maven", ":plain", "3.1"),
        ("maven", "org.x:inner", "2.0"),
        ("maven", "org.x:outer", "1.0"),
    ]
    assert found.packages[0].licence == "MIT"
    assert found.packages[1].purl == "pkg:maven/org.x/inner@2.0"
    assert [item.text for item in found.warnings] == ["a jar is damaged"]


def test_jars_are_opened_to_a_bound(tmp_path: Path) -> None:
    data = jar(pom("org.x", "deepest", "1"))
    for depth in range(java.DEEPEST):
        data = jar({**pom("org.x", f"level{depth}", "1"), "in.jar": data})
    found = surveyed(tmp_path, {"/app/a.jar": data})
    assert [item.name for item in found.packages] == [
        f"org.x:level{depth}" for depth in range(java.DEEPEST)
    ]
    assert "too deep" in found.warnings[0].text


def text_of_go(text: str) -> bytes:
    size, out = len(text.encode()), b""
    while size >= 0x80:
        out += bytes((size & 0x7F | 0x80,))
        size >>= 7
    return out + bytes((size,)) + text.encode()


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A real program, to which a compiler's sections can be added."""
    path = tmp_path / "program"
    source = tmp_path / "a.c"
    source.write_text("int main(void) { return 0; }\n")
    subprocess.run(["gcc", "-o", str(path), str(source)], check=True, timeout=60)
    return path


def with_section(program: Path, name: str, data: bytes) -> bytes:
    part = program.with_suffix(".part")
    part.write_bytes(data)
    command = ["objcopy", "--add-section", f"{name}={part}", str(program)]
    subprocess.run(command, check=True, timeout=60)
    return program.read_bytes()


def programs(root: Path, data: bytes) -> list[tuple[str, str, str]]:
    place = root / "image" / "bin"
    place.mkdir(parents=True)
    (place / "app").write_bytes(data)
    (place / "app").chmod(0o755)
    return rows(surveyed(root / "image", {"/etc/os-release": OS_RELEASE}).packages)


def test_go(tmp_path: Path, program: Path) -> None:
    listed = (
        "path\texample.org/app\nmod\texample.org/app\t(devel)\t\n"
        "dep\texample.org/old\tv1.0.0\th1:x=\n=>\texample.org/new\tv1.2.3\th1:y=\n"
        "dep\tgolang.org/x/net\tv0.17.0\th1:z=\nbuild\t-compiler=gc\n"
    )
    modules = "0123456789abcdef" + listed + "0123456789abcdef"
    head = b"\xff Go buildinf:" + bytes((8, 2)) + bytes(16)
    data = with_section(
        program, ".go.buildinfo", head + text_of_go("go1.21.5 X:x") + text_of_go(modules)
    )
    assert programs(tmp_path, data) == [
        ("golang", "example.org/app", ""),
        ("golang", "example.org/new", "v1.2.3"),
        ("golang", "golang.org/x/net", "v0.17.0"),
        ("golang", "stdlib", "1.21.5"),
    ]


def test_rust(tmp_path: Path, program: Path) -> None:
    said = {
        "packages": [
            {"name": "serde", "version": "1.0.1", "source": "registry"},
            {"name": "cc", "version": "1.0.2", "kind": "build"},
        ]
    }
    data = with_section(program, ".dep-v0", zlib.compress(json.dumps(said).encode()))
    assert programs(tmp_path, data) == [("cargo", "serde", "1.0.1")]
