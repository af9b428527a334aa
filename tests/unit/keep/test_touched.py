"""What the run touched ships, as the pristine image has it."""

from __future__ import annotations

import pytest

from probes.model import Operation
from slimpy.model import Reason, Rule
from tests.unit.keep.worlds import World, directory, event, file, files_kept, link, program, rules

PLAIN = {
    "/etc/app/app.conf": file("port=1"),
    "/etc/app/other.conf": file("x"),
    "/usr/bin/app": program(),
    "/srv/www/index.html": file("hello"),
    "/srv/www/style.css": file("p {}"),
}


@pytest.mark.parametrize(
    "operation",
    [op for op in Operation if op not in (Operation.LIST, Operation.CHDIR)],
)
def test_every_operation_on_a_file_keeps_it_and_its_parents(operation: Operation) -> None:
    world = World(PLAIN)
    keep = world.decide(event("/srv/www/index.html", operation))
    assert files_kept(keep, world) == {"/srv/www/index.html"}
    assert rules(keep, "/srv/www/index.html") == {Rule.TOUCHED}
    assert rules(keep, "/srv/www") == {Rule.PARENT}
    assert rules(keep, "/srv") == {Rule.PARENT}
    assert "/" in keep
    assert not keep.placeholders


def test_the_reason_says_who_did_what_and_when() -> None:
    keep = World(PLAIN).decide(event("/srv/www/index.html", by="/usr/bin/python3"))
    assert keep.reasons["/srv/www/index.html"] == (
        Reason(Rule.TOUCHED, "/usr/bin/python3", "opened by /usr/bin/python3 during GET /"),
    )


@pytest.mark.parametrize("error", ["EACCES", "EPERM", "EEXIST", "EISDIR", "EINVAL", "ENOEXEC"])
def test_an_error_that_means_it_exists_keeps_the_path(error: str) -> None:
    world = World(PLAIN)
    keep = world.decide(event("/srv/www/index.html", error=error))
    assert files_kept(keep, world) == {"/srv/www/index.html"}
    assert error in keep.reasons["/srv/www/index.html"][0].detail


@pytest.mark.parametrize("error", ["ENOENT", "ENAMETOOLONG"])
def test_an_error_that_comes_without_the_path_too_keeps_nothing(error: str) -> None:
    keep = World(PLAIN).decide(event("/srv/www/index.html", error=error))
    assert "/srv" not in keep


def test_not_a_directory_keeps_the_file_that_is_in_the_way() -> None:
    world = World(PLAIN)
    keep = world.decide(event("/etc/app/app.conf/x/y", Operation.STAT, "ENOTDIR"))
    assert files_kept(keep, world) == {"/etc/app/app.conf"}


def test_a_closed_directory_is_kept_so_that_the_answer_stays_the_same() -> None:
    keep = World({"/secret": directory(0o700)}).decide(event("/secret/x", error="EACCES"))
    assert rules(keep, "/secret") == {Rule.TOUCHED}


def test_what_the_run_itself_made_is_passed_over() -> None:
    world = World(PLAIN | {"/var/lib/app": directory()})
    keep = world.decide(
        event("/var/lib/app/db", Operation.CREATE), event("/var/lib/app/db", Operation.OPEN)
    )
    assert "/var/lib/app/db" not in keep
    assert rules(keep, "/var/lib/app") == {Rule.STATE}


@pytest.mark.parametrize("operation", [Operation.CREATE, Operation.WRITE, Operation.REMOVE])
def test_a_directory_that_was_changed_stays_as_an_empty_one(operation: Operation) -> None:
    world = World({"/var/cache/app/old": file()})
    keep = world.decide(event("/var/cache/app/new", operation))
    assert Rule.STATE in rules(keep, "/var/cache/app")
    assert "/var/cache/app/old" not in keep


def test_links_on_the_way_and_dots_are_walked_on_the_tree() -> None:
    world = World(
        {
            "/bin": link("usr/bin"),
            "/usr/bin/app": program(),
            "/usr/etc/app.conf": file(),
            "/etc/app.conf": file("the wrong one"),
        }
    )
    keep = world.decide(event("/bin/../etc/app.conf"))
    assert files_kept(keep, world) == {"/usr/etc/app.conf"}
    assert rules(keep, "/bin") == {Rule.LINK}
    assert "/usr/bin" in keep


