"""The Java runtime as a unit, and the jars of the class path."""

from __future__ import annotations

import io
import random
import zipfile

import pytest

from slimpy.keep.rules.java_arguments import Item, class_path
from slimpy.keep.rules.java_jars import manifest_class_path
from slimpy.model import ImagePath, Rule
from tests.unit.keep.rules.apps import asked_by, kept
from tests.unit.keep.worlds import Thing, World, elf, event, file, link, program

HOME = "/opt/java"
MACHINE = f"{HOME}/lib/server/libjvm.so"


def runtime(**more: Thing) -> dict[str, Thing]:
    return {
        f"{HOME}/bin/java": program(elf(interpreter="/lib/ld.so")),
        f"{HOME}/bin/javac": program(elf(interpreter="/lib/ld.so")),
        MACHINE: file(elf(soname="libjvm.so")),
        f"{HOME}/lib/server/classes.jsa": file("1"),
        f"{HOME}/lib/modules": file("1"),
        f"{HOME}/lib/libnet.so": file(elf(soname="libnet.so")),
        f"{HOME}/lib/libawt_xawt.so": file(elf(soname="libawt_xawt.so")),
        f"{HOME}/lib/tzdb.dat": file("1"),
        f"{HOME}/lib/src.zip": file("1"),
        f"{HOME}/lib/security/cacerts": link("/etc/ssl/certs/java/cacerts"),
        "/etc/ssl/certs/java/cacerts": file("1"),
        f"{HOME}/conf/security/java.security": file("1"),
        f"{HOME}/jmods/java.base.jmod": file("1"),
        f"{HOME}/legal/java.base/LICENSE": file("1"),
        f"{HOME}/man/man1/java.1": file("1"),
        f"{HOME}/include/jni.h": file("1"),
        f"{HOME}/release": file("1"),
        **more,
    }


def jar(class_path: str = "", *, name: str = "META-INF/MANIFEST.MF") -> Thing:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, f"Manifest-Version: 1.0\r\nClass-Path: {class_path}\r\n")
    return file(made.getvalue())


def reach(things: dict[str, Thing], *opened: str, **config: object) -> set[str]:
    made = World(things, config)
    keep = kept(made, Rule.JAVA, *map(event, (MACHINE, *opened)))
    return asked_by(keep, made, Rule.JAVA)


def test_the_runtime_is_kept_but_for_compilers_desktops_and_documentation() -> None:
    found = reach(runtime())
    assert {
        f"{HOME}/lib/modules",
        f"{HOME}/lib/libnet.so",
        f"{HOME}/lib/tzdb.dat",
        f"{HOME}/conf/security/java.security",
        "/etc/ssl/certs/java/cacerts",
        f"{HOME}/release",
        f"{HOME}/bin/java",
    } <= found
    for part in ("src.zip", "jmods", "legal", "man", "include", "xawt", "javac", "classes.jsa"):
        assert not any(part in path for path in found), part


def test_without_a_virtual_machine_nothing_is_kept() -> None:
    made = World({"/srv/a.jar": jar("b.jar"), "/srv/b.jar": jar()})
    keep = kept(made, Rule.JAVA, event("/srv/a.jar"))
    assert not asked_by(keep, made, Rule.JAVA)


def test_the_desktop_is_kept_where_its_libraries_are() -> None:
    found = reach(runtime(**{"/usr/lib/x86_64-linux-gnu/libX11.so.6": file("1")}))
    assert f"{HOME}/lib/libawt_xawt.so" in found


def test_fonts_are_kept_if_the_app_draws() -> None:
    fonts = {
        "/usr/lib/x86_64-linux-gnu/libfontconfig.so.1": file("1"),
        "/etc/fonts/fonts.conf": file("1"),
        "/usr/share/fonts/a/a.ttf": file("1"),
        f"{HOME}/lib/libawt.so": file("1"),
    }
    assert not fonts.keys() & reach(runtime(**fonts)) - {f"{HOME}/lib/libawt.so"}
    assert fonts.keys() <= reach(runtime(**fonts), f"{HOME}/lib/libawt.so")


