"""Bounds that an image has to keep to, as options and files say them."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([kmg]i?)?b?", re.IGNORECASE)
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?) ?(%?)")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Bounds; None and False are none. Sizes are in bytes of files, shares between 0 and 1.

    ``max_waste`` is bytes, ``max_waste_share`` a share of all bytes; ``no_secrets`` does not mean
    those of weight low.
    """

    max_size: int | None = None
    max_waste: int | None = None
    max_waste_share: float | None = None
    min_efficiency: float | None = None
    max_layers: int | None = None
    no_secrets: bool = False
    no_root: bool = False
    no_setuid: bool = False
    no_world_writable: bool = False
    no_shell: bool = False
    no_compiler: bool = False
    no_package_manager: bool = False

    def over(self, other: Thresholds) -> Thresholds:
        """These, and those of ``other`` where these say nothing."""
        pairs = {
            item.name: mine
            if (mine := getattr(self, item.name)) not in (None, False)
            else getattr(other, item.name)
            for item in fields(self)
        }
        if self.max_waste is not None or self.max_waste_share is not None:
            pairs |= {"max_waste": self.max_waste, "max_waste_share": self.max_waste_share}
        return Thresholds(**pairs)


CI = Thresholds(min_efficiency=0.9, no_secrets=True)
"""What `--ci` asks for where nobody says otherwise."""


NO = (
    "no-secrets",
    "no-root",
    "no-setuid",
    "no-world-writable",
    "no-shell",
    "no-compiler",
    "no-package-manager",
)
"""Thresholds that forbid something."""
KEYS = ("max-size", "max-waste", "min-efficiency", "max-layers", *NO)
"""All of them, as options (after two dashes) and in the project's file."""


def of_table(value: object) -> Thresholds:
    """The thresholds of a table of the project's file.

    Raises:
        ValueError: it is no table, or has an unknown key or a value of the wrong kind.
    """
    if not isinstance(value, dict) or not value.keys() <= set(KEYS):
        raise ValueError
    given: dict[str, Any] = {}
    for key, item in value.items():
        name = key.replace("-", "_")
        if key in NO or key == "max-layers":
            if not isinstance(item, int) or isinstance(item, bool) is not (key in NO) or item < 0:
                raise ValueError
            given[name] = item
        elif isinstance(item, bool) or not isinstance(item, str | int | float):
            raise ValueError
        elif key == "max-waste":
            given["max_waste"], given["max_waste_share"] = waste_of(str(item))
        else:
            given[name] = (size_of if key == "max-size" else share_of)(str(item))
    return Thresholds(**given)


def size_of(text: str) -> int:
    """Bytes, such as ``200MB``, ``1.5 GiB`` or ``4096``.

    Raises:
        ValueError: it is no size.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        message = f"{text!r} is no size; write 200MB or 1.5GiB"
        raise ValueError(message)
    return int(float(found[1]) * _UNITS[(found[2] or "").lower()])


def share_of(text: str) -> float:
    """A share: ``0.95`` or ``95%``.

    Raises:
        ValueError: it is none between 0 and 1.
    """
    found = _SHARE.fullmatch(text.strip())
    value = float(found[1]) / (100 if found[2] else 1) if found else -1.0
    if not 0 <= value <= 1:
        message = f"{text!r} is no share; write 0.95 or 95%"
        raise ValueError(message)
    return value


def waste_of(text: str) -> tuple[int | None, float | None]:
    """The bound on waste: a size, or a share with a percent sign.

    Raises:
        ValueError: it is neither.
    """
    return (None, share_of(text)) if text.strip().endswith("%") else (size_of(text), None)
