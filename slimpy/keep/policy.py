"""The policy table: the rules that keep more than what ran, with the level at which they start."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass

from slimpy.keep.rules import (
    apptree,
    commands,
    dotnet,
    erlang,
    java,
    node,
    perl,
    php,
    plugins,
    python,
    ruby,
    served,
    shell,
    sysdata,
    wholepackages,
)
from slimpy.keep.scene import Scene
from slimpy.keep.turn import Finder
from slimpy.model import Level, Rule


@dataclass(frozen=True, slots=True)
class Policy:
    """One row: ``make`` gives the rule for one decision; ``about`` says what it keeps."""

    rule: Rule
    level: Level
    make: Callable[[Scene], Finder]
    about: str


TABLE = (
    Policy(Rule.APP, Level.BALANCED, apptree.finder, "the app's own files"),
    Policy(
        Rule.SERVED, Level.BALANCED, served.finder, "data directories that were served or listed"
    ),
    Policy(Rule.PYTHON, Level.BALANCED, python.finder, "what Python code can import, and its data"),
    Policy(Rule.NODE, Level.BALANCED, node.finder, "what Node packages can require"),
    Policy(Rule.JAVA, Level.BALANCED, java.finder, "the Java runtime and jars of the class path"),
    Policy(Rule.RUBY, Level.BALANCED, ruby.finder, "what Ruby code can require"),
    Policy(Rule.PHP, Level.BALANCED, php.finder, "PHP extensions, ini files, autoload"),
    Policy(Rule.PERL, Level.BALANCED, perl.finder, "what Perl code can use"),
    Policy(Rule.DOTNET, Level.BALANCED, dotnet.finder, "the .NET framework in use"),
    Policy(Rule.ERLANG, Level.BALANCED, erlang.finder, "applications of the Erlang runtime"),
    Policy(Rule.SHELL, Level.BALANCED, shell.finder, "commands and files named in shell scripts"),
    Policy(Rule.COMMAND, Level.BALANCED, commands.finder, "programs started by name"),
    Policy(Rule.PLUGIN, Level.BALANCED, plugins.finder, "libraries loaded by name"),
    Policy(Rule.DATA, Level.BALANCED, sysdata.finder, "locales, character sets, zones, fonts"),
    Policy(Rule.PACKAGE, Level.SAFE, wholepackages.finder, "whole packages of what ran"),
)
"""The rules in the order of reports; the result of a decision does not depend on it."""


def finders(scene: Scene, level: Level, disabled: Container[Rule] = ()) -> tuple[Finder, ...]:
    """The rules that apply at a level."""
    return tuple(
        policy.make(scene)
        for policy in TABLE
        if level.includes(policy.level) and policy.rule not in disabled
    )
