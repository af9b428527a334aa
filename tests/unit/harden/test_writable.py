"""What must be writable under a read-only root: few places, the right kind, nothing hidden."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.model import Activity, FileEvent, Operation, Trace
from slimpy.harden.writable import Writable, Writables, compute
from slimpy.image.tree import Tree
from slimpy.model import (
    Account,
    Entry,
    FileType,
    Image,
    ImagePath,
    KeepSet,
    Reason,
    Rule,
)

D, F, L, P = FileType.DIRECTORY, FileType.FILE, FileType.LINK, FileType.FIFO
MADE, WROTE, GONE = Operation.CREATE, Operation.WRITE, Operation.REMOVE
ROOT = Account("", 0, 0, "root", "")


def entry(path: str, kind: FileType = D, mode: int = 0o755, owner: int = 0, target: str = ""):
    return Entry(ImagePath(path), kind, mode, owner, owner, target=target)


def www(*chown: str) -> Account:
    return Account("33:33", 33, 33, "default", "", tuple(map(ImagePath, chown)))


def event(operation: Operation, path: str, error: str | None = None, final: str | None = None):
    return FileEvent(path, operation, error, "/app", "start", final)


def computed(
    entries: list[Entry],
    *events: tuple[Operation, str] | FileEvent,
    kept: dict[str, Rule] | list[str] | None = None,
    account: Account = ROOT,
    volumes: tuple[str, ...] = (),
    changed: tuple[str, ...] = (),
) -> Writables:
    config = {"Volumes": {path: {} for path in volumes}}
    image = Image("app:1", "sha256:1", "amd64", "linux", 1, "", config)
    seen = tuple(item if isinstance(item, FileEvent) else event(*item) for item in events)
    rules = kept if isinstance(kept, dict) else dict.fromkeys(kept or [], Rule.TOUCHED)
    keep = KeepSet({ImagePath(path): (Reason(rule),) for path, rule in rules.items()})
    trace = Trace("sha256:1", Activity(seen), changed=changed)
    return compute(image, Tree(entries), keep, trace, account)


def kinds(found: Writables) -> dict[str, str]:
    return {place.path: place.kind for place in found.places}


STATE = [
    entry("/tmp", mode=0o1777),
    entry("/run"),
    entry("/var/run", L, target="/run"),
    entry("/run/postgresql", mode=0o2775, owner=33),
    entry("/srv/uploads", owner=33),
    entry("/app/main.py", F),
    entry("/app/cache"),
]


def test_runtime_state_is_a_tmpfs_and_data_a_volume():
    found = computed(
        STATE,
        (MADE, "/var/run/app.pid"),
        (MADE, "/tmp/upload"),
        (WROTE, "/tmp/upload"),
        (MADE, "/srv/uploads/cat.jpg"),
    )
    assert kinds(found) == {"/run": "tmpfs", "/srv/uploads": "volume", "/tmp": "tmpfs"}
    assert found.impossible == {}
    assert found.places[0].why == "the run made /run/app.pid"


def test_owner_and_mode_are_those_of_the_slim_image():
    found = computed(
        STATE,
        (MADE, "/run/app.pid"),
        (MADE, "/run/postgresql/.s.PGSQL.5432"),
        (MADE, "/tmp/x"),
        account=www("/run"),
        kept=["/run/postgresql"],
    )
    facts = {place.path: (place.uid, place.gid, place.mode) for place in found.places}
    assert facts == {
        "/run": (33, 33, 0o755),
        "/run/postgresql": (33, 33, 0o2775),
        "/tmp": (0, 0, 0o1777),
    }


def test_logs_pids_and_sockets_are_no_data():
    found = computed(
        [entry("/var/lib/app")], (MADE, "/var/lib/app/app.pid"), (WROTE, "/var/lib/app/a.log")
    )
    assert kinds(found) == {"/var/lib/app": "tmpfs"}


def test_a_file_that_was_renamed_into_place_is_data():
    found = computed(
        [entry("/srv/uploads")], (MADE, "/srv/uploads/cat.jpg"), (GONE, "/srv/uploads/cat.jpg")
    )
    assert kinds(found) == {"/srv/uploads": "volume"}


def test_kept_directories_below_a_tmpfs_are_mounted_anew():
    tree = [entry("/run"), entry("/run/lock", mode=0o1777), entry("/run/app"), entry("/run/old")]
    kept = {"/run/lock": Rule.TOUCHED, "/run/app": Rule.STATE, "/run/old": Rule.PARENT}
    found = computed(tree, (MADE, "/run/app.pid"), kept=kept)
    assert kinds(found) == {"/run": "tmpfs", "/run/lock": "tmpfs"}
    assert found.places[1].mode == 0o1777


def test_many_kept_directories_make_one_volume_with_a_copy_of_them():
    names = [f"/run/d{number:02}" for number in range(20)]
    found = computed([entry(name) for name in names], (MADE, "/run/app.pid"), kept=names)
    assert [(place.path, place.kind, place.seeded) for place in found.places] == [
        ("/run", "volume", True)
    ]


@pytest.mark.parametrize("operation", [WROTE, GONE])
def test_a_directory_with_needed_files_is_never_hidden(operation):
    tree = [entry("/app/main.py", F), entry("/app/state.db", F)]
    found = computed(tree, (operation, "/app/state.db"), kept=["/app/main.py", "/app/state.db"])
    (place,) = found.places
    assert (place.path, place.kind, place.seeded) == ("/app", "volume", True)
    assert "beside 2 files of the image" in place.why


def test_only_what_was_made_is_mounted_where_all_that_was_made_is_directories():
    tree = [entry("/app/main.py", F)]
    found = computed(
        tree,
        (MADE, "/app/cache"),
        (MADE, "/app/cache/a"),
        (WROTE, "/app/cache/a"),
        kept=["/app/main.py"],
    )
    assert kinds(found) == {"/app": "volume"}, "the mkdir itself would fail on what is mounted"
    inside = computed(tree, (MADE, "/app/cache/a"), (WROTE, "/app/cache/a"), kept=["/app/main.py"])
    assert [(place.path, place.kind, place.seeded) for place in inside.places] == [
        ("/app/cache", "volume", False)
    ]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/etc/passwd", "a copy of that one file"),
        ("/etc/new.conf", "in /etc"),
        ("/flag", "the root directory"),
        ("/usr/bin/tool", "in /usr/bin"),
    ],
)
def test_the_systems_own_directories_are_never_mounted_over(path, words):
    found = computed([entry("/etc/passwd", F), entry("/usr/bin")], (WROTE, path), (MADE, path))
    assert found.places == ()
    (why,) = found.impossible.values()
    assert words in why
    assert "writable" in why


def test_a_new_directory_in_the_root_is_mounted_and_a_new_file_is_not():
    events = ((MADE, "/generated"), (MADE, "/generated/a"), (WROTE, "/generated/a"))
    assert kinds(computed([], *events)) == {"/generated": "volume"}
    both = computed([], *events, (MADE, "/flag"))
    assert both.places == ()
    assert list(both.impossible) == ["/"]


def test_what_the_account_cannot_write_is_left_out():
    """The official images' entrypoints try to change their settings, and go on if they may not."""
    tree = [entry("/etc/nginx/conf.d/default.conf", F), entry("/cache"), entry("/mine")]
    events = ((WROTE, "/etc/nginx/conf.d/default.conf"), (MADE, "/cache/x"), (MADE, "/mine/x"))
    assert kinds(computed(tree, *events, account=www("/mine"))) == {"/mine": "volume"}
    assert len(kinds(computed(tree, *events)) | dict(computed(tree, *events).impossible)) == 3


