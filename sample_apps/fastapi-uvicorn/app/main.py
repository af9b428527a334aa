"""The application: pages, static files, and the routers put together."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from app import books, local, pictures, rare

HERE = Path(__file__).parent
templates = Jinja2Templates(HERE / "templates")
log = logging.getLogger("uvicorn.error")


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Start and end of the service."""
    log.info("the gallery is open")
    yield
    log.info("the gallery is closed")


app = FastAPI(title="Gallery", version="1.0.0", lifespan=lifespan)
app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
app.include_router(books.router)
app.include_router(local.router)
app.include_router(pictures.router)
app.include_router(rare.router)


@app.get("/", response_class=HTMLResponse, include_in_schema=False)
async def index(request: Request) -> Response:
    """The start page."""
    return templates.TemplateResponse(request, "index.html", {"books": books.shelf.values()})


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """For the health check."""
    return {"status": "ok"}


@app.exception_handler(HTTPException)
async def show_error(request: Request, error: HTTPException) -> Response:
    """The error page, or JSON for those who want JSON."""
    if "text/html" in request.headers.get("accept", ""):
        context = {"code": error.status_code, "text": error.detail}
        return templates.TemplateResponse(
            request, "error.html", context, status_code=error.status_code
        )
    return JSONResponse({"detail": error.detail}, status_code=error.status_code)
