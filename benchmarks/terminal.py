"""What programs show on a terminal, as a page to be photographed."""

from __future__ import annotations

import fcntl
import html
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import pyte

PROMPT = "\x1b[32m$\x1b[0m "
_SETTLED = 0.7
"""Seconds of silence after which a screen is taken to be drawn."""
_LONGEST = 300.0
_WHOLE_SCREEN = b"\x1b[?1049h"
"""What programs of the whole screen begin with."""
_NAMES = {
    "black": "#15161e", "red": "#e06c75", "green": "#98c379", "brown": "#e5c07b",
    "blue": "#61afef", "magenta": "#c678dd", "cyan": "#56b6c2", "white": "#d7dae0",
    "brightblack": "#7f848e", "brightred": "#ff7b86", "brightgreen": "#b5e890",
    "brightbrown": "#ffd68a", "brightblue": "#82c8ff", "brightmagenta": "#e19bff",
    "brightcyan": "#7fe0e8", "brightwhite": "#ffffff",
}  # fmt: skip
_FRONT, _BACK = "#d7dae0", "#1b1d23"


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: commands one after the other, keys for the last one, and the terminal's size.

    ``first`` and ``last`` choose lines of the output (from 0; negative from the end).
    """

    name: str
    commands: tuple[tuple[str, ...], ...]
    columns: int = 118
    rows: int = 60
    keys: tuple[str, ...] = ()
    first: int = 0
    last: int | None = None


def page(shot: Shot, program: str, environment: dict[str, str], cwd: str) -> str:
    """The page of a picture.

    Args:
        program: what ``slim`` of the commands stands for.
    """
    screen = pyte.Screen(shot.columns, shot.rows)
    stream = pyte.ByteStream(screen)
    for number, command in enumerate(shot.commands):
        keys = shot.keys if number + 1 == len(shot.commands) else ()
        if not keys:
            stream.feed(f"{PROMPT}{' '.join(command)}\r\n".encode())
        argv = [program, *command[1:]] if command[0] == "slim" else list(command)
        _run(argv, stream, shot, keys, environment, cwd)
    return _page(list(_lines(screen))[shot.first : shot.last], shot.columns)


def _run(
    argv: Sequence[str],
    stream: pyte.ByteStream,
    shot: Shot,
    keys: Sequence[str],
    environment: dict[str, str],
    cwd: str,
) -> None:
    """Run a program to its end, or until its screen stands still after the last key."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        os.execvpe(argv[0], argv, environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", shot.rows, shot.columns, 0, 0))
    try:
        _feed(terminal, stream, keys)
    finally:
        os.kill(pid, signal.SIGTERM)
        os.close(terminal)
        os.waitpid(pid, 0)


def _feed(terminal: int, stream: pyte.ByteStream, keys: Sequence[str]) -> None:
    waiting = list(keys)
    drawing = not keys
    began = time.monotonic()
    while time.monotonic() - began < _LONGEST:
        patience = _SETTLED if keys and drawing else _LONGEST
        ready, _, _ = select.select([terminal], [], [], patience)
        if ready:
            try:
                data = os.read(terminal, 65536)
            except OSError:  # the program has ended
                return
            if not data:
                return
            drawing = drawing or _WHOLE_SCREEN in data
            stream.feed(data)
        elif waiting:
            os.write(terminal, waiting.pop(0).encode())
        else:
            return


def _lines(screen: pyte.Screen) -> Iterator[str]:
    """The lines that are not empty at the end, in HTML."""
    used = max(
        (y for y, row in screen.buffer.items() if any(c.data != " " for c in row.values())),
        default=0,
    )
    for y in range(used + 1):
        row = [screen.buffer[y][x] for x in range(screen.columns)]
        yield "".join(
            _span(style, "".join(cell.data for cell in cells))
            for style, cells in groupby(row, _style)
        )


def _style(cell: pyte.screens.Char) -> str:
    front, back = _colour(cell.fg, _FRONT), _colour(cell.bg, _BACK)
    if cell.reverse:
        front, back = back, front
    weight = ";font-weight:700" if cell.bold else ""
    slant = ";font-style:italic" if cell.italics else ""
    return f"color:{front};background:{back}{weight}{slant}"


def _colour(name: str, usual: str) -> str:
    return usual if name == "default" else _NAMES.get(name, f"#{name}")


def _span(style: str, text: str) -> str:
    return f'<span style="{style}">{html.escape(text)}</span>'


def _page(lines: Sequence[str], columns: int) -> str:
    return f"""<!doctype html><meta charset="utf-8"><title>terminal</title>
<style>
body {{ margin: 0; background: {_BACK}; overflow: hidden; }}
pre {{ margin: 0; padding: 18px 22px; width: {columns}ch;
    font: 15px/1.32 "DejaVu Sans Mono", monospace; }}
span {{ padding: 0.078em 0; }}
</style>
<pre>{chr(10).join(lines)}</pre>
"""
