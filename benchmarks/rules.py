"""The text of docs/lint.md, out of the rules."""

from __future__ import annotations

from slimpy.lint.finding import Rule
from slimpy.lint.rules import RULES

INTRODUCTION = """# slim lint

`slim lint [DOCKERFILE...]` advises on Dockerfiles: what a traced run of the image cannot see. It
starts no engine and no program; RUN is read by a parser of the shell's grammar, and nothing in
the file is executed.

    slim lint                                  # all Dockerfiles below the working directory
    slim lint Dockerfile --fail-level error    # end with 1 only for errors
    slim lint --format sarif > lint.sarif      # for code scanning; --json for programs
    slim lint --explain SL030                  # what a rule is about
    slim lint - < Dockerfile                   # from the input: nothing is said of a context

The build context is the directory of the file, or `--context DIR`. It is looked at (names and
sizes, at most 50,000 entries) to see what `COPY . .` would take along; the script that the
container starts with is read for how it starts.

Exit codes: 0 nothing that reaches `--fail-level` (default: warning), 1 something does, 20 a file
cannot be read.

Levels: **error** does not build, does not do what it says, or gives a secret away; **warning**
costs size, safety or reproducibility; **info** is worth knowing, and many good Dockerfiles do it.

To hide a rule, by its number or name:

    # slim-lint ignore=SL040,SL082
    FROM debian:bookworm-slim

for the next instruction (also within one, between continued lines), `# slim-lint
ignore-file=SL003` for the whole file, `--ignore RULE`, or in `slimpy.toml`:

    [lint]
    ignore = ["SL003", "apt-without-version"]
    level = "warning"          # say nothing of what weighs less

This page is made by `python -m benchmarks.documents`.
"""


def rules() -> str:
    """The whole page."""
    rows = [
        f"| [{rule.id}](#{_anchor(rule)}) | {rule.name} | {rule.level.value} | {rule.title} |"
        for rule in RULES
    ]
    table = "\n".join(("| rule | name | level | finds |", "| --- | --- | --- | --- |", *rows))
    return (
        "\n".join((INTRODUCTION, "## Rules", "", table, "", *map(_section, RULES))).rstrip() + "\n"
    )


def _anchor(rule: Rule) -> str:
    return f"{rule.id.lower()}-{rule.name}"


def _section(rule: Rule) -> str:
    examples = "\n\n".join(
        "\n".join((label, "", "```dockerfile", text, "```"))
        for label, text in (("Instead of", rule.bad), ("write", rule.good))
    )
    text = f"{rule.title} ({rule.level.value}). {rule.why}"
    return f"### {rule.id} {rule.name}\n\n{text}\n\n{examples}\n"
