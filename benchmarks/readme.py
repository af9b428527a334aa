"""`python -m benchmarks.readme`: put measured output into README, between its markers."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from slimpy import errors

TOP = Path(__file__).parents[1]
README = TOP / "README.md"


def exit_code_rows() -> list[tuple[int, str]]:
    """Every exit code with its meaning, out of the error classes."""
    kinds: set[type[errors.SlimError]] = {errors.SlimError, *_below(errors.SlimError)}
    meanings = {kind.exit_code: kind.meaning for kind in kinds if "exit_code" in vars(kind)}
    meanings[0] = "done: the slim image answers like the original"
    meanings[errors.UNREAD] = "nobody read the output to its end (a pipe was closed)"
    meanings[errors.INTERRUPTED] = "interrupted; everything that slimpy had created was removed"
    return sorted(meanings.items())


def exit_codes() -> str:
    """The table of exit codes."""
    rows = [f"| {code} | {meaning} |" for code, meaning in exit_code_rows()]
    return "\n".join(("| code | meaning |", "| --- | --- |", *rows))


def _below(kind: type[errors.SlimError]) -> set[type[errors.SlimError]]:
    direct = set(kind.__subclasses__())
    return direct | {further for each in direct for further in _below(each)}


def samples() -> str:
    """The table of all sample apps, measured now."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "samples"],
        cwd=TOP,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return "\n".join(line for line in done.stdout.splitlines() if line.startswith("|"))


def demo() -> str:
    """What `make demo` prints, measured now."""
    name = "flask-gunicorn"
    subprocess.run([str(TOP / "sample_apps" / "build.sh"), name], check=True)
    probes = f"sample_apps/{name}/probe.yaml"
    done = subprocess.run(
        [sys.executable, "-m", "slimpy", "build", f"slimpy-sample/{name}", "--probe-file", probes],
        cwd=TOP,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return "\n".join(f"    {line}".rstrip() for line in done.stdout.splitlines())


BLOCKS: dict[str, Callable[[], str]] = {
    "exit codes": exit_codes,
    "samples": samples,
    "demo": demo,
}


def filled(text: str, name: str, content: str) -> str:
    """README with one block replaced."""
    block = f"<!-- {name} -->\n\n{content}\n\n<!-- /{name} -->"
    pattern = rf"<!-- {name} -->.*?<!-- /{name} -->"
    return re.sub(pattern, lambda _: block, text, flags=re.DOTALL)


def main() -> None:
    """Fill the blocks that were named, or all."""
    text = README.read_text()
    for name in sys.argv[1:] or BLOCKS:
        text = filled(text, name, BLOCKS[name]())
    README.write_text(text)


if __name__ == "__main__":
    main()
