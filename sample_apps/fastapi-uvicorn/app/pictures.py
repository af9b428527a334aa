"""Pictures: what they are, and small versions of them."""

from __future__ import annotations

import io
from typing import Annotated

from fastapi import APIRouter, File, Form, HTTPException, UploadFile
from PIL import Image, ImageDraw, UnidentifiedImageError
from starlette.responses import Response

router = APIRouter(prefix="/pictures", tags=["pictures"])


def encoded(image: Image.Image, kind: str) -> Response:
    """The picture as an answer."""
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return Response(buffer.getvalue(), media_type=f"image/{kind.lower()}")


@router.get("/badge")
def badge(text: str = "ok") -> Response:
    """White text on blue."""
    image = Image.new("RGB", (120, 30), "#224477")
    ImageDraw.Draw(image).text((8, 8), text[:20], fill="white")
    return encoded(image, "PNG")


@router.post("/thumbnail")
def thumbnail(
    picture: Annotated[UploadFile, File()], size: Annotated[int, Form(gt=0, le=512)] = 64
) -> Response:
    """The uploaded picture, fitted into a square, as JPEG."""
    try:
        image = Image.open(picture.file)
    except UnidentifiedImageError as error:
        raise HTTPException(415, "that is no picture") from error
    image = image.convert("RGB")
    image.thumbnail((size, size))
    return encoded(image, "JPEG")
