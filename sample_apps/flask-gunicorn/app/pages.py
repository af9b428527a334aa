"""The pages."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, abort, redirect, render_template, request, send_from_directory, url_for
from flask.typing import ResponseReturnValue

from app import store

blueprint = Blueprint("pages", __name__)
DOWNLOADS = Path(__file__).parent / "downloads"


@blueprint.get("/")
def index() -> ResponseReturnValue:
    """The start page."""
    return render_template("index.html", notes=store.notes())


@blueprint.get("/notes/<int:number>")
def show(number: int) -> ResponseReturnValue:
    """One note's page."""
    return render_template("note.html", note=store.note(number) or abort(404))


@blueprint.post("/notes")
def add() -> ResponseReturnValue:
    """The form on the start page."""
    title = request.form.get("title", "").strip() or abort(400)
    return redirect(
        url_for("pages.show", number=store.add(title, request.form.get("body", ""))), 303
    )


@blueprint.get("/downloads/")
def downloads() -> ResponseReturnValue:
    """What there is to download."""
    return render_template(
        "downloads.html", names=sorted(path.name for path in DOWNLOADS.iterdir())
    )


@blueprint.get("/downloads/<name>")
def download(name: str) -> ResponseReturnValue:
    """One file."""
    return send_from_directory(DOWNLOADS, name)


@blueprint.get("/healthz")
def healthz() -> ResponseReturnValue:
    """For the health check."""
    return {"status": "ok", "notes": len(store.notes())}


@blueprint.get("/broken")
def broken() -> ResponseReturnValue:
    """A page that always fails, to see the error page."""
    abort(500)
