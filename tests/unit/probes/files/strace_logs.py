"""What the recorder's tests share: hand-written lines, and what a recorder makes of them."""

from __future__ import annotations

from probes.files.recorder import Recorder
from probes.model import Activity

START = '1 execve("/bin/app", [...], 0x7ff /* 3 vars */) = 0'
ABSENT = "-1 ENOENT (No such file or directory)"


def record(*lines: str, arch: str = "x86_64", complete: bool = True) -> Activity:
    recorder = Recorder(cwd="/srv", arch=arch)
    recorder.feed("".join(line + "\n" for line in lines).encode("latin-1"))
    return recorder.finish(complete=complete)


def events(activity: Activity) -> list[tuple[str, str, str | None]]:
    """All events but the first start of the program."""
    found = [(event.operation.value, event.path, event.error) for event in activity.events]
    return [event for event in found if event != ("exec", "/bin/app", None)]


def by_executable(activity: Activity) -> set[tuple[str, str]]:
    return {(event.executable, event.path) for event in activity.events}


def warned(activity: Activity) -> dict[str, int]:
    return {warning.code: warning.count for warning in activity.warnings}


def socket(kind: str, inode: int, family: str = "AF_INET") -> str:
    return f"1 socket({family}, {kind}|SOCK_CLOEXEC, IPPROTO_IP) = 3<socket:[{inode}]>"


def bound(inode: int, port: int, address: str = "0.0.0.0") -> str:
    name = f'{{sa_family=AF_INET, sin_port=htons({port}), sin_addr=inet_addr("{address}")}}'
    return f"1 bind(3<socket:[{inode}]>, {name}, 16) = 0"
