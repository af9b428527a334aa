"""`slim xray --interactive` in a real terminal, and what it says where it cannot run."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from click.testing import CliRunner

from slimpy.cli.xray import command
from slimpy.errors import INTERRUPTED, ThresholdError, UsageError
from tests.polling import eventually
from tests.sources import docker_save, written
from tests.unit.xray.images import file, image, layer

START = "import sys; from slimpy.cli import main; sys.exit(main())"
WITHOUT = f"import sys; sys.modules['textual'] = None; {START}"
LEFT = b"\x1b[?1049l"  # the terminal's own screen is back
END = b"\x1b[F"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> str:
    made = image([layer(file("etc/planted", b"x" * 1234))], config={"User": "app"})
    path = tmp_path_factory.mktemp("image") / "image.tar"
    return f"docker-archive:{written(path, docker_save(made, 'planted:1'))}"


class Terminal:
    """A program in a terminal of 120 columns and 30 lines; it ends with the block."""

    def __init__(self, *arguments: str, script: str = START) -> None:
        self.seen = b""
        self._since = 0
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
        os.set_blocking(self._ours, False)
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "30"},
        )
        os.close(theirs)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_error: object) -> None:
        self.process.kill()
        self.process.wait(timeout=60)
        os.close(self._ours)

    def until(self, text: bytes) -> None:
        """Wait for a text that comes after the last keys."""
        eventually(lambda: text in self._read()[self._since :], timeout=60)

    def press(self, keys: bytes) -> None:
        self._since = len(self.seen)
        os.write(self._ours, keys)

    def end(self) -> int:
        """Its exit code; everything it printed is read."""
        return eventually(self._ended, timeout=60)[0]

    def _ended(self) -> tuple[int] | None:
        self._read()
        code = self.process.poll()
        return None if code is None else (code,)

    def _read(self) -> bytes:
        try:
            while piece := os.read(self._ours, 65536):
                self.seen += piece
        except (BlockingIOError, OSError):
            pass
        return self.seen


def test_it_shows_the_image_and_gives_the_terminal_back(archive: str) -> None:
    with Terminal("xray", archive, "--interactive") as terminal:
        terminal.until(b"Quit")
        terminal.press(b"/")
        terminal.until(b"part of the path")
        terminal.press(b"planted")
        terminal.until("with “planted”".encode())
        terminal.press(b"\r")
        terminal.until(b"Fold")
        terminal.press(END)
        terminal.until(b"/etc/planted")
        terminal.press(b"q")
        assert terminal.end() == 0
    assert LEFT in terminal.seen


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_gives_the_terminal_back(archive: str, number: signal.Signals) -> None:
    with Terminal("xray", archive, "-i") as terminal:
        terminal.until(b"Quit")
        terminal.process.send_signal(number)
        assert terminal.end() == INTERRUPTED
    assert LEFT in terminal.seen


def test_thresholds_are_judged_afterwards(archive: str) -> None:
    with Terminal("xray", archive, "-i", "--max-size", "1KB") as terminal:
        terminal.until(b"Quit")
        terminal.press(b"q")
        assert terminal.end() == ThresholdError.exit_code
    assert b"breaks the threshold max-size" in terminal.seen.split(LEFT)[-1]


def test_without_the_library_it_says_how_to_get_it(tmp_path: Path) -> None:
    missing = f"docker-archive:{tmp_path / 'none.tar'}"
    with Terminal("xray", missing, "-i", script=WITHOUT) as terminal:
        assert terminal.end() == UsageError.exit_code
    assert b"pip install 'slimpy[tui]'" in terminal.seen, "said before the image is looked for"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ([], "--interactive needs a terminal"),
        (["--json"], "--json prints it"),
        (["--dockerfile"], "--dockerfile prints it"),
    ],
)
def test_where_it_makes_no_sense_it_says_so(archive: str, more: list[str], told: str) -> None:
    done = CliRunner().invoke(command, [archive, "-i", *more], standalone_mode=False)
    assert isinstance(done.exception, UsageError)
    assert told in done.exception.message and done.exception.hint


def test_a_redirected_output_is_no_terminal(archive: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", START, "xray", archive, "-i"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (UsageError.exit_code, "")
    assert "--interactive needs a terminal for its input and its output." in done.stderr
