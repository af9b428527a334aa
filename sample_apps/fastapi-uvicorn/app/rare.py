"""What few ask for: catalogues, other languages, exports, picture formats, streams."""

from __future__ import annotations

import importlib
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, File, Header, HTTPException, Request, Response, UploadFile
from fastapi.responses import FileResponse, StreamingResponse
from fastapi.templating import Jinja2Templates

from app.books import shelf

router = APIRouter(prefix="/rare", include_in_schema=False)
HERE = Path(__file__).parent
templates = Jinja2Templates(HERE / "templates")


@router.get("/shelf/{order}")
async def ordered(order: str) -> list[str]:
    """The titles in some order."""
    try:
        module = importlib.import_module(f".by_{order}", package="app.shelves")
    except ModuleNotFoundError as error:
        raise HTTPException(404, "there is no such order") from error
    return module.order(list(shelf.values()))


@router.get("/about")
async def about(request: Request, accept_language: Annotated[str, Header()] = "en") -> Response:
    """In the visitor's language, by message catalogues."""
    from babel.support import Translations

    catalogue = Translations.load(HERE / "locales", [accept_language[:2]])
    words = catalogue.ungettext("%(number)d book on the shelf", "%(number)d books on the shelf", 3)
    return templates.TemplateResponse(request, "about.html", {"words": words % {"number": 3}})


@router.get("/speech")
async def speech(locale: str) -> dict[str, str]:
    """How people there say it."""
    from datetime import timedelta

    from babel import Locale
    from babel.dates import format_timedelta
    from babel.lists import format_list
    from babel.numbers import format_compact_decimal, format_percent

    return {
        "name": Locale.parse(locale).get_display_name("en") or "",
        "ago": format_timedelta(timedelta(days=-3), add_direction=True, locale=locale),
        "list": format_list(["1", "2", "3"], locale=locale),
        "share": format_percent(0.25, locale=locale),
        "much": format_compact_decimal(12000, locale=locale, format_type="long"),
    }


@router.get("/zones")
async def zones(area: str) -> list[str]:
    """The time zones of an area of the world."""
    from zoneinfo import available_timezones

    return sorted(zone for zone in available_timezones() if zone.startswith(f"{area}/"))[:5]


@router.get("/poster")
def poster(text: str, size: int = 20) -> Response:
    """A title in the library's own font, blurred a little, toned by a colour profile."""
    from PIL import Image, ImageCms, ImageDraw, ImageFilter, ImageFont

    image = Image.new("RGB", (200, 60), "white")
    font = ImageFont.load_default(size)
    ImageDraw.Draw(image).text((5, 5), text[:30], fill="navy", font=font)
    image = image.filter(ImageFilter.GaussianBlur(0.5))
    profile = ImageCms.createProfile("sRGB")
    image = ImageCms.profileToProfile(image, profile, profile)
    buffer = io.BytesIO()
    image.save(buffer, "BMP")
    return Response(buffer.getvalue(), media_type="image/bmp")


@router.post("/convert")
def convert(
    picture: Annotated[UploadFile, File()],
    kind: Literal["webp", "tiff", "gif", "pdf", "ico"] = "webp",
) -> dict[str, object]:
    """What a picture weighs in another format, and that it can be read again."""
    from PIL import Image, ImageOps

    buffer = io.BytesIO()
    ImageOps.autocontrast(Image.open(picture.file).convert("RGB")).save(buffer, kind.upper())
    data = buffer.getvalue()
    again = Image.open(io.BytesIO(data)).format if kind != "pdf" else None
    return {"begins": data[:4].hex(), "format": again}


@router.get("/catalogue.{kind}")
def catalogue(kind: Literal["yaml", "csv", "xml"]) -> Response:
    """All books, to take away."""
    if kind == "yaml":
        import yaml

        rows = [book.model_dump(mode="json") for book in shelf.values()]
        return Response(yaml.safe_dump(rows), media_type="application/yaml")
    if kind == "csv":
        import csv

        text = io.StringIO()
        csv.writer(text).writerows([book.id, book.title] for book in shelf.values())
        return Response(text.getvalue(), media_type="text/csv")
    from xml.dom import minidom

    document = minidom.Document()
    root = document.appendChild(document.createElement("books"))
    for book in shelf.values():
        root.appendChild(document.createElement("book")).setAttribute("title", book.title)
    return Response(document.toprettyxml(), media_type="application/xml")


@router.get("/terms")
async def terms() -> FileResponse:
    """A file to download; its type is guessed by its name."""
    return FileResponse(HERE / "static" / "terms.odt", filename="terms.odt")


@router.get("/ticks")
async def ticks() -> StreamingResponse:
    """A stream, packed on the way."""
    import asyncio
    import gzip

    async def parts() -> AsyncIterator[bytes]:
        for number in range(3):
            await asyncio.sleep(0)
            yield gzip.decompress(gzip.compress(f"tick {number}\n".encode(), mtime=0))

    return StreamingResponse(parts(), media_type="text/plain")


@router.get("/peer")
async def peer(url: str) -> dict[str, object]:
    """Asks another host, by its name."""
    import asyncio
    import http.client
    from urllib.parse import urlsplit

    def ask() -> dict[str, object]:
        parts = urlsplit(url)
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        connection = kind(parts.hostname or "", parts.port, timeout=5)
        try:
            connection.request("GET", parts.path or "/")
            return {"status": connection.getresponse().status}
        except OSError as error:
            return {"error": type(error).__name__}

    return await asyncio.to_thread(ask)
