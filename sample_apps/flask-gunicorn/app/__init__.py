"""A notebook: pages, a JSON interface, and a SQLite file that all workers share."""

from __future__ import annotations

import os

from flask import Flask, render_template
from werkzeug.exceptions import HTTPException

from app import api, extra, pages, store


def create_app() -> Flask:
    """The application, with its database made."""
    app = Flask(__name__)
    app.config["DATABASE"] = os.environ.get("NOTES_DATABASE", "notes.db")
    app.config["MAX_CONTENT_LENGTH"] = 1024 * 1024
    store.prepare(app.config["DATABASE"])
    app.register_blueprint(pages.blueprint)
    app.register_blueprint(api.blueprint, url_prefix="/api")
    app.register_blueprint(extra.blueprint, url_prefix="/extra")
    app.teardown_appcontext(store.close)
    app.register_error_handler(HTTPException, show_error)
    return app


def show_error(error: HTTPException) -> tuple[str, int]:
    """The error page."""
    code = error.code or 500
    return render_template("error.html", code=code, text=error.name), code
