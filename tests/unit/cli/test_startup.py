"""What a start costs: `slim --help` must be instant, so it imports nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = (
    "docker",
    "requests",
    "httpx2",
    "rich",
    "msgspec",
    "elftools",
    "yaml",
    "selectolax",
    "psutil",
)
SCRIPT = """
import json, sys
from slimpy.cli import main
sys.argv = ["slim", *sys.argv[1:]]
try:
    main()
except SystemExit as ended:
    print(json.dumps([ended.code, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["build", "--help"], ["why", "--help"]], ids=" ".join
)
def test_help_imports_nothing_heavy(arguments):
    command = [sys.executable, "-c", SCRIPT, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0 and len(done.stdout.splitlines()) > 1
    assert "slimpy" in modules
    assert not set(HEAVY) & set(modules)
