"""What the image's configuration says about Java's class path (java(1), "java - launch")."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from slimpy.keep.rules.reach import beside
from slimpy.keep.scene import Scene

_PATHS = frozenset({"-jar", "-cp", "-classpath", "--class-path", "-p", "--module-path"})
_WITH_EQUALS = ("--class-path=", "--module-path=", "-Xbootclasspath/a:", "-Dloader.path=")
_OPTIONS = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "JAVA_OPTS")
_MOST_WORDS = 10_000


@dataclass(frozen=True, slots=True)
class Item:
    """One element of a class path; ``pattern`` if all jars of the directory are meant."""

    path: str
    pattern: bool
    source: str


def class_path(scene: Scene) -> tuple[Item, ...]:
    """The elements of all class paths in the entrypoint, the command and the environment."""
    environment = scene.image.environment
    found: list[Item] = []
    for source, words in (
        ("entrypoint and command", (*scene.image.entrypoint, *scene.image.command)),
        *((variable, _words(environment.get(variable, ""))) for variable in _OPTIONS),
    ):
        # The shell form is one word with a whole command in it.
        flat = [part for word in words for part in (_words(word) if " " in word else [word])]
        found += _items(scene, flat[:_MOST_WORDS], source)
    found += _split(scene, environment.get("CLASSPATH", ""), "CLASSPATH")
    return tuple(dict.fromkeys(found))


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # an open quote
        return text.split()


def _items(scene: Scene, words: Sequence[str], source: str) -> Iterator[Item]:
    for word, following in pairwise((*words, "")):
        if word in _PATHS:
            yield from _split(scene, following, source)
        elif word.startswith("-javaagent:"):
            yield from _split(scene, word.partition(":")[2].partition("=")[0], source)
        else:
            for option in _WITH_EQUALS:
                if word.startswith(option):
                    paths = word.removeprefix(option).replace(",", ":")
                    yield from _split(scene, paths, source)


def _split(scene: Scene, text: str, source: str) -> Iterator[Item]:
    for part in text.split(":")[:_MOST_WORDS]:
        pattern = part == "*" or part.endswith("/*")
        plain = part.removesuffix("*")
        if not part or "$" in part or plain in (".", "./"):
            continue  # the current directory is the app's own tree, left to other rules
        path = beside("/", plain) if plain.startswith("/") else beside(scene.image.workdir, plain)
        if path != "/":
            yield Item(path, pattern, source)
