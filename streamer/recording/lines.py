"""Append-only streams of JSON lines: a line stands when its newline does."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from streamer.errors import SourceError
from streamer.recording.files import writing

Row = dict[str, Any]

_log = logging.getLogger(__name__)


def plain(value: object) -> Any:
    """`value` in JSON's own words: numpy scalars become numbers, NaN and infinity null, the rest text."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [plain(item) for item in value]
    return str(value)


class LineWriter:
    """Appends rows to `path`, each as one unbuffered write of one line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with writing(path):
            self._file = path.open("ab", buffering=0)

    def put(self, row: Mapping[str, object]) -> None:
        """Write `row`; it is acknowledged when this returns."""
        line = json.dumps(plain(row), separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        with writing(self.path):
            while line:  # a disk that is nearly full takes a part and refuses the rest
                line = line[self._file.write(line) :]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def iter_lines(path: Path) -> Iterator[Row]:
    """Rows of `path` in order. A torn last line was never acknowledged: it is left out, and logged.

    Raises:
        SourceError: no such file, or a broken line before the last one.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}; give the folder of a recording") from error
    with stream:
        for number, line in enumerate(stream, start=1):
            if not line.endswith(b"\n"):
                _log.warning("%s: line %d is torn (%d bytes) and left out", path, number, len(line))
                return
            yield _parse(path, number, line)


def _parse(path: Path, number: int, line: bytes) -> Row:
    try:
        row = json.loads(line)
    except ValueError as error:  # also bytes that are not UTF-8
        raise SourceError(f"{path}: line {number} is damaged; restore the file from a copy") from error
    if not isinstance(row, dict):
        raise SourceError(f"{path}: line {number} is no row; restore the file from a copy")
    return row
