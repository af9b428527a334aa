"""What builds and package managers leave behind, by where it lies."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from slimpy.model import display


@dataclass(frozen=True, slots=True)
class Leftover:
    """Files of one kind that nothing needs at run time: their bytes, and how not to ship them."""

    kind: str
    files: int
    size: int
    advice: str
    example: str


@dataclass(frozen=True, slots=True)
class _Place:
    kind: str
    advice: str
    pattern: re.Pattern[str]


def _place(kind: str, advice: str, *patterns: str) -> _Place:
    return _Place(kind, advice, re.compile("|".join(patterns), re.DOTALL))


_PLACES = (
    _place(
        "apt package lists",
        "end the RUN with: rm -rf /var/lib/apt/lists/*",
        r"/var/lib/apt/lists/(?!lock$|partial$).+",
    ),
    _place(
        "apt archives and caches",
        "end the RUN with: apt-get clean",
        r"/var/cache/apt/.+",
        r"/var/cache/debconf/.+-old",
    ),
    _place("apk cache", "apk add --no-cache", r"/var/cache/apk/.+", r"/etc/apk/cache/.+"),
    _place(
        "dnf and yum caches",
        "end the RUN with: dnf clean all",
        r"/var/cache/(?:dnf|yum|zypp|pacman)/.+",
        r"/var/lib/dnf/repos/.+",
    ),
    _place("pip cache", "pip install --no-cache-dir", r".*/\.cache/(?:pip|uv|pypoetry)/.+"),
    _place(
        "npm cache",
        "npm ci, then npm cache clean --force; or RUN --mount=type=cache,target=/root/.npm",
        r".*/\.npm/(?:_cacache|_logs|_npx|_locks)/.+",
    ),
    _place(
        "yarn and pnpm caches",
        "yarn cache clean, or a cache mount",
        r".*/\.cache/yarn/.+",
        r"/usr/local/share/\.cache/.+",
        r".*/\.yarn/cache/.+",
        r".*/\.pnpm-store/.+",
        r".*/\.cache/(?:node|pnpm|corepack)/.+",
    ),
    _place(
        "gem cache",
        "end the RUN with: rm -rf $(gem env gemdir)/cache/*.gem",
        r".*/cache/[^/]+\.gem",
        r".*/\.bundle/cache/.+",
    ),
    _place(
        "cargo registry",
        "build in a stage of its own and copy the program",
        r".*/(?:\.cargo|usr/local/cargo)/(?:registry|git)/.+",
    ),
    _place(
        "Go build and module caches",
        "build in a stage of its own and copy the program",
        r".*/\.cache/go-build/.+",
        r".*/go/pkg/mod/.+",
    ),
    _place(
        "Java build caches",
        "build in a stage of its own and copy the jar",
        r".*/\.m2/repository/.+",
        r".*/\.gradle/(?:caches|wrapper)/.+",
        r".*/\.ivy2/cache/.+",
    ),
    _place(
        "Composer cache",
        "composer install --no-cache",
        r".*/\.composer/cache/.+",
        r".*/\.cache/composer/.+",
    ),
    _place(
        "version control",
        "name .git in .dockerignore",
        r".*/\.(?:git|hg|svn|bzr)/.+",
    ),
    _place(
        "node_modules: tests, documentation, maps and types",
        "npm ci --omit=dev, then prune what is left",
        r".*/node_modules/.*/(?:tests?|__tests__|docs?|examples?|coverage|\.github)/.+",
        r".*/node_modules/.+(?:\.d\.[cm]?ts|\.map|\.md|\.markdown|\.tsbuildinfo)",
    ),
    _place(
        "Python bytecode caches",
        "PYTHONDONTWRITEBYTECODE=1 during the build, where starting fast does not matter",
        r".*/__pycache__/.+",
    ),
    _place(
        "tests of Python packages",
        "remove them in the RUN that installs",
        r".*/(?:site|dist)-packages/.*/tests?/.+",
    ),
    _place(
        "manual pages",
        "dpkg's path-exclude, or rm -rf /usr/share/man",
        r"/usr/(?:local/)?share/man/.+",
    ),
    _place(
        "documentation",
        "dpkg's path-exclude=/usr/share/doc/*; keep the copyright files",
        r"/usr/(?:local/)?share/(?:doc|info|gtk-doc|doc-base|lintian|linda)/(?!.*/copyright$).+",
    ),
    _place(
        "headers and static libraries",
        "build in a stage of its own",
        r"/usr/(?:local/)?include/.+",
        r"/(?:usr/)?(?:local/)?lib(?:64)?/.+\.(?:a|la|o)",
    ),
    _place(
        "logs and crash dumps",
        "end the RUN with: rm -rf /var/log/*",
        r"/var/log/.+",
        r"/var/crash/.+",
    ),
    _place("temporary files", "rm -rf /tmp/* in the same RUN", r"/(?:var/)?tmp/.+"),
    _place(
        "editors' and desktops' files",
        "name them in .dockerignore",
        r".*/\.DS_Store",
        r".*/(?:\.idea|\.vscode)/.+",
        r".*\.sw[op]",
        r".*/Thumbs\.db",
    ),
    _place(
        "other caches",
        "remove them in the RUN that fills them",
        r"/root/\.cache/.+",
        r"/home/[^/]+/\.cache/.+",
    ),
)
"""The first that fits counts, so that no byte is counted twice."""

_ANY = re.compile("|".join(f"(?P<p{n}>{p.pattern.pattern})" for n, p in enumerate(_PLACES)), re.S)


def leftovers(files: Iterable[tuple[str, int]]) -> tuple[Leftover, ...]:
    """Sum up files (path, bytes stored) by what left them behind, the largest first."""
    counts: dict[int, list[int]] = {}
    examples: dict[int, tuple[int, str]] = {}
    for path, size in files:
        match = _ANY.fullmatch(path)
        if match is None or match.lastgroup is None:
            continue
        number = int(match.lastgroup[1:])
        count = counts.setdefault(number, [0, 0])
        count[0] += 1
        count[1] += size
        examples[number] = max(examples.get(number, (-1, "")), (size, path))
    found = (
        Leftover(_PLACES[n].kind, files, size, _PLACES[n].advice, display(examples[n][1]))
        for n, (files, size) in counts.items()
    )
    return tuple(sorted(found, key=lambda item: (-item.size, item.kind)))
