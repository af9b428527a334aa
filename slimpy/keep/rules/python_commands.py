"""Python on command lines: ``python -m MODULE``, ``python -c CODE``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import pairwise

LONGEST_COMMAND = 16 << 10
"""Characters of a command line that is taken apart."""

_MODULE = re.compile(
    r"\bpython[\d.]{0,6}[ \t]{1,4}(?:-[A-Za-z]{1,4}[ \t]{1,4}){0,4}-m[ \t]{0,4}([\w.]{1,120})"
)
_OPTIONS = frozenset({"-m", "-c"})


def options(argv: Sequence[str]) -> Iterator[tuple[str, str]]:
    """``-m`` and ``-c`` with what follows, also in arguments that are shell commands themselves."""
    yield from (pair for pair in pairwise(argv) if pair[0] in _OPTIONS)
    for text in argv:
        if " " in text and "python" in text and len(text) <= LONGEST_COMMAND:
            try:
                words = shlex.split(text)
            except ValueError:  # an open quote
                continue
            yield from (pair for pair in pairwise(words) if pair[0] in _OPTIONS)


def modules_run(script: str) -> list[str]:
    """The modules that a script of a shell runs with ``python -m``."""
    return _MODULE.findall(script)
