"""What a value in a header may be: bounded JSON, counts, numbers and small tables."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from streamer.wire.errors import WireError

MAX_DEPTH = 32
#: Characters of a text, entries of a table, values in a list.
MAX_TEXT, MAX_ENTRIES, MAX_LIST = 4096, 256, 1024


def as_header(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`; its size is already bounded.

    Raises:
        WireError: it is none, or nothing that every reader could hold.
    """
    try:
        header = json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise WireError(f"header is not JSON: {shown(str(error))}") from None
    if not isinstance(header, dict):
        raise WireError("header is not a JSON object")
    check_text(data.decode(errors="replace"))
    check_depth(header)
    return header


def check_text(text: str) -> None:
    """Refuse half a surrogate pair, which JSON can say and no file can hold."""
    if "\\ud" in text.lower():
        try:
            json.dumps(json.loads(text), ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise WireError("header holds text that is no Unicode") from None


def check_depth(value: object, left: int = MAX_DEPTH) -> None:
    """Refuse what is nested so deeply that a reader's stack may end before it does."""
    if left == 0:
        raise WireError(f"header is nested more than {MAX_DEPTH} deep")
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    for item in inner:
        check_depth(item, left - 1)


def is_count(value: object) -> TypeGuard[int]:
    """A whole number from 0 that 63 bits hold."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def is_number(value: object) -> TypeGuard[float]:
    """A finite number that a float holds."""
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) < 1 << 63
    return isinstance(value, float) and math.isfinite(value)


def is_optional_number(value: object) -> bool:
    """A finite number, or null."""
    return value is None or is_number(value)


def is_text(value: object) -> TypeGuard[str]:
    """A text of bounded length."""
    return isinstance(value, str) and len(value) <= MAX_TEXT


def is_state(value: object) -> bool:
    """A table of texts and numbers."""
    return _is_table(value, lambda item: is_text(item) or is_number(item))


def shown(value: object) -> str:
    """A stranger's value, short enough to print and to send back."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _is_table(value: object, is_one: Callable[[object], bool]) -> bool:
    return (
        isinstance(value, dict)
        and len(value) <= MAX_ENTRIES
        and all(is_text(name) and is_one(item) for name, item in value.items())
    )


def _is_plain(value: object) -> bool:
    """A scalar, or a short list of them."""
    if isinstance(value, list):
        return (
            len(value) <= 16
            and not any(isinstance(item, list) for item in value)
            and all(map(_is_plain, value))
        )
    return value is None or isinstance(value, bool) or is_text(value) or is_number(value)


def _no_number(_name: str) -> None:
    """Engines do write NaN into metadata: no number to us, but no reason to lose the frame either."""


#: Types of message fields as they are annotated: what a value may be, in code and in words.
KNOWN_TYPES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "int": (is_count, "int from 0"),
    "float": (is_number, "a finite number"),
    "float | None": (is_optional_number, "a finite number or null"),
    "str": (is_text, f"str of at most {MAX_TEXT} characters"),
    "bool": (lambda value: isinstance(value, bool), "bool"),
    "list[object]": (
        lambda value: isinstance(value, list) and len(value) <= MAX_LIST,
        f"list of at most {MAX_LIST}",
    ),
    "Mapping[str, float]": (lambda value: _is_table(value, is_number), "numbers by name"),
    "Mapping[str, object]": (lambda value: _is_table(value, _is_plain), "plain values by name"),
}
