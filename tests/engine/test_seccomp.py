"""Profiles from real traces are accepted by a real runtime, let the app run and refuse the rest."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import shutil
import subprocess
import tarfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from probes.model import Activity, SyscallUse
from slimpy.harden.seccomp import profile, to_json

docker = pytest.importorskip("docker")

pytestmark = pytest.mark.engine

IMAGE = "debian:bookworm"
CALL = re.compile(r"^\d+ +(?:<\.\.\. )?([a-z_0-9]+)(?:\(| resumed>)")
FAILURE = re.compile(r" = -1 (E[A-Z0-9]+) ")

PROBE = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void tell(const char *name, long result) {
    printf("%s %s\n", name, result == -1 ? strerrorname_np(errno) : "ok");
}
#define TRY(name, ...) tell(#name, syscall(SYS_##name, __VA_ARGS__))

int main(int argc, char **argv) {
    puts("hello ok");
    if (argc == 1) return 0;
    TRY(mount, 0L, 0L, 0L, 0L, 0L);
    TRY(umount2, 0L, 0L);
    TRY(pivot_root, 0L, 0L);
    TRY(move_mount, -1L, 0L, -1L, 0L, 0L);
    TRY(fsopen, 0L, 0L);
    TRY(swapon, 0L, 0L);
    TRY(open_by_handle_at, -1L, 0L, 0L);
    TRY(setns, -1L, 0L);
    TRY(unshare, 0L);
    TRY(sethostname, 0L, -1L);
    TRY(ptrace, 9999L, 0L, 0L, 0L);
    TRY(process_vm_readv, 0L, 0L, 0L, 0L, 0L, -1L);
    TRY(pidfd_getfd, -1L, 0L, 0L);
    TRY(bpf, -1L, 0L, 0L);
    TRY(perf_event_open, 0L, 0L, 0L, 0L, 0L);
    TRY(userfaultfd, -1L);
    TRY(keyctl, -1L, 0L, 0L, 0L, 0L);
    TRY(add_key, 0L, 0L, 0L, 0L, 0L);
    TRY(request_key, 0L, 0L, 0L, 0L);
    TRY(init_module, 0L, 0L, 0L);
    TRY(finit_module, -1L, 0L, 0L);
    TRY(delete_module, 0L, 0L);
    TRY(kexec_load, 0L, 0L, 0L, 0xffffL);
    TRY(reboot, 0L, 0L, 0L, 0L);
    TRY(syslog, -1L, 0L, 0L);
    TRY(clock_settime, -1L, 0L);
    TRY(io_uring_setup, 0L, 0L);
    TRY(clone3, 0L, 0L);
    TRY(memfd_secret, -1L);
    long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0L, 0L, 0L, 0L);
    if (child == 0) _exit(0);
    tell("clone-newuser", child == -1 ? -1 : 0);
    return 0;
}
"""


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    try:
        client = docker.from_env(timeout=120)
        client.ping()
    except docker.errors.DockerException as error:
        pytest.skip(f"no Docker engine: {error}")
    try:
        client.images.get(IMAGE)
    except docker.errors.ImageNotFound:
        client.images.pull(IMAGE)
    yield client
    client.close()


