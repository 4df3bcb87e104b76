"""Append-only streams of JSON lines: a line stands when its newline does."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from streamer.errors import SourceError
from streamer.recording.files import writing

Row = dict[str, Any]

_BLOCK_BYTES = 1 << 16  # read at once from the end of a file

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
        text = json.dumps(plain(row), separators=(",", ":"), ensure_ascii=False)
        # Half a surrogate pair, which is no text but which JSON can name, becomes its JSON escape.
        line = text.encode(errors="backslashreplace") + b"\n"
        with writing(self.path):
            start = self._file.seek(0, os.SEEK_END)
            try:
                while line:  # a disk that is nearly full takes a part and refuses the rest
                    line = line[self._file.write(line) :]
            except OSError:
                with contextlib.suppress(OSError):  # else a later row would go on in this line
                    self._file.truncate(start)
                raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def drop_torn_line(path: Path) -> None:
    """Cut `path` behind its last whole line; what is cut was never acknowledged."""
    with writing(path), path.open("r+b") as stream:
        end = stream.seek(0, 2)
        while end:
            start = max(0, end - _BLOCK_BYTES)
            stream.seek(start)
            newline = stream.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        stream.truncate(end)


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
