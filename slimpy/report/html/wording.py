"""What the page says about rules, verdicts and stages, in words for people."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from slimpy.model import Rule

RULES: Mapping[str, str] = MappingProxyType(
    {
        Rule.TOUCHED: "the run did something with it",
        Rule.LINK: "a symbolic link on the way to something kept",
        Rule.PARENT: "a directory above something kept",
        Rule.LOADER: "the loader that a kept program names",
        Rule.LIBRARY: "a library that a kept program or library is linked to",
        Rule.INTERPRETER: "the interpreter that a kept script names",
        Rule.SCRIPT: "a command that a kept script names",
        Rule.LISTED: "an entry of a directory whose listing was read",
        Rule.HARDLINK: "another name of the same file",
        Rule.SYSTEM: "accounts, name service, certificates, time zone",
        Rule.CONFIG: "the image's configuration names it",
        Rule.STATE: "an empty directory that programs expect",
        Rule.INCLUDE: "you asked for it",
        Rule.REPAIR: "the slim image missed it, so it was added",
        Rule.APP: "the app's own files",
        Rule.SERVED: "the rest of a directory of data that was served or listed",
        Rule.DATABASE: "what scanners tell packages by, reduced to what ships",
        Rule.PYTHON: "what kept Python code can import, and its data",
        Rule.NODE: "what kept Node packages can require, and their data",
        Rule.JAVA: "the Java runtime as a unit, jars of the class path",
        Rule.RUBY: "what kept Ruby code can require",
        Rule.PHP: "enabled PHP extensions, ini files, autoload",
        Rule.PERL: "what kept Perl code can use",
        Rule.DOTNET: "the .NET framework and the app's assemblies",
        Rule.ERLANG: "applications of the Erlang runtime in use",
        Rule.SHELL: "commands and files that kept shell scripts name",
        Rule.COMMAND: "programs that kept programs start by name",
        Rule.PLUGIN: "libraries that kept ones load by name",
        Rule.DATA: "locales, character sets, time zones, fonts in use",
        Rule.PACKAGE: "the rest of a package of which something ran",
    }
)
"""Rule -> what it keeps."""

STAGES: Mapping[str, str] = MappingProxyType(
    {
        "image": "look the image up",
        "index": "list every path",
        "trace": "run the original under the tracer, with the probes",
        "ask": "run the original with the probes; its trace is an earlier one",
        "decide": "decide what to keep",
        "pack": "write the slim image",
        "prove": "ask the slim image the same, confined",
        "diagnose": "trace the slim image to find what it missed",
        "owners": "which package owns which path",
        "packages": "which packages are left",
        "outputs": "write the slim image where it is wanted",
        "survey": "look for what the probes did not reach",
    }
)
"""Stage -> what happens in it."""

VERDICTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "same": ("✓", "same"),
        "different": ("≠", "different"),
        "broken": ("✗", "no answer"),
        "unknown": ("?", "not asked"),
    }
)
"""Verdict on a probe -> sign and word."""

LEVELS: Mapping[str, str] = MappingProxyType(
    {
        "minimal": "only what ran, and what that is linked to",
        "balanced": "also what the app's own code can reach",
        "safe": "also whole installed packages of what ran",
    }
)
"""Level -> what it keeps."""