def test_the_kernels_final_path_counts_too() -> None:
    world = World(PLAIN)
    keep = world.decide(event("/proc/self/cwd/index.html", final="/srv/www/index.html"))
    assert files_kept(keep, world) == {"/srv/www/index.html"}


def test_what_is_no_path_is_passed_over() -> None:
    world = World({"/app": program(), "/pipe:[7]": file()})
    keep = world.decide(
        event("/proc/self/fd/1", Operation.WRITE, final="pipe:[7]"), processes=("app", "")
    )
    assert not files_kept(keep, world)
    assert not rules(keep, "/") & {Rule.STATE}


def test_removed_files_are_kept_without_following_a_removed_link() -> None:
    world = World({"/data/current": link("big"), "/data/big": file(size=1 << 30)})
    keep = world.decide(event("/data/current", Operation.REMOVE))
    assert "/data/current" in keep
    assert "/data/big" in keep.placeholders


@pytest.mark.parametrize(
    ("size", "stands_in"), [((1 << 20) - 1, False), (1 << 20, True), (1 << 30, True)]
)
def test_a_link_that_was_only_read_keeps_a_small_target_whole(size: int, stands_in: bool) -> None:
    world = World({"/data/current": link("v1"), "/data/v1": file(size=size)})
    keep = world.decide(event("/data/current", Operation.READLINK))
    assert rules(keep, "/data/v1") == {Rule.LINK}
    assert ("/data/v1" in keep.placeholders) == stands_in


def test_a_link_that_was_only_read_never_leads_to_an_empty_library() -> None:
    world = World({"/usr/lib/libx.so": link("libx.so.1"), "/usr/lib/libx.so.1": file(size=1 << 30)})
    keep = world.decide(event("/usr/lib/libx.so", Operation.READLINK))
    assert "/usr/lib/libx.so.1" in keep
    assert not keep.placeholders


def test_all_links_of_a_chain_are_kept() -> None:
    world = World(
        {
            "/usr/bin/editor": link("/etc/alternatives/editor"),
            "/etc/alternatives/editor": link("/usr/bin/vim.tiny"),
            "/usr/bin/vim.tiny": program(),
        }
    )
    keep = world.decide(event("/usr/bin/editor", Operation.EXEC))
    for path in world.things:
        assert path in keep
    assert Rule.TOUCHED in rules(keep, "/usr/bin/vim.tiny")
    assert keep.reasons["/etc/alternatives/editor"][-1].by == "/usr/bin/vim.tiny"


def test_a_link_into_the_engines_file_systems_is_kept_alone() -> None:
    world = World(
        {
            "/var/log/access.log": link("/dev/stdout"),
            "/srv/loop": link("loop"),
            "/dev": directory(),
        }
    )
    keep = world.decide(
        event("/var/log/access.log", Operation.WRITE), event("/srv/loop", error="ELOOP")
    )
    assert "/var/log/access.log" in keep
    assert "/srv/loop" in keep
    assert "/dev" not in keep
    assert not keep.refused


def test_processes_and_the_engines_list_of_changes_count_as_touched() -> None:
    world = World(PLAIN)
    keep = world.decide(processes=("/usr/bin/app",), changed=("/etc/app/app.conf", "/tmp/new"))
    assert files_kept(keep, world) == {"/usr/bin/app", "/etc/app/app.conf"}


def test_the_tracers_own_directory_is_ignored_by_whole_components() -> None:
    world = World({"/.slim/strace": program(), "/.slimmer/x": file()})
    keep = world.decide(event("/.slim/strace"), event("/.slimmer/x"), ignore=("/.slim",))
    assert files_kept(keep, world) == {"/.slimmer/x"}
    assert not keep.refused


def test_a_name_that_begins_like_another_is_not_mistaken_for_its_directory() -> None:
    world = World({"/app/flag": file(), "/app/flag.txt": file()})
    keep = world.decide(event("/app/flag", Operation.STAT), event("/app/flag.txt"))
    assert files_kept(keep, world) == {"/app/flag", "/app/flag.txt"}


def test_other_names_of_a_kept_file_stay_out() -> None:
    world = World({"/usr/bin/git": file(inode=7), "/usr/bin/git-add": file(inode=7)})
    keep = world.decide(event("/usr/bin/git"))
    assert "/usr/bin/git-add" not in keep
