"""Exports in several formats; what each needs is imported where it is needed."""

from __future__ import annotations

import io

from app import store


def as_xml() -> tuple[bytes, str]:
    """All notes as XML."""
    from xml.etree import ElementTree

    root = ElementTree.Element("notes")
    for note in store.notes():
        ElementTree.SubElement(root, "note", id=str(note["id"])).text = str(note["title"])
    data = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return ElementTree.canonicalize(data.decode()).encode(), "application/xml"


def as_csv() -> tuple[bytes, str]:
    """All notes for spreadsheets of the older kind."""
    import csv

    text = io.StringIO()
    writer = csv.DictWriter(text, ["id", "title", "body"], delimiter=";")
    writer.writeheader()
    writer.writerows(store.notes())
    return text.getvalue().encode("cp1252", "replace"), "text/csv; charset=windows-1252"


def as_zip() -> tuple[bytes, str]:
    """The names in an archive of all notes, packed as small as can be."""
    import lzma
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("readme.txt", "All notes.")
    small = lzma.decompress(lzma.compress(b"and more"))
    names = " ".join(zipfile.ZipFile(buffer).namelist())
    return f"{names} {small.decode()}\n".encode(), "text/plain; charset=utf-8"


def as_mail() -> tuple[bytes, str]:
    """All notes as a mail message."""
    from email.headerregistry import Address
    from email.message import EmailMessage

    from flask import render_template

    message = EmailMessage()
    message["To"] = Address("Zoë", "zoe", "example.org")
    message["Subject"] = "Notes – all of them"
    message.set_content(render_template("mail/notes.txt", notes=store.notes()))
    message.add_attachment(b"\0\1", "application", "octet-stream", filename="notes.bin")
    message.set_boundary("boundary")
    return message.as_bytes(), "text/plain"


def as_tar() -> tuple[bytes, str]:
    """The names in an archive made by another program."""
    import subprocess
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "notes.txt").write_text("All notes.", encoding="utf-8")
        packed = subprocess.run(
            ["tar", "--create", "--gzip", "--directory", directory, "notes.txt"],
            capture_output=True,
            check=True,
        ).stdout
        listed = subprocess.run(["tar", "-tzf", "-"], input=packed, capture_output=True, check=True)
    return listed.stdout, "text/plain; charset=utf-8"
