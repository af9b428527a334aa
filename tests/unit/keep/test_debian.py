"""A whole decision on a little image built like Debian: merged /usr, multiarch, alternatives."""

from __future__ import annotations

from probes.model import Operation
from slimpy.model import KeepSet
from tests.unit.keep.worlds import World, directory, elf, event, file, link, program

LOADER = "/lib64/ld-linux-x86-64.so.2"
LIB = "/usr/lib/x86_64-linux-gnu"

DEBIAN = World(
    {
        "/bin": link("usr/bin"),
        "/lib": link("usr/lib"),
        "/lib64": link("usr/lib64"),
        "/sbin": link("usr/sbin"),
        "/app/main.py": program("#!/usr/bin/env python3\n"),
        "/app/lazy.py": file("import json\n"),
        "/app/static/logo.png": file(size=400_000),
        "/app/static/site.css": file("p {}"),
        "/app/template.html": file("<p>"),
        "/etc/alternatives/awk": link("/usr/bin/mawk"),
        "/etc/group": file("root:x:0:\napp:x:1000:\n"),
        "/etc/hosts": file(),
        "/etc/ld.so.conf": file(f"{LIB}\n"),
        "/etc/localtime": link("/usr/share/zoneinfo/Etc/UTC"),
        "/etc/nsswitch.conf": file("passwd: files\nhosts: files dns\n"),
        "/etc/passwd": file("root:x:0:0::/root:/bin/bash\napp:x:1000:1000::/home/app:/bin/sh\n"),
        "/etc/resolv.conf": file(),
        "/etc/services": file("http 80/tcp\n"),
        "/etc/shadow": file("root:*:\n"),
        "/etc/ssl/certs/ca-certificates.crt": file("certificates"),
        "/etc/ssl/openssl.cnf": file(),
        "/etc/ssl/private/app.key": file("secret"),
        "/home/app": directory(0o750),
        "/proc": directory(0o555),
        "/run": directory(),
        "/tmp": directory(0o1777),
        "/usr/bin/awk": link("/etc/alternatives/awk"),
        "/usr/bin/bash": program(elf(interpreter=LOADER, needed=("libtinfo.so.6", "libc.so.6"))),
        "/usr/bin/env": program(elf(interpreter=LOADER, needed=("libc.so.6",))),
        "/usr/bin/mawk": program(elf(interpreter=LOADER, needed=("libm.so.6", "libc.so.6"))),
        "/usr/bin/python3": link("python3.11"),
        "/usr/bin/python3.11": program(elf(interpreter=LOADER, needed=("libz.so.1", "libc.so.6"))),
        "/usr/lib64/ld-linux-x86-64.so.2": link(f"{LIB}/ld-linux-x86-64.so.2"),
        f"{LIB}/ld-linux-x86-64.so.2": program(elf(soname="ld-linux-x86-64.so.2")),
        f"{LIB}/libc.so.6": program(elf(soname="libc.so.6")),
        f"{LIB}/libm.so.6": file(elf(soname="libm.so.6")),
        f"{LIB}/libnss_files.so.2": file(elf(soname="libnss_files.so.2")),
        f"{LIB}/libnss_hesiod.so.2": file(elf(soname="libnss_hesiod.so.2")),
        f"{LIB}/libssl.so.3": file(elf(soname="libssl.so.3", needed=("libc.so.6",))),
        f"{LIB}/libtinfo.so.6": link("libtinfo.so.6.4"),
        f"{LIB}/libtinfo.so.6.4": file(elf(soname="libtinfo.so.6")),
        f"{LIB}/libz.so.1": link("libz.so.1.2.13"),
        f"{LIB}/libz.so.1.2.13": file(elf(soname="libz.so.1", needed=("libc.so.6",))),
        "/usr/lib/python3.11/json/__init__.py": file(),
        "/usr/lib/python3.11/lib-dynload/_ssl.so": file(elf(needed=("libssl.so.3", "libc.so.6"))),
        "/usr/lib/python3.11/os.py": file(size=40_000),
        "/usr/lib/python3.11/turtle.py": file(size=300_000),
        "/usr/lib/ssl/certs": link("/etc/ssl/certs"),
        "/usr/sbin/useradd": program(),
        "/usr/share/doc/bash/copyright": file(),
        "/usr/share/zoneinfo/Etc/UTC": file(),
        "/usr/share/zoneinfo/Europe/Rome": file(),
        "/var/cache/app/old": file(),
        "/var/run": link("/run"),
        "/var/tmp": directory(0o1777),
    },
    {
        "Cmd": ["/app/main.py"],
        "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"],
        "User": "app",
        "WorkingDir": "/app",
    },
)

