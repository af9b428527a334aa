"""Books on a shelf, kept in memory."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Response, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, Field

router = APIRouter(tags=["books"])


class NewBook(BaseModel):
    """A book as it is sent in."""

    title: Annotated[str, Field(min_length=1, max_length=200)]
    published: date
    pages: Annotated[int, Field(gt=0)] = 1


class Book(NewBook):
    """A book on the shelf."""

    id: int


shelf: dict[int, Book] = {
    1: Book(id=1, title="Notes on the Analytical Engine", published=date(1843, 9, 1), pages=66)
}


@router.get("/books")
async def list_books(title: Annotated[str, Query(max_length=200)] = "") -> list[Book]:
    """Books with this text in their title."""
    return [book for book in shelf.values() if title.casefold() in book.title.casefold()]


@router.post("/books", status_code=201)
async def add_book(new: NewBook, response: Response) -> Book:
    """Put a book on the shelf."""
    book = Book(id=max(shelf, default=0) + 1, **new.model_dump())
    shelf[book.id] = book
    response.headers["Location"] = f"/books/{book.id}"
    return book


@router.get("/books/{number}")
async def show_book(number: int) -> Book:
    """One book."""
    if number not in shelf:
        raise HTTPException(404, "there is no such book")
    return shelf[number]


@router.delete("/books/{number}", status_code=204)
async def remove_book(number: int) -> None:
    """Take a book away."""
    if shelf.pop(number, None) is None:
        raise HTTPException(404, "there is no such book")


@router.websocket("/live")
async def live(socket: WebSocket) -> None:
    """Answers each title with the number of books that have it."""
    await socket.accept()
    try:
        while True:
            title = await socket.receive_text()
            await socket.send_json({"title": title, "books": len(await list_books(title))})
    except WebSocketDisconnect:
        return
