from __future__ import annotations

import pytest

from probes.model import Activity, FileEvent, Operation, Process, Trace
from slimpy.harden.account import choose
from slimpy.harden.identity import Identity, home_of
from slimpy.harden.ownership import home_after, permits, unreadable
from slimpy.image.tree import Tree
from slimpy.model import Entry, FileType, Image, ImagePath

PASSWD = b"root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/var/www:\nredis:x:100:101::/data:\n"
GROUP = b"root:x:0:\nwww-data:x:33:\nredis:x:101:\nweb:x:200:\n"
D, F, L = FileType.DIRECTORY, FileType.FILE, FileType.LINK


def image(**config: object) -> Image:
    return Image("app:1", "sha256:1", "amd64", "linux", 1, "", config)


def entry(path: str, kind: FileType = F, mode: int = 0o644, owner: int = 0, target: str = ""):
    mode = mode if kind is not D or mode != 0o644 else 0o755
    return Entry(ImagePath(path), kind, mode, owner, owner, target=target)


def trace(
    *events: tuple[Operation, str],
    uids: tuple[tuple[int, int], ...] = (),
    changed: tuple[str, ...] = (),
    processes: tuple[Process, ...] = (),
) -> Trace:
    made = tuple(FileEvent(path, operation, None, "/app", "start") for operation, path in events)
    return Trace("sha256:1", Activity(made, processes=processes), uids=uids, changed=changed)


def accounts(img: Image, tree: list[Entry], run: Trace, passwd: bytes = PASSWD):
    return choose(img, Tree(tree), run, passwd=passwd, group=GROUP)


NGINX = [
    entry("/run", D),
    entry("/var/run", L, target="/run"),
    entry("/var/lib/nginx", D),
    entry("/var/log/nginx/access.log", L, target="/dev/stdout"),
    entry("/etc/nginx/nginx.conf"),
    entry("/etc/shadow", mode=0o640),
    entry("/tmp", D, 0o1777),
]


def test_nginx_gets_its_workers_user_and_two_directories():
    run = trace(
        (Operation.CREATE, "/var/run/nginx.pid"),
        (Operation.CREATE, "/var/lib/nginx/body"),
        (Operation.CREATE, "/tmp/upload"),
        (Operation.WRITE, "/var/log/nginx/access.log"),
        (Operation.WRITE, "/etc/hosts"),
        (Operation.WRITE, "/proc/self/oom_score_adj"),
        (Operation.OPEN, "/etc/shadow"),
        uids=((0, 0), (33, 33), (33, 33)),
    )
    dropped, default, root = accounts(image(), NGINX, run)
    assert (dropped.user, dropped.source) == ("33:33", "dropped-to")
    assert dropped.chown == ("/run", "/var/lib/nginx")
    assert (default.user, default.source, default.chown) == (
        "65532:65532",
        "default",
        dropped.chown,
    )
    assert (root.source, root.is_root, root.user, root.chown) == ("root", True, "", ())
    assert all(account.why.endswith(".") for account in (dropped, default, root))


def test_redis_owns_its_data_already():
    tree = [entry("/data", D, 0o755, 100), entry("/data/dump.rdb", owner=100), entry("/redis.conf")]
    run = trace(
        (Operation.CREATE, "/data/temp.rdb"),
        (Operation.WRITE, "/data/dump.rdb"),
        uids=((100, 101),),
    )
    dropped, default, _ = accounts(image(Volumes={"/data": {}}, WorkingDir="/data"), tree, run)
    assert (dropped.user, dropped.chown) == ("100:101", ())
    assert default.chown == ("/data", "/data/dump.rdb")


def test_postgres_gets_the_directories_but_nothing_is_made_up():
    tree = [entry("/var/lib/postgresql/data", D, 0o700), entry("/run/postgresql", D, 0o775)]
    run = trace(
        (Operation.CREATE, "/var/lib/postgresql/data/base"),
        (Operation.CREATE, "/var/lib/postgresql/data/base/1"),
        (Operation.CREATE, "/run/postgresql/.s.PGSQL.5432"),
        uids=((999, 999), (999, 999)),
    )
    first = accounts(image(Volumes={"/var/lib/postgresql/data": {}}), tree, run)[0]
    assert first.user == "999:999"
    assert first.chown == ("/run/postgresql", "/var/lib/postgresql/data")


