"""What rows may hold where they should hold a number, a name or a table: checked, bounded, never believed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from streamer.recording import Name

#: Longest name, and longest text of a log.
NAME_MAX, TEXT_MAX = 120, 600
#: Largest number that is one.
NUMBER_MAX = 1e300


def number(value: object) -> float:
    """`value` as a number; nan where it is none."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < NUMBER_MAX:
        return float(value)
    return math.nan


def whole(value: object, *, below: int = 2**63) -> int | None:
    """`value` as a whole number from 0; None where it is none."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and 0 <= value < below else None  # type: ignore[operator, return-value]


def text(value: object, longest: int = TEXT_MAX) -> str:
    """`value` as a line of text without what could steer a terminal; empty where it is none."""
    if not isinstance(value, str):
        return ""
    cut = value[:longest]
    if cut.isascii() and cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else " " for c in cut).encode(errors="replace").decode()


def name(value: object) -> Name:
    """A name on an axis: a whole number, a word, or None."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return value if abs(value) < 2**53 else None
    return text(value, NAME_MAX) if isinstance(value, str) else None


def table(value: object) -> Mapping[str, Any]:
    """`value` where it is a table, otherwise an empty one."""
    return value if isinstance(value, dict) else {}


def several(value: object, most: int = 4096) -> list[Any]:
    """The first of a list; of what is none, nothing."""
    return value[:most] if isinstance(value, list) else []
