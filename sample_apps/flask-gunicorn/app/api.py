"""The JSON interface."""

from __future__ import annotations

import csv
import hashlib
import io
import ssl
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import Blueprint, abort, jsonify, request, url_for
from flask.typing import ResponseReturnValue

from app import store

blueprint = Blueprint("api", __name__)


@blueprint.get("/notes")
def list_notes() -> ResponseReturnValue:
    """All notes."""
    return jsonify(store.notes())


@blueprint.post("/notes")
def add_note() -> ResponseReturnValue:
    """A note from a JSON object with a title and a body."""
    data = request.get_json()
    if not isinstance(data, dict) or not data.get("title"):
        return jsonify(error="a title is needed"), 422
    number = store.add(str(data["title"]), str(data.get("body", "")))
    return jsonify(store.note(number)), 201, {"Location": url_for("api.show_note", number=number)}


@blueprint.get("/notes/<int:number>")
def show_note(number: int) -> ResponseReturnValue:
    """One note."""
    return jsonify(store.note(number) or abort(404))


@blueprint.get("/time")
def local_time() -> ResponseReturnValue:
    """A moment (seconds since 1970) in a time zone, by the system's time zone data."""
    try:
        zone = ZoneInfo(request.args.get("zone", "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        return jsonify(error="no such time zone"), 400
    moment = datetime.fromtimestamp(request.args.get("at", 0, type=int), UTC).astimezone(zone)
    return jsonify(time=moment.isoformat(), abbreviation=moment.tzname())


@blueprint.get("/trust")
def trust() -> ResponseReturnValue:
    """Whether outgoing TLS could trust anybody."""
    bundle = ssl.get_default_verify_paths()
    authorities = ssl.create_default_context().cert_store_stats()["x509_ca"]
    return jsonify(authorities=authorities, path=bundle.capath, version=ssl.OPENSSL_VERSION)


@blueprint.post("/summary")
def summary() -> ResponseReturnValue:
    """Rows, columns and digest of an uploaded CSV file."""
    upload = request.files.get("table") or abort(400)
    data = upload.read()
    rows = list(csv.reader(io.StringIO(data.decode())))
    return jsonify(
        name=upload.filename,
        rows=len(rows),
        columns=max((len(row) for row in rows), default=0),
        sha256=hashlib.sha256(data).hexdigest(),
    )