def test_jars_beside_a_used_one_and_those_of_its_manifest() -> None:
    things = runtime(
        **{
            "/srv/app.jar": jar("lib/one.jar ../other/two%20x.jar lib/classes/ ../etc/shadow ../"),
            "/srv/beside.jar": jar(),
            "/srv/beside-sources.jar": jar(),
            "/srv/notes.txt": file("1"),
            "/srv/lib/one.jar": jar("three.jar"),
            "/srv/lib/three.jar": jar(),
            "/srv/lib/classes/a.class": file("1"),
            "/other/two x.jar": jar(),
            "/etc/shadow": file("1"),
        }
    )
    found = {
        path for path in reach(things, "/srv/app.jar") if not path.startswith((HOME, "/etc/ssl"))
    }
    assert found == {
        "/srv/app.jar",
        "/srv/beside.jar",
        "/srv/lib/one.jar",
        "/srv/lib/three.jar",
        "/srv/lib/classes/a.class",
        "/other/two x.jar",
    }


def test_jars_of_all_programs_are_no_neighbours() -> None:
    things = runtime(**{"/usr/share/java/a.jar": jar(), "/usr/share/java/b.jar": jar()})
    assert "/usr/share/java/b.jar" not in reach(things, "/usr/share/java/a.jar")


def test_the_rest_of_an_unpacked_application() -> None:
    things = runtime(
        **{
            "/srv/x/WEB-INF/classes/A.class": file("1"),
            "/srv/x/WEB-INF/classes/B.class": file("1"),
            "/srv/y/WEB-INF/classes/C.class": file("1"),
        }
    )
    found = reach(things, "/srv/x/WEB-INF/classes/A.class")
    assert "/srv/x/WEB-INF/classes/B.class" in found
    assert "/srv/y/WEB-INF/classes/C.class" not in found


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({"Cmd": ["java", "-cp", "/a/b.jar:lib/*", "Main"]}, {"/a/b.jar", "/srv/lib"}),
        ({"Cmd": ["/bin/sh", "-c", "exec java -jar 'x y.jar'"]}, {"/srv/x y.jar"}),
        ({"Entrypoint": ["java", "-javaagent:/opt/agent.jar=a=b"]}, {"/opt/agent.jar"}),
        ({"Cmd": ["java", "--module-path=/mods", "-m", "a/b"]}, {"/mods"}),
        ({"Env": ["CLASSPATH=/c/d.jar:$HOME/x:.:"]}, {"/c/d.jar"}),
        ({"Env": ["JAVA_TOOL_OPTIONS=-javaagent:/t.jar 'open"]}, {"/t.jar"}),
        ({"Cmd": ["java", "-cp"]}, set()),
        ({"Cmd": ["java", "-cp", "/"]}, set()),
    ],
)
def test_class_paths_of_the_configuration(config: dict[str, object], wanted: set[str]) -> None:
    made = World({"/x": file()}, {"WorkingDir": "/srv", **config})
    assert {item.path for item in class_path(made.scene())} == wanted


def test_jars_of_the_command_line_are_kept_unopened() -> None:
    things = runtime(**{"/l/a.jar": jar(), "/l/b.txt": file("1"), "/c/A.class": file("1")})
    found = reach(things, Cmd=["java", "-cp", "/l/*:/c", "A"])
    assert {"/l/a.jar", "/c/A.class"} <= found
    assert "/l/b.txt" not in found


def test_a_pattern_of_a_class_path() -> None:
    made = World({"/x": file()}, {"Cmd": ["java", "-cp", "/l/*"]})
    assert class_path(made.scene()) == (Item("/l", True, "entrypoint and command"),)


def references(data: bytes) -> tuple[str, ...]:
    made = World({"/a.jar": file(data)})
    return manifest_class_path(made.store, ImagePath("/a.jar"))


def test_long_lines_of_a_manifest_are_folded() -> None:
    assert references(jar("a.jar lib/b\r\n c.jar file:d.jar http://x/e.jar").data) == (
        "a.jar",
        "lib/bc.jar",
        "d.jar",
    )


def test_damaged_jars_are_survived() -> None:
    whole = jar("a.jar " * 50).data
    shuffler = random.Random(4)
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(4):
            damaged[shuffler.randrange(len(damaged))] = shuffler.randrange(256)
        assert all(isinstance(item, str) for item in references(bytes(damaged)))
    for length in range(0, len(whole), 7):
        assert references(whole[:length]) == ()


def test_a_jar_that_lies_about_its_size_is_not_read() -> None:
    whole = bytearray(jar("a.jar").data)
    whole[-10:-6] = (1 << 31).to_bytes(4, "little")
    assert references(bytes(whole)) == ()


def test_a_manifest_that_grows_is_cut() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/MANIFEST.MF", "Class-Path: " + "a.jar " * 2_000_000)
    assert len(references(made.getvalue())) == 5000