def test_a_plain_root_app_gets_the_default_user():
    tree = [
        entry("/app/main.py"),
        entry("/app/data.db", mode=0o600),
        entry("/app/secret.key", mode=0o600),
        entry("/app/pkg/__init__.py"),
        entry("/usr/lib/python3/x.py"),
        entry("/etc/passwd"),
    ]
    run = trace(
        (Operation.WRITE, "/app/../app/data.db"),
        (Operation.OPEN, "/app/secret.key"),
        (Operation.CREATE, "/app/pkg/__pycache__"),
        (Operation.CREATE, "/app/pkg/__pycache__/__init__.cpython-311.pyc"),
        (Operation.CREATE, "/usr/lib/python3/cache"),
        (Operation.CREATE, "/etc/app.conf"),
        (Operation.WRITE, "/etc/passwd"),
        (Operation.CREATE, "/marker"),
        uids=((0, 0), (0, 0)),
    )
    default, root = accounts(image(WorkingDir="/app"), tree, run)
    assert default.source == "default"
    assert default.chown == ("/app/data.db", "/app/secret.key")
    assert root.source == "root"


@pytest.mark.parametrize(
    ("user", "uid", "gid"),
    [
        ("redis", 100, 101),
        ("1000:1000", 1000, 1000),
        ("1000", 1000, 0),
        ("redis:web", 100, 200),
        ("100", 100, 101),
    ],
)
def test_a_non_root_user_stays_as_it_is(user, uid, gid):
    run = trace((Operation.CREATE, "/data/x"), uids=((0, 0), (33, 33)))
    (only,) = accounts(image(User=user), [entry("/data", D)], run)
    assert (only.user, only.uid, only.gid) == (user, uid, gid)
    assert (only.source, only.chown) == ("image", ())


def test_an_unknown_user_name_is_what_pid_1_ran_as():
    (only,) = accounts(image(User="ghost\x1b"), [], trace(uids=((70, 71),)))
    assert (only.user, only.uid, only.gid, only.source) == ("ghost\x1b", 70, 71, "image")
    assert "\x1b" not in only.why


def test_an_unknown_user_name_without_processes_is_not_trusted():
    sources = [account.source for account in accounts(image(User="ghost"), [], trace())]
    assert sources == ["default", "root"]


def test_root_keeps_the_images_own_words():
    *_, root = accounts(image(User="root:web"), [], trace())
    assert (root.user, root.uid, root.gid) == ("root:web", 0, 200)


def test_an_app_that_drops_to_the_default_is_tried_once():
    run = trace(uids=((0, 0), (65532, 65532)))
    assert [a.source for a in accounts(image(), [], run)] == ["dropped-to", "root"]


def test_pid_1_decides_and_then_the_most_common():
    many = ((0, 0), (5, 5), (33, 34), (33, 34))
    assert accounts(image(), [], trace(uids=many))[0].user == "33:34"
    assert accounts(image(), [], trace(uids=((5, 5), (33, 34), (33, 34))))[0].user == "5:5"


def test_without_live_processes_the_trace_tells():
    processes = (
        Process(1, 0, "/a", None, None),
        Process(2, 1, "/a", 33, 34),
        Process(3, 1, "/a", 33, 34),
        Process(4, 1, "/a", 0, 0),
    )
    assert accounts(image(), [], trace(processes=processes))[0].user == "33:34"


def test_the_engines_list_of_changes_counts_but_not_its_parents():
    tree = [entry("/srv/app/log", D), entry("/srv/app/state"), entry("/srv/app/quiet", D)]
    run = trace(
        changed=("/srv", "/srv/app", "/srv/app/log", "/srv/app/log/new", "/srv/app/state", "/new")
    )
    assert accounts(image(), tree, run)[0].chown == ("/srv/app/log", "/srv/app/state")


def test_a_written_volume_is_handed_over_whole_and_an_unwritten_one_is_not():
    tree = [
        entry("/v/a/b"),
        entry("/v/link", L, target="/etc/passwd"),
        entry("/w/c"),
        entry("/etc/passwd"),
    ]
    run = trace((Operation.CREATE, "/v/new"))
    first = accounts(image(Volumes={"/v": {}, "/w": {}, "/missing": {}}), tree, run)[0]
    assert first.chown == ("/v", "/v/a", "/v/a/b")


