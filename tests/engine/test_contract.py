"""The contract of an Engine, run against the real one: every engine must pass these tests."""

from __future__ import annotations

import io
import os
import socket
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from probes.model import Operation
from slimpy.engine.docker import DockerEngine
from slimpy.engine.embedded.engine import EmbeddedEngine
from slimpy.engine.protocol import ALONE, HOST, Engine, RunSpec, Workspace
from slimpy.engine.session import LABEL, temporary_tag
from slimpy.errors import ContainerStartError, ImageNotFoundError, UsageError
from slimpy.image import listing
from slimpy.image.tree import Tree
from slimpy.model import FileType, ImagePath
from slimpy.xray.steps import steps
from tests.polling import eventually

pytestmark = pytest.mark.engine

DEBIAN = "debian:bookworm"
DEADLINE = 30.0


ENGINES = {
    "docker": "engine",
    "podman": "podman_engine",
    "rootless podman": "rootless_podman_engine",
    "embedded": "embedded_engine",
}


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn."""
    found: Engine = request.getfixturevalue(ENGINES[request.param])
    return found


@pytest.fixture(scope="module")
def debian(engine: Engine) -> Iterator[Workspace]:
    with engine.workspace(engine.inspect(DEBIAN, pull=False)) as workspace:
        yield workspace


def shell(script: str, **options: object) -> RunSpec:
    return RunSpec(traced=True, command=("/bin/sh", "-c", script), **options)  # type: ignore[arg-type]


def ours(engine: Engine) -> list[str]:
    """The containers and volumes that this process made."""
    if isinstance(engine, EmbeddedEngine):
        return [str(path) for path in (engine.store.directory / "runs").glob("*/*")]
    assert isinstance(engine, DockerEngine)
    api = engine._client.api
    found = {item["Id"]: item for item in api.containers(all=True, filters={"label": LABEL})}
    volumes = api.volumes(filters={"label": LABEL}).get("Volumes") or []
    found |= {item["Name"]: item for item in volumes}
    return [name for name, item in found.items() if f".{os.getpid()}." in item["Labels"][LABEL]]


def test_an_image_is_found_by_name_and_by_id(engine: Engine) -> None:
    named = engine.inspect(DEBIAN, pull=False)
    assert engine.inspect(named.id, pull=False).id == named.id
    assert engine.inspect(named.id.removeprefix("sha256:")[:12], pull=False).id == named.id
    assert named.os == "linux" and named.size > 10_000_000


def test_names_are_those_of_the_store(engine: Engine) -> None:
    names = engine.names()
    assert any(name in (DEBIAN, f"localhost/{DEBIAN}") for name in names)
    assert list(names) == sorted(names) and not any("<none>" in name for name in names)


def test_the_history_tells_what_made_the_image(engine: Engine) -> None:
    image = engine.inspect(DEBIAN, pull=False)
    found = engine.history(image)
    sizes = [entry.size for entry in found if entry.size]
    assert sizes and sizes[0] > 10_000_000, "the base comes first"
    assert sum(sizes) == pytest.approx(image.size, rel=0.05)
    assert sum(entry.empty is False for entry in found) in (0, len(image.layers))
    assert all(entry.created.startswith("20") for entry in found)
    facts = steps(found, len(image.layers))
    assert [step.layer for step in facts if step.bytes] == list(range(1, len(sizes) + 1))


def test_a_missing_image_is_one_clear_error(engine: Engine) -> None:
    with pytest.raises(ImageNotFoundError) as caught:
        engine.inspect("slimpy-test/no-such-image:1", pull=True)
    assert "slimpy-test/no-such-image:1" in caught.value.message
    assert caught.value.hint


def test_the_listing_is_the_image(debian: Workspace) -> None:
    tree = Tree(listing.parse(debian.listing()))
    passwd, link = tree.get(ImagePath("/etc/passwd")), tree.get(ImagePath("/bin"))
    assert passwd is not None and passwd.type is FileType.FILE and passwd.mode == 0o644
    assert link is not None and link.type is FileType.LINK and link.target == "usr/bin"
    hidden = ("/proc/", "/sys/", "/dev/", "/.slimpy")
    assert not any(entry.path.startswith(hidden) for entry in tree)


def test_the_archive_holds_just_what_was_asked(debian: Workspace) -> None:
    wanted = [ImagePath("/etc"), ImagePath("/etc/passwd"), ImagePath("/bin")]
    data = b"".join(debian.archive(wanted))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = {member.name: member for member in tar}
    assert sorted(members) == ["./bin", "./etc", "./etc/passwd"]
    assert members["./bin"].linkname == "usr/bin"
    assert members["./etc/passwd"].size > 100


def test_a_traced_run_is_that_of_the_untraced_one(debian: Workspace) -> None:
    script = "readlink /proc/$$/exe; echo $$; echo ${LD_LIBRARY_PATH-unset}; echo err >&2; exit 42"
    with debian.run(shell(script)) as container:
        container.start()
        assert container.wait(DEADLINE) == 42
        assert container.output() == (b"/usr/bin/dash\n1\nunset\n", b"err\n")
        activity = container.activity()
    assert activity.complete and not activity.warnings
    opened = {event.final for event in activity.events if event.operation is Operation.OPEN}
    assert any(path and path.endswith("/libc.so.6") for path in opened)


def test_a_user_without_privilege_is_traced_too(debian: Workspace) -> None:
    with debian.run(shell("id -u; cat /etc/shadow", user="1000:1000")) as container:
        container.start()
        assert container.wait(DEADLINE) == 1
        assert container.output()[0] == b"1000\n"
        events = container.activity().events
    assert any(event.path == "/etc/shadow" and event.error == "EACCES" for event in events)


def test_setuid_programs_keep_their_privilege(debian: Workspace) -> None:
    with debian.run(shell("su -s /bin/true root </dev/null; passwd -S", user="1000")) as container:
        container.start()
        container.wait(DEADLINE)
        events = container.activity().events
    assert any(event.path == "/etc/shadow" and event.error is None for event in events)


def test_a_program_that_waits_for_all_its_children_can_stop(debian: Workspace) -> None:
    waits = "$SIG{TERM} = sub { 1 while wait() > 0; exit 7 }; print qq(up\\n); sleep 1 while 1"
    spec = RunSpec(traced=True, command=("/usr/bin/perl", "-e", f"$| = 1; {waits}"))
    with debian.run(spec) as container:
        container.start()
        eventually(lambda: container.output()[0] == b"up\n", timeout=DEADLINE)
        assert container.stop(20) == 7
        activity = container.activity()
    assert activity.complete
    assert [warning.code for warning in activity.warnings] == ["tracer-ended"]
    assert "wait4" in {use.name for use in activity.syscalls}


def test_the_end_of_a_trace_is_not_lost(debian: Workspace) -> None:
    script = "i=0; while [ $i -lt 300 ]; do [ -e /tmp/look-$i ]; i=$((i+1)); done; exit 3"
    with debian.run(shell(script)) as container:
        container.start()
        assert container.wait(DEADLINE) == 3
        seen = {event.path for event in container.activity().events}
    assert {f"/tmp/look-{number}" for number in range(300)} <= seen


def test_commands_run_beside_the_app_are_traced(debian: Workspace) -> None:
    with debian.run(shell("exec sleep 100")) as container:
        container.start()
        argv = ["cat", "-", "/etc/debian_version"]
        answer = container.execute(argv, stdin=b"in\n", during="probe")
        assert answer.exit_code == 0
        assert answer.stdout.startswith(b"in\n12.")
        assert container.execute(["sh", "-c", "exit 7"]).exit_code == 7
        with pytest.raises(TimeoutError):
            container.execute(["sleep", "100"], timeout=0.5)
        container.stop(1.0)
        events = container.activity().events
    assert any(
        event.path == "/etc/debian_version" and event.during == "probe" and event.error is None
        for event in events
    )


def test_a_stopped_app_takes_no_commands(debian: Workspace) -> None:
    with debian.run(shell("exit 0")) as container:
        container.start()
        container.wait(DEADLINE)
        with pytest.raises(ConnectionError):
            container.execute(["true"])


def test_signals_reach_the_app(debian: Workspace) -> None:
    script = "trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.1; done"
    with debian.run(shell(script)) as container:
        container.start()
        assert container.execute(["true"]).exit_code == 0
        # A first process that has no handler yet does not hear the signal.
        eventually(lambda: container.output()[0] == b"ready\n", timeout=DEADLINE)
        assert container.stop(DEADLINE) == 5
        assert container.output()[0] == b"ready\nbye\n"


def test_input_and_files_go_in_and_files_come_out(debian: Workspace) -> None:
    script = "cat > /srv/out; cat /srv/deep/in >> /srv/out"
    spec = shell(script, stdin=b"one\n", files=(("/srv/deep/in", b"two\n"),))
    with debian.run(spec) as container:
        container.start()
        assert container.wait(DEADLINE) == 0
        assert container.read_file("/srv/out") == b"one\ntwo\n"
        assert container.read_file("/srv/none") is None


def test_variables_that_load_libraries_reach_only_the_app(debian: Workspace) -> None:
    spec = shell("echo $LD_PRELOAD", environment={"LD_PRELOAD": "/nowhere.so"})
    with debian.run(spec) as container:
        container.start()
        assert container.wait(DEADLINE) == 0
        out, err = container.output()
    assert out == b"/nowhere.so\n"
    assert b"strace" not in err


def test_listening_sockets_are_seen_in_the_trace(engine: Engine) -> None:
    image = engine.inspect("slimpy-sample/static-c", pull=False)
    spec = RunSpec(traced=True, ports=image.exposed)
    with engine.workspace(image) as workspace, workspace.run(spec) as run:
        run.start()
        (port,) = image.exposed
        listeners = eventually(run.listeners, timeout=DEADLINE)
        assert {item.port for item in listeners} == {port}
        address = run.address(port)
        assert address is not None and address[0] == "127.0.0.1"
        uid = int(image.user.partition(":")[0])
        assert {identity[0] for identity in run.identities()} == {uid}
        run.stop(DEADLINE)
        assert run.activity().complete


def test_a_container_can_share_the_network_of_the_machine(
    engine: Engine, debian: Workspace
) -> None:
    """It sees a listener of ours, its own ports are the machine's, and no setting is changed."""
    setting = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    before = setting.read_text()
    with socket.create_server(("127.0.0.1", 0)) as ours:
        port = f":{ours.getsockname()[1]:04X} "
        script = "cat /proc/net/tcp"
        spec = shell(script, network=HOST, ports=(8080,))
        with debian.run(spec) as container:
            container.start()
            assert container.address(8080) == ("127.0.0.1", 8080)
            assert container.wait(DEADLINE) == 0
            assert port in container.output()[0].decode()
        with debian.run(shell(script)) as container:
            container.start()
            assert container.wait(DEADLINE) == 0
            assert port not in container.output()[0].decode()
    assert setting.read_text() == before


