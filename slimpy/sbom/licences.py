"""Which licence texts are expressions that every reader of SPDX knows."""

from __future__ import annotations

import re

# fmt: off
KNOWN = frozenset((
    "0BSD", "AFL-2.1", "AGPL-3.0-only", "AGPL-3.0-or-later", "Apache-2.0", "Artistic-2.0",
    "BlueOak-1.0.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC-BY-3.0", "CC-BY-4.0",
    "CC0-1.0", "CDDL-1.0", "EPL-1.0", "EPL-2.0", "GPL-2.0-only", "GPL-2.0-or-later",
    "GPL-3.0-only", "GPL-3.0-or-later", "ISC", "LGPL-2.0-or-later", "LGPL-2.1-only",
    "LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later", "MIT", "MPL-1.1", "MPL-2.0",
    "OpenSSL", "PostgreSQL", "PSF-2.0", "Python-2.0", "Ruby", "Unicode-DFS-2016", "Unlicense",
    "Vim", "WTFPL", "X11", "Zlib",
))
# fmt: on
"""The identifiers of the SPDX licence list that packages use most."""

_WORD = re.compile(r"[()]|[^\s()]+")


def is_expression(text: str) -> bool:
    """Whether a text is an SPDX expression of known licences (SPDX 2.3, annex D)."""
    depth, wants = 0, True
    for word in _WORD.findall(text):
        if word == "(" and wants:
            depth += 1
        elif word == ")" and not wants and depth:
            depth -= 1
        elif word in ("AND", "OR") and not wants:
            wants = True
        elif word in KNOWN and wants:
            wants = False
        else:
            return False
    return not wants and not depth
