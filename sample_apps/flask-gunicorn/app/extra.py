"""What few ask for: exports, reports, other languages, webhooks, versions; and a command."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import click
from flask import Blueprint, Response, abort, current_app, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from app import exports, store

blueprint = Blueprint("extra", __name__)
TRANSLATIONS = Path(__file__).parent / "translations"


@blueprint.get("/export.<kind>")
def export(kind: str) -> ResponseReturnValue:
    """All notes in another format."""
    make = getattr(exports, f"as_{kind}", None) or abort(404)
    data, content_type = make()
    return Response(data, content_type=content_type)


@blueprint.get("/reports/<name>")
def report(name: str) -> ResponseReturnValue:
    """One of the reports."""
    if not name.isidentifier():
        abort(404)
    try:
        module = importlib.import_module(f"app.reports.{name}")
    except ModuleNotFoundError:
        abort(404)
    return jsonify(module.of(store.notes()))


@blueprint.get("/about")
def about() -> ResponseReturnValue:
    """In the visitor's language."""
    known = [path.stem for path in sorted(TRANSLATIONS.glob("*.json"))]
    language = request.accept_languages.best_match(known, "en")
    words = json.loads((TRANSLATIONS / f"{language}.json").read_text(encoding="utf-8"))
    return render_template("about.html", words=words)


@blueprint.post("/decode")
def decode() -> ResponseReturnValue:
    """A text in any character set."""
    try:
        text = request.get_data().decode(request.args.get("charset", "utf-8"))
        return jsonify(text=text, address=f"{text}.example".encode("idna").decode())
    except (LookupError, UnicodeError):
        return jsonify(error="cannot be read"), 400


@blueprint.get("/webhook")
def webhook() -> ResponseReturnValue:
    """Fetches an address of the network, this server's own by default."""
    from urllib.error import URLError
    from urllib.request import urlopen

    try:
        with urlopen(request.args.get("url", request.host_url + "healthz"), timeout=5) as answer:
            return jsonify(status=answer.status, type=answer.headers.get_content_type())
    except URLError as error:
        return jsonify(error=type(error.reason).__name__)


@blueprint.get("/version")
def version() -> ResponseReturnValue:
    """What it is made of."""
    from importlib.metadata import entry_points, version
    from importlib.resources import files

    return jsonify(
        flask=version("flask"),
        command="flask" in entry_points(group="console_scripts").names,
        downloads=files("app").joinpath("downloads/readme.txt").is_file(),
    )


@blueprint.cli.command("check")
@click.option("--deep", is_flag=True)
def check(deep: bool) -> None:
    """For those who run it: flask --app app extra check."""
    click.echo(f"{current_app.name}: {'fine' if store.notes() is not None else 'broken'}")
    if deep:
        import asyncio
        import sqlite3
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        async def count() -> int:
            return len(store.notes())

        click.echo(f"asyncio: {asyncio.run(count()) >= 0}")
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            click.echo(f"processes: {pool.submit(abs, -7).result()}")
        connection = sqlite3.connect(":memory:")
        click.echo(f"sqlite: {connection.execute('PRAGMA integrity_check').fetchone()[0]}")