def test_a_container_can_have_no_network(debian: Workspace) -> None:
    with debian.run(shell("cat /proc/net/dev | wc -l", network=ALONE)) as container:
        container.start()
        assert container.wait(DEADLINE) == 0
        assert int(container.output()[0]) == 3  # two lines of titles, and the loopback


def test_a_network_that_is_not_there_is_one_clear_error(debian: Workspace) -> None:
    nowhere = shell("true", network="slimpy-nowhere")
    with pytest.raises(UsageError, match="no network slimpy-nowhere"), debian.run(nowhere):
        pass


def test_an_entrypoint_that_is_not_there_is_an_error(debian: Workspace) -> None:
    with debian.run(RunSpec(traced=False, entrypoint=("/no/such/program",))) as container:
        with pytest.raises(ContainerStartError) as caught:
            container.start()
        assert "/no/such/program" in caught.value.message


def test_nothing_of_ours_is_left(engine: Engine) -> None:
    before = set(ours(engine))
    debian = engine.inspect(DEBIAN)
    with (
        pytest.raises(KeyError),
        engine.workspace(debian) as workspace,
        workspace.run(shell("sleep 100")) as container,
    ):
        container.start()
        assert set(ours(engine)) > before
        raise KeyError
    assert set(ours(engine)) <= before


def test_a_loaded_image_carries_its_tag_until_it_is_taken_away(
    engine: Engine, tmp_path: Path
) -> None:
    image = engine.inspect("slimpy-sample/static-c", pull=False)
    tag = temporary_tag()
    engine.tag(image, tag)
    assert engine.inspect(tag, pull=False).id == image.id
    engine.remove_tag(tag)
    engine.remove_tag(tag)
    with pytest.raises(ImageNotFoundError):
        engine.inspect(tag, pull=False)
    assert engine.inspect(image.id, pull=False).tags