def test_volumes_are_there_whether_they_were_written_or_not():
    tree = [
        entry("/data", mode=0o700, owner=999),
        entry("/seed/a", F),
        entry("/link", L, target="/data"),
    ]
    found = computed(
        tree,
        (MADE, "/data/dump.rdb"),
        (MADE, "/link/other"),
        volumes=("/data", "/seed", "/absent"),
        kept=["/data", "/seed/a"],
    )
    facts = {item.path: (item.kind, item.seeded, item.uid, item.mode) for item in found.places}
    assert facts == {
        "/absent": ("volume", False, 0, 0o755),
        "/data": ("volume", False, 999, 0o700),
        "/seed": ("volume", True, 0, 0o755),
    }


def test_a_volume_below_a_tmpfs_stays_and_a_tmpfs_below_a_volume_goes():
    tree = [entry("/run"), entry("/run/data"), entry("/data"), entry("/data/tmp")]
    found = computed(
        tree, (MADE, "/run/x.pid"), (MADE, "/data/tmp/x.pid"), volumes=("/run/data", "/data")
    )
    assert kinds(found) == {"/data": "volume", "/run": "tmpfs", "/run/data": "volume"}


@pytest.mark.parametrize(
    "ignored",
    [
        event(MADE, "/dev/shm/x"),
        event(WROTE, "/proc/self/oom_score_adj"),
        event(WROTE, "/etc/hosts"),
        event(MADE, "/app/__pycache__/main.pyc"),
        event(MADE, "/app/x", "EACCES"),
        event(WROTE, "/app/queue"),
        event(WROTE, "/app/log"),
        event(Operation.OPEN, "/app/main.py"),
    ],
    ids=lambda item: item.path,
)
def test_what_needs_no_place(ignored):
    tree = [
        entry("/app/main.py", F),
        entry("/app/queue", P),
        entry("/app/log", L, target="/dev/stdout"),
    ]
    assert computed(tree, ignored) == computed(tree)