@pytest.fixture(scope="module")
def static_program(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    directory = tmp_path_factory.mktemp("static")
    source = directory / "probe.c"
    source.write_text(PROBE)
    command = ["gcc", "-static", "-O1", "-o", str(directory / "probe"), str(source)]
    subprocess.run(command, check=True, timeout=120)
    return (directory / "probe").read_bytes()


@pytest.fixture(scope="module")
def tracer() -> Mapping[str, bytes]:
    """The host's strace with its loader and libraries, by their path in a container."""
    strace = shutil.which("strace")
    assert strace, "strace is not installed"
    listed = subprocess.run(["ldd", strace], capture_output=True, text=True, check=True, timeout=60)
    files = {"/st/strace": Path(strace).read_bytes()}
    for path in re.findall(r"(/\S+) \(0x", listed.stdout):
        name = "ld.so" if "/ld-" in path else Path(path).name
        files[f"/st/{name}"] = Path(path).read_bytes()
    return files


class Box:
    """A container for one test, with files put into it, removed at the end."""

    def __init__(self, client, argv: Sequence[str], files: Mapping[str, bytes], **options):
        self.container = client.containers.create(
            IMAGE, list(argv), entrypoint=[], network_mode="none", labels=["slimpy-test"], **options
        )
        if files:
            self.container.put_archive("/", tar_of(files))

    def __enter__(self):
        return self.container

    def __exit__(self, *_):
        self.container.remove(force=True)


def tar_of(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, data in files.items():
            info = tarfile.TarInfo(path.lstrip("/"))
            info.mode, info.size = 0o755, len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def traced(client, tracer, argv: Sequence[str], files: Mapping[str, bytes] | None = None):
    strace = ["/st/ld.so", "--library-path", "/st", "/st/strace"]
    command = [*strace, "-f", "-qq", "-o", "/st/log", "--", *argv]
    with Box(client, command, {**tracer, **(files or {})}, cap_add=["SYS_PTRACE"]) as box:
        box.start()
        assert box.wait(timeout=60)["StatusCode"] == 0, box.logs()
        chunks, _ = box.get_archive("/st/log")
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
            log = tar.extractfile("log").read().decode("ascii", "backslashreplace")
    outcomes = defaultdict(set)
    for line in log.splitlines():
        if call := CALL.match(line):
            failure = FAILURE.search(line)
            if not line.endswith("<unfinished ...>"):
                outcomes[call[1]].add(failure[1] if failure else "ok")
    uses = (SyscallUse(name, "x86_64", argv[0], frozenset(o)) for name, o in outcomes.items())
    return Activity(syscalls=tuple(uses))


def run(client, argv: Sequence[str], text: str, *, nnp: bool, files=None, **options):
    security = [f"seccomp={text}"] + (["no-new-privileges"] if nnp else [])
    with Box(client, argv, files or {}, security_opt=security, **options) as box:
        box.start()
        code = box.wait(timeout=60)["StatusCode"]
        return code, box.logs().decode()


PROGRAMS = {
    "ls": (["/bin/ls", "/"], "etc"),
    "shell": (["/bin/sh", "-c", "echo hi; cat /etc/hostname; true | cat"], "hi"),
    "static": (["/probe"], "hello ok"),
}
CAPABILITIES = [
    "DAC_READ_SEARCH",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_MODULE",
    "SYS_PTRACE",
    "SYS_TIME",
]
OPTIONS = ({}, {"user": "65532:65532"}, {"init": True})


@pytest.mark.parametrize("nnp", [True, False], ids=["no-new-privileges", "plain"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_traced_program_starts_every_time(client, tracer, static_program, program, nnp):
    argv, expected = PROGRAMS[program]
    files = {"/probe": static_program}
    text = to_json(profile(traced(client, tracer, argv, files), no_new_privileges=nnp))
    for options in OPTIONS:
        for _ in range(5 if program == "static" else 2):
            code, output = run(client, argv, text, nnp=nnp, files=files, **options)
            assert (code, expected in output) == (0, True), (options, output)


def test_a_start_without_the_option_fails_under_the_short_profile(client, tracer, static_program):
    """Else the long row of the floor would be dead data."""
    files = {"/probe": static_program}
    text = to_json(profile(traced(client, tracer, ["/probe"], files), no_new_privileges=True))
    with pytest.raises(docker.errors.APIError):
        run(client, ["/probe"], text, nnp=False, files=files)


@pytest.mark.parametrize("nnp", [True, False], ids=["no-new-privileges", "plain"])
def test_docker_exec_works_under_the_profile(client, tracer, nnp):
    argv = ["/bin/sh", "-c", "echo up; read line; true"]
    text = to_json(profile(traced(client, tracer, argv), no_new_privileges=nnp))
    security = [f"seccomp={text}"] + (["no-new-privileges"] if nnp else [])
    with Box(client, argv, {}, stdin_open=True, security_opt=security) as box:
        box.start()
        for user in ("", "65532", "", "65532", ""):
            code, output = box.exec_run(["/bin/sh", "-c", "echo inside"], user=user)
            assert (code, output) == (0, b"inside\n")


def answers(output: str) -> dict[str, str]:
    return dict(line.split() for line in output.splitlines())


def test_unlisted_calls_are_refused_even_with_capabilities(client, tracer, static_program):
    files = {"/probe": static_program}
    activity = traced(client, tracer, ["/probe"], files)
    made = profile(activity, no_new_privileges=False)
    attack = ["/probe", "all"]
    options = {"files": files, "nnp": False, "cap_add": CAPABILITIES}
    code, output = run(client, attack, to_json(made), **options)
    assert code == 0
    got = answers(output)
    assert got.pop("hello") == "ok"
    absent = {"io_uring_setup", "clone3", "memfd_secret"}
    assert {name: got.pop(name) for name in absent} == dict.fromkeys(absent, "ENOSYS")
    assert got == dict.fromkeys(got, "EPERM")
    assert len(got) >= 27
    _, output = run(client, attack, "unconfined", **options)
    free = {name for name, answer in answers(output).items() if answer != "EPERM"}
    assert len(free & got.keys()) >= 15, "the kernel alone refused them: the test proves nothing"


def test_nothing_is_let_through_that_dockers_own_profile_refuses(client, tracer, static_program):
    """The attack itself is traced: what the default profile refused there stays refused."""
    files = {"/probe": static_program}
    attack = ["/probe", "all"]
    made = profile(traced(client, tracer, attack, files), no_new_privileges=False)
    with Box(client, attack, files) as box:
        box.start()
        box.wait(timeout=60)
        default = answers(box.logs().decode())
    _, output = run(client, attack, to_json(made), nnp=False, files=files, cap_add=CAPABILITIES)
    refused = {name for name, answer in default.items() if answer == "EPERM"}
    assert {"mount", "bpf", "keyctl", "unshare", "clone-newuser"} <= refused
    assert {name: answers(output)[name] for name in refused} == dict.fromkeys(refused, "EPERM")


def test_names_that_the_engine_does_not_know_are_ignored(client, tracer, static_program):
    files = {"/probe": static_program}
    activity = traced(client, tracer, ["/probe"], files)
    future = SyscallUse("call_of_a_later_kernel", "x86_64", "/probe", frozenset({"ok"}))
    newer = dataclasses.replace(activity, syscalls=(*activity.syscalls, future))
    text = to_json(profile(newer, no_new_privileges=True))
    assert "call_of_a_later_kernel" in json.loads(text)["syscalls"][0]["names"]
    assert run(client, ["/probe"], text, nnp=True, files=files) == (0, "hello ok\n")
