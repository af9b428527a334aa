"""The outcome of one build for several platforms: one report each, and what was left out."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO

import msgspec

from slimpy.model import display
from slimpy.report import text
from slimpy.report.schema import OutputFacts, Report

SCHEMA = "slimpy-platforms"
VERSION = 1
"""Raised when a key changes its meaning or goes; a new key does not raise it."""


@dataclass(frozen=True, slots=True)
class PlatformReports:
    """``reports`` is platform -> its report; ``left_out`` is platform -> why it was not built."""

    schema: str
    version: int
    image: str
    reports: Mapping[str, Report]
    left_out: Mapping[str, str]
    outputs: tuple[OutputFacts, ...] = ()

    @property
    def slimmed(self) -> bool:
        """Whether every slim image answers like its original."""
        return bool(self.reports) and all(report.slimmed for report in self.reports.values())


def encode_all(reports: PlatformReports) -> str:
    """The document as indented JSON, ending in a newline."""
    return msgspec.json.format(msgspec.json.encode(reports), indent=2).decode() + "\n"


def show_all(reports: PlatformReports, *, colour: bool, file: TextIO | None = None) -> None:
    """Print the summaries, one after the other."""
    out = file or sys.stdout
    for platform, report in reports.reports.items():
        out.write(f"{display(platform)}\n")
        text.show(report, colour=colour, file=out)
    for platform, why in reports.left_out.items():
        out.write(f"{display(platform)} was left out: {display(why)}\n")
    for output in reports.outputs:
        out.write(f"output {display(output.destination)} ({output.digest})\n")
