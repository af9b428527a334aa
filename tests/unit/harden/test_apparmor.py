"""AppArmor profiles: parsed by the real parser, exact for any name, and no wider than needed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probes.model import Activity, FileEvent, Operation, SyscallUse, Trace
from slimpy.harden.apparmor import Confined, quoted, text
from slimpy.harden.writable import Writable, Writables
from slimpy.image.tree import Tree
from slimpy.model import Entry, FileType, ImagePath, KeepSet, Reason, Rule, decoded, encoded
from tests.unit.harden.hardened import hardened

F, D = FileType.FILE, FileType.DIRECTORY
PARSER = shutil.which("apparmor_parser", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
needs_parser = pytest.mark.skipif(PARSER is None, reason="apparmor_parser is not installed")

HOSTILE = [
    'a"b',
    "a b",
    "a,b",
    "{a,b}",
    "*",
    "**",
    "[ab]",
    "a?b",
    "a\\b",
    "a\nb, /** rwkl",
    "@{HOME}",
    "${x}",
    "#include <x>",
    "^a",
    "é☃",
    "\udcff\udcfe",
    "a'b",
    " ",
    "-> /etc/shadow px",
    '",\n  capability sys_admin,\n  "',
]


def parse(profile: str, directory: Path, *options: str) -> str:
    """Compile a profile without loading it; fails where the parser does."""
    file = directory / "profile"
    file.write_text(profile, encoding="ascii")
    command = [PARSER, "--skip-kernel-load", "--skip-cache", *options, file]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return (done.stdout + done.stderr).decode("utf-8", "surrogateescape")


def confined(
    paths: dict[str, Rule] | list[str],
    *,
    extra: tuple[str, ...] = (),
    activity: Activity | None = None,
    writables: Writables | None = None,
    capabilities: tuple[str, ...] = (),
    mode: int = 0o644,
) -> Confined:
    """Kept files, and ``extra`` ones that are not kept."""
    rules = paths if isinstance(paths, dict) else dict.fromkeys(paths, Rule.TOUCHED)
    tree = Tree(Entry(ImagePath(path), F, mode) for path in (*rules, *extra))
    keep = KeepSet({ImagePath(path): (Reason(rule),) for path, rule in rules.items()})
    trace = Trace("sha256:1", activity or Activity())
    return Confined("slimpy-test", tree, keep, trace, writables or Writables(), capabilities)


def rules(confinement: Confined) -> set[str]:
    return {line.strip().rstrip(",") for line in text(confinement).splitlines()}


def use(name: str, *facts: str) -> SyscallUse:
    return SyscallUse(name, "x86_64", "/app", frozenset({"ok"}), frozenset(facts))


@needs_parser
def test_the_parser_takes_a_whole_profile(tmp_path):
    parse(hardened().apparmor, tmp_path)


@needs_parser
def test_the_parser_takes_every_kind_of_rule(tmp_path):
    places = Writables(
        (
            Writable(ImagePath("/tmp"), "tmpfs", 0, 0, 0o1777, "", executable=True),
            Writable(ImagePath("/data"), "volume", 0, 0, 0o755, ""),
        ),
        {ImagePath("/"): "", ImagePath("/etc"): ""},
    )
    families = [f"AF_{name}" for name in ("ALG", "BLUETOOTH", "CAN", "INET", "PACKET", "UNIX")]
    names = ("CHOWN", "DAC_OVERRIDE", "NET_BIND_SERVICE", "SETFCAP", "SYS_CHROOT", "AUDIT_WRITE")
    many = [f"/opt/{number}" for number in range(30)]
    made = confined(
        many,
        extra=("/opt/gone",),
        activity=Activity(syscalls=(use("socket", *families),)),
        writables=places,
        capabilities=names,
    )
    parse(text(made), tmp_path)
    assert {"network alg", "network can", "capability audit_write", "/opt/{,*} r"} <= rules(made)


@needs_parser
def test_no_name_of_a_file_can_say_more_than_itself(tmp_path):
    paths = [f"/data/{name}" for name in HOSTILE]
    assert matched(paths, tmp_path) == [True] * len(paths)


@needs_parser
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.binary(min_size=1, max_size=12).filter(lambda raw: not set(raw) & {0, ord("/")}),
        min_size=1,
        max_size=30,
        unique=True,
    )
)
def test_any_bytes_stay_one_exact_rule(tmp_path, names):
    paths = [decoded(b"/d/" + name) for name in names]
    assert matched(paths, tmp_path) == [True] * len(paths)


def matched(paths: list[str], directory: Path) -> list[bool]:
    """Whether the parser's own pattern of each path's rule matches that path and no other one."""
    results = []
    for path in paths:
        body = f"profile x {{\n  {quoted(path)} r,\n}}\n"
        dump = parse(body, directory, "--dump=rule-exprs")
        patterns = re.findall(
            r"^aare: .*?   ->   (/.*?)$(?=\nrule:)", dump, re.DOTALL | re.MULTILINE
        )
        (pattern,) = patterns
        others = [other for other in paths if other != path and "?" not in path]
        raw = encoded(pattern)
        hits = re.fullmatch(raw, encoded(path), re.DOTALL) is not None
        results.append(
            hits and not any(re.fullmatch(raw, encoded(other), re.DOTALL) for other in others)
        )
    return results


def test_plain_names_are_not_escaped():
    assert quoted("/usr/lib/libc.so.6") == "/usr/lib/libc.so.6"
    assert quoted("/usr/share/a b", "/**") == '"/usr/share/a\\040b/**"'


def test_a_directory_of_kept_files_is_one_rule():
    found = rules(confined(["/srv/site/a", "/srv/site/css/b", "/app/one"], extra=("/app/two",)))
    assert {"/srv/{,**} r", "/app/one r"} <= found
    assert not [rule for rule in found if "/app/two" in rule or "/app/**" in rule]


def test_many_files_of_one_directory_are_one_rule_that_goes_no_deeper():
    kept = [f"/lib/x/f{number}" for number in range(12)]
    found = rules(confined(kept, extra=("/lib/x/sub/secret", "/lib/y")))
    assert "/lib/x/{,*} r" in found
    assert not [rule for rule in found if "f3" in rule]


def test_code_may_be_mapped_and_other_files_may_not():
    kept = {"/a/x.so.1": Rule.TOUCHED, "/b/plugin": Rule.LIBRARY, "/c/data": Rule.TOUCHED}
    found = rules(confined(kept, extra=("/a/-", "/b/-", "/c/-")))
    assert {"/a/x.so.1 mr", "/b/plugin mr", "/c/data r"} <= found


def test_only_what_was_or_may_be_started_can_be_executed():
    events = (
        FileEvent("/bin/app", Operation.EXEC, None, "/bin/app", ""),
        FileEvent("/bin/missing", Operation.EXEC, "ENOENT", "/bin/app", ""),
        FileEvent("/bin/tool", Operation.STAT, None, "/bin/app", ""),
    )
    kept = {"/bin/app": Rule.TOUCHED, "/bin/tool": Rule.TOUCHED, "/bin/sh": Rule.INTERPRETER}
    made = confined(kept, activity=Activity(events), mode=0o755)
    assert {rule for rule in rules(made) if rule.endswith("ix")} == {
        "/bin/app mrix",
        "/bin/sh mrix",
    }


def test_writing_is_allowed_where_it_was_computed_and_nowhere_else():
    places = Writables((Writable(ImagePath("/run"), "tmpfs", 0, 0, 0o755, ""),))
    found = rules(confined(["/app/a"], writables=places))
    writing = {rule for rule in found if re.search(r"^[^#d].* [mr]*w[klix]*$", rule)}
    assert writing - {"/run/ rw", "/run/** rwkl"} == {
        "/dev/{null,zero,full,random,urandom,tty,console,ptmx} rw",
        "/dev/pts/{,**} rw",
        "/dev/shm/{,**} rwkl",
        "owner @{PROC}/@{pid}/** rw",
    }


RESOLVING = {"unix", "network inet", "network inet6", "network netlink"}


@pytest.mark.parametrize(
    ("uses", "expected"),
    [
        ((), set()),
        ((use("socket", "AF_UNIX"),), {"unix"}),
        ((use("socketpair", "AF_UNIX"),), {"unix"}),
        ((use("socket", "AF_NETLINK"),), {"network netlink"}),
        ((use("socket", "AF_INET", "SOCK_RAW"),), RESOLVING),
        ((use("socket", "AF_TIPC"),), {"network"}),
        ((use("socket"),), {"unix", "network"}),
        ((use("socket", "AF_INET", "?"),), {"unix", "network"}),
    ],
)  # fmt: skip
def test_sockets_by_family(uses, expected):
    found = rules(confined([], activity=Activity(syscalls=uses)))
    assert {rule for rule in found if rule.startswith(("network", "unix"))} == expected


def test_capabilities_and_denials():
    found = rules(confined([], capabilities=("CHOWN",)))
    assert "capability chown" in found
    assert {"deny mount", "deny pivot_root", "deny ptrace (trace)"} <= found
    assert not [rule for rule in rules(confined([])) if rule.startswith("capability")]


def test_a_listed_directory_without_files_can_be_listed():
    made = confined(["/app/a"])
    empty = Tree([*made.tree, Entry(ImagePath("/app/empty"), D)])
    kept = made.keep.widened({ImagePath("/app/empty"): (Reason(Rule.LISTED),)})
    events = (FileEvent("/app/empty", Operation.LIST, None, "/app", ""),)
    trace = Trace("sha256:1", Activity(events))
    assert "/app/empty/ r" in rules(replace(made, tree=empty, keep=kept, trace=trace))