def test_what_only_the_engine_noticed_counts_too():
    found = computed([entry("/srv/x")], changed=("/srv", "/srv/x", "/srv/x/new"))
    assert kinds(found) == {"/srv/x": "tmpfs"}


def test_programs_and_libraries_from_a_place_make_it_executable():
    events = [(MADE, "/tmp/jna/x.so"), (Operation.OPEN, "/tmp/jna/x.so")]
    assert [place.executable for place in computed(STATE, *events).places] == [True]
    assert [place.executable for place in computed(STATE, events[0]).places] == [False]


@pytest.mark.parametrize("name", ["/tmp/a:b", "/tmp/a,b", "/tmp/a\nb", "/tmp/\udcff", '/tmp/a"b'])
def test_a_name_that_no_engine_takes_is_told(name):
    tree = [entry("/tmp/x", F), entry(name)]
    found = computed(tree, (MADE, f"{name}/file"), kept=[name])
    assert found.places == ()
    assert found.impossible[ImagePath(name)] == "no engine takes such a name for a mount"


_NAMES = st.sampled_from(["a", "b", "tmp", "run", "x.pid"])
_PATHS = st.lists(_NAMES, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))


@given(
    st.dictionaries(_PATHS, st.sampled_from([D, F]), max_size=8),
    st.lists(st.tuples(st.sampled_from([MADE, WROTE, GONE]), _PATHS), max_size=8),
    st.lists(_PATHS, max_size=2),
    st.integers(0, 8),
)
def test_no_needed_file_is_hidden_and_no_place_is_given_twice(paths, writes, volumes, number):
    tree = [
        entry(path, kind)
        for path, kind in paths.items()
        if kind is D or not any(other.startswith(f"{path}/") for other in paths)
    ]
    kept = [item.path for item in tree[:number]]
    found = computed(tree, *writes, kept=kept, volumes=tuple(volumes))
    mounted = [place.path for place in found.places]
    assert len(mounted) == len(set(mounted))
    for place in found.places:
        if not place.seeded:
            assert not hidden(tree, kept, place)


def hidden(tree: list[Entry], kept: list[ImagePath], place: Writable) -> list[ImagePath]:
    files = {item.path for item in tree if item.type is not D}
    return [path for path in kept if path in files and path.startswith(f"{place.path}/")]
