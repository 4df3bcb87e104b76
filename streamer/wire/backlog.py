"""Messages that wait: in memory up to a budget, then in a spool file, always in order.

The hook keeps every frame here until the processor acknowledges it; the processor keeps here what
it has received and not yet processed. A record in the file is a sequence of length-prefixed parts,
so that what a dead link left behind can be replayed.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from streamer.core import Frame
from streamer.errors import SourceError
from streamer.wire.codec import MAX_HEADER_BYTES, MAX_PIXEL_BYTES, decode
from streamer.wire.errors import WireError

#: Ending of the file that holds what was never acknowledged.
SPOOL_SUFFIX = ".kept"

Parts = Sequence[bytes | memoryview]

_PREFIX = struct.Struct("<BQ")  # number of parts still to come in this record, bytes in this part


@dataclass(slots=True)
class _Entry:
    seq: int
    size: int
    parts: Parts | None  # None: the record lies in the file, at offset
    offset: int = 0


class Backlog:
    """A first-in first-out store of messages with a cursor: taken, but kept until acknowledged.

    Args:
        spool: file for what does not fit in memory; made when first needed.
        ram_bytes: memory budget.
        disk_bytes: budget of the spool file.

    Not thread-safe: one thread owns it.
    """

    def __init__(self, spool: Path, *, ram_bytes: int, disk_bytes: int) -> None:
        self._path, self._ram_bytes, self._disk_bytes = spool, ram_bytes, disk_bytes
        self._entries: deque[_Entry] = deque()
        self._taken = 0
        self._in_ram = 0
        self._file: BinaryIO | None = None
        self._file_end = 0
        #: Messages refused because memory and disk were both full.
        self.lost = 0

    def __len__(self) -> int:
        """Messages not yet acknowledged."""
        return len(self._entries)

    @property
    def waiting(self) -> int:
        """Messages not yet taken."""
        return len(self._entries) - self._taken

    def append(self, seq: int, parts: Parts) -> bool:
        """Keep a message; False, and counted, where neither memory nor disk has room for it."""
        size = sum(len(part) for part in parts)
        if self._in_ram + size <= self._ram_bytes:
            self._in_ram += size
            self._entries.append(_Entry(seq, size, parts))
            return True
        try:
            offset = self._spill(parts)
        except OSError:
            self.lost += 1
            return False
        self._entries.append(_Entry(seq, size, None, offset))
        return True

    def take(self) -> tuple[int, Parts] | None:
        """The oldest message not yet taken, with its number; None where there is none."""
        if self._taken == len(self._entries):
            return None
        entry = self._entries[self._taken]
        self._taken += 1
        return entry.seq, self._parts(entry)

    def acknowledge(self, seq: int) -> None:
        """Forget every taken message up to number `seq`."""
        while self._taken and self._entries[0].seq <= seq:
            entry = self._entries.popleft()
            self._taken -= 1
            if entry.parts is not None:
                self._in_ram -= entry.size
        if self._file and all(entry.parts is not None for entry in self._entries):
            self._file.truncate(0)
            self._file_end = 0

    def rewind(self, next_seq: int) -> None:
        """After a reconnect: forget what the other side has, offer the rest again."""
        self._taken = len(self._entries)
        self.acknowledge(next_seq - 1)
        self._taken = 0

    def keep(self) -> Path | None:
        """Move all that is left into the spool file; its path, or None where nothing is left.

        Raises:
            OSError: the file cannot be written.
        """
        if not self._entries:
            self.close()
            return None
        left = [list(self._parts(entry)) for entry in self._entries]
        kept = self._path.with_suffix(SPOOL_SUFFIX)
        kept.parent.mkdir(parents=True, exist_ok=True)
        with kept.open("wb") as file:
            for parts in left:
                _write(file, parts)
        self.close()
        return kept

    def close(self) -> None:
        """Forget everything and remove the spool file."""
        self._entries.clear()
        self._taken = self._in_ram = 0
        if self._file:
            self._file.close()
            self._file = None
            self._path.unlink(missing_ok=True)

    def _spill(self, parts: Parts) -> int:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("w+b")
        size = sum(len(part) + _PREFIX.size for part in parts)
        if self._file_end + size > self._disk_bytes:
            raise OSError(f"{self._path}: the spool budget of {self._disk_bytes} bytes is used up")
        offset = self._file_end
        self._file.seek(offset)
        _write(self._file, parts)
        self._file.flush()
        self._file_end = offset + size
        return offset

    def _parts(self, entry: _Entry) -> Parts:
        if entry.parts is not None:
            return entry.parts
        assert self._file is not None
        self._file.seek(entry.offset)
        return _read(self._file)


def read_spool(path: Path) -> Iterator[Frame]:
    """The frames in a spool file that a dead link left behind.

    Raises:
        SourceError: a record is damaged; the frames before it have been yielded.
    """
    with path.open("rb") as file:
        while file.peek(1):
            try:
                message = decode(_read(file))
            except WireError as error:
                raise SourceError(f"{path}: damaged after byte {file.tell()}: {error}") from None
            if isinstance(message, Frame):
                yield message


def _write(file: BinaryIO, parts: Parts) -> None:
    for left, part in zip(range(len(parts) - 1, -1, -1), parts, strict=True):
        file.write(_PREFIX.pack(left, len(part)))
        file.write(part)


def _read(file: BinaryIO) -> list[bytes | memoryview]:
    parts: list[bytes | memoryview] = []
    left = 1
    while left:
        prefix = file.read(_PREFIX.size)
        if len(prefix) != _PREFIX.size:
            raise WireError("the record ends early")
        left, size = _PREFIX.unpack(prefix)
        if left > 2 or size > max(MAX_HEADER_BYTES, MAX_PIXEL_BYTES):
            raise WireError(f"a part of {size} bytes is larger than any message of ours")
        part = file.read(size)
        if len(part) != size:
            raise WireError("the record ends early")
        parts.append(part)
    return parts