PYTHON = "/usr/bin/python3"
RUN = (
    event("/app/main.py", Operation.EXEC, by="/app/main.py"),
    event("/usr/bin/python3", Operation.EXEC, by=PYTHON),
    event("/lib/x86_64-linux-gnu/libz.so.1", by=PYTHON),
    event("/usr/lib/python3.11", Operation.LIST, by=PYTHON),
    event("/usr/lib/python3.11/os.py", by=PYTHON),
    event("/usr/lib/python3.11/lib-dynload/_ssl.so", by=PYTHON),
    event("/app", Operation.LIST, by=PYTHON),
    event("/app/static", Operation.LIST, by=PYTHON),
    event("/app/template.html", Operation.REMOVE, by=PYTHON),
    event("/app/settings.py", Operation.STAT, "ENOENT", by=PYTHON),
    event("/usr/bin/awk", Operation.STAT, by=PYTHON),
    event("/etc/resolv.conf", by=PYTHON),
    event("/proc/meminfo", by=PYTHON),
    event("/var/run/app.pid", Operation.CREATE, by=PYTHON),
    event("/var/cache/app/new", Operation.CREATE, by=PYTHON),
)

EXPECTED = """\
/ parent
/app image-config touched parent
/app/lazy.py listed
/app/main.py image-config touched
/app/static touched parent
/app/static/logo.png listed (stand-in)
/app/static/site.css listed (stand-in)
/app/template.html touched
/bin link
/etc parent
/etc/alternatives parent
/etc/alternatives/awk link
/etc/group system
/etc/ld.so.conf system
/etc/localtime link
/etc/nsswitch.conf system
/etc/passwd system
/etc/services system
/etc/ssl parent
/etc/ssl/certs link parent
/etc/ssl/certs/ca-certificates.crt system
/etc/ssl/openssl.cnf system
/home parent
/home/app image-config
/lib link
/lib64 link
/run state-directory
/sbin link
/tmp state-directory
/usr parent
/usr/bin system parent
/usr/bin/awk link
/usr/bin/env script-interpreter
/usr/bin/mawk touched
/usr/bin/python3 link
/usr/bin/python3.11 script-interpreter touched
/usr/lib system parent
/usr/lib/python3.11 touched parent
/usr/lib/python3.11/lib-dynload parent
/usr/lib/python3.11/lib-dynload/_ssl.so touched
/usr/lib/python3.11/os.py touched
/usr/lib/ssl parent
/usr/lib/ssl/certs link
/usr/lib/x86_64-linux-gnu parent
/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 elf-interpreter
/usr/lib/x86_64-linux-gnu/libc.so.6 elf-needed
/usr/lib/x86_64-linux-gnu/libm.so.6 elf-needed
/usr/lib/x86_64-linux-gnu/libnss_files.so.2 system
/usr/lib/x86_64-linux-gnu/libssl.so.3 elf-needed
/usr/lib/x86_64-linux-gnu/libz.so.1 link
/usr/lib/x86_64-linux-gnu/libz.so.1.2.13 elf-needed touched
/usr/lib64 system parent
/usr/lib64/ld-linux-x86-64.so.2 link
/usr/sbin system
/usr/share parent
/usr/share/zoneinfo parent
/usr/share/zoneinfo/Etc parent
/usr/share/zoneinfo/Etc/UTC system
/var parent
/var/cache parent
/var/cache/app state-directory
/var/run link
/var/tmp state-directory
"""


def shown(keep: KeepSet) -> str:
    lines = []
    for path, reasons in keep.reasons.items():
        stand_in = " (stand-in)" if path in keep.placeholders else ""
        lines.append(f"{path} {' '.join(dict.fromkeys(r.rule.value for r in reasons))}{stand_in}\n")
    return "".join(lines)


def test_what_ships_of_debian() -> None:
    keep = DEBIAN.decide(*RUN)
    assert shown(keep) == EXPECTED
    assert dict(keep.refused) == {"/etc/resolv.conf": "the engine supplies it in every container"}
    assert not keep.warnings