def test_hostile_paths_never_hand_out_the_system():
    tree = [
        entry("/app/evil", L, target="/etc/shadow"),
        entry("/app/loop", L, target="loop"),
        entry("/etc/shadow", mode=0o640),
        entry("/bin/sh", mode=0o755),
    ]
    run = trace(
        (Operation.WRITE, "/app/evil"),
        (Operation.OPEN, "/app/evil"),
        (Operation.WRITE, "/app/loop"),
        (Operation.WRITE, "/app/../../bin/sh"),
        (Operation.CREATE, ""),
        (Operation.REMOVE, "/"),
    )
    assert accounts(image(WorkingDir="/app", Volumes={"/": {}}), tree, run)[0].chown == ()


def test_removing_a_link_concerns_its_directory_not_its_target():
    tree = [entry("/app/current", L, target="/data/one"), entry("/data/one")]
    run = trace((Operation.REMOVE, "/app/current"))
    assert accounts(image(), tree, run)[0].chown == ("/app",)


def test_failed_calls_change_nothing():
    failed = FileEvent("/app/x", Operation.CREATE, "EACCES", "/app", "start")
    run = Trace("sha256:1", Activity((failed,)))
    assert accounts(image(), [entry("/app", D)], run)[0].chown == ()


HOME = [entry("/root", D, 0o700), entry("/root/.app/settings", mode=0o600)]


def test_what_the_run_used_of_its_home_is_handed_over_and_home_stays_there():
    used = trace((Operation.OPEN, "/root/.app/settings"))
    found = accounts(image(), HOME, used)[0]
    assert found.chown == ("/root", "/root/.app/settings")
    assert home_after(Tree(HOME), "/root", found) == "/root"
    unused = accounts(image(), HOME, trace((Operation.OPEN, "/root/.nothing")))[0]
    assert unused.chown == ()
    assert home_after(Tree(HOME), "/root", unused) == "/"
    assert home_after(Tree(HOME), "/nowhere", found) == "/"


@pytest.mark.parametrize(
    ("user", "home"),
    [("", "/root"), ("0", "/root"), ("redis", "/data"), ("100:33", "/data"), ("nobody", "/")],
)
def test_home_of_a_user(user: str, home: str):
    assert home_of(user, passwd=PASSWD) == home


def test_unreadable_paths_are_told_and_only_the_apps_own_handed_over():
    tree = Tree(
        [
            entry("/root", D, 0o700),
            entry("/root/notes"),
            entry("/etc/shadow", mode=0o640),
            entry("/srv/app/run", mode=0o700),
            entry("/srv/app/private", D, 0o700),
            entry("/srv/app/private/key"),
            entry("/srv/app/open"),
        ]
    )
    run = trace(
        (Operation.STAT, "/root/notes"),
        (Operation.OPEN, "/etc/shadow"),
        (Operation.EXEC, "/srv/app/run"),
        (Operation.LIST, "/srv/app/private"),
        (Operation.OPEN, "/srv/app/private/key"),
        (Operation.OPEN, "/srv/app/open"),
        (Operation.OPEN, "/srv/app/gone"),
    )
    img = image(Entrypoint=["/srv/app/run"])
    found = unreadable(img, tree, run, Identity(65532, 65532))
    assert [(item.path, item.handed_over) for item in found] == [
        ("/etc/shadow", False),
        ("/root", False),
        ("/srv/app/private", True),
        ("/srv/app/run", True),
    ]
    assert "may not read it (0640)" in found[0].why
    assert unreadable(img, tree, run, Identity(0, 0)) == ()


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "bits", "expected"),
    [
        (0o700, 7, 9, 7, True),
        (0o070, 7, 8, 7, False),
        (0o070, 9, 8, 7, True),
        (0o007, 9, 8, 7, False),
        (0o007, 9, 9, 7, True),
        (0o444, 9, 9, 2, False),
        (0o000, 0, 0, 7, True),
    ],
)
def test_the_first_class_that_matches_decides(mode, uid, gid, bits, expected):
    assert permits(Entry(ImagePath("/x"), F, mode, 7, 8), Identity(uid, gid), bits) is expected
