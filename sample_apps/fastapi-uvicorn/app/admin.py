"""For those who run the gallery: python -m app.admin [--json] check | schema."""

from __future__ import annotations

import argparse
import json


def main() -> None:
    """Run one action."""
    parser = argparse.ArgumentParser(prog="admin")
    parser.add_argument("action", choices=["check", "schema"])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.action == "schema":
        from app.main import app

        print("paths:", len(app.openapi()["paths"]))
        return
    import platform
    import sqlite3
    import tomllib
    import uuid

    facts = {
        "python": platform.python_version_tuple()[0],
        "sqlite": sqlite3.connect(":memory:").execute("SELECT 1").fetchone()[0],
        "toml": tomllib.loads("answer = 42")["answer"],
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, "example.org")),
    }
    print(json.dumps(facts) if options.json else "\n".join(f"{key}: {facts[key]}" for key in facts))


if __name__ == "__main__":
    main()
