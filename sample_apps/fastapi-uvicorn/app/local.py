"""Time zones, languages and trust."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from babel.dates import format_datetime
from babel.numbers import format_currency
from fastapi import APIRouter, HTTPException

router = APIRouter(tags=["local"])


def find_locale(name: str) -> Locale:
    """The locale of that name, such as ``de_DE``."""
    try:
        return Locale.parse(name)
    except (UnknownLocaleError, ValueError) as error:
        raise HTTPException(400, "there is no such locale") from error


@router.get("/time")
async def show_time(at: int = 0, zone: str = "UTC", locale: str = "en_GB") -> dict[str, str]:
    """A moment (seconds since 1970) as people write it there."""
    try:
        moment = datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise HTTPException(400, "there is no such time zone") from error
    return {
        "iso": moment.isoformat(),
        "text": format_datetime(moment, "full", locale=find_locale(locale)),
    }


@router.get("/price")
async def show_price(amount: float, currency: str = "EUR", locale: str = "en_GB") -> dict[str, str]:
    """An amount of money as people write it there."""
    return {"text": format_currency(amount, currency, locale=find_locale(locale))}


@router.get("/trust")
async def trust() -> dict[str, bool]:
    """Whether outgoing TLS could trust anybody."""
    return {"authorities": ssl.create_default_context().cert_store_stats()["x509_ca"] > 0}
