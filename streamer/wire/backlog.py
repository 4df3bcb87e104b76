"""Messages that wait: in memory up to a budget, then in spool files, always in order.

The hook keeps every frame here until the processor acknowledges it; the processor keeps here what
it has received and not yet processed. A record in a file is a sequence of length-prefixed parts, so
that what a dead link left behind can be replayed.
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

#: A spool file is closed at this size and removed once nothing in it waits, so that disk comes back.
SEGMENT_BYTES = 1 << 26

Parts = Sequence[bytes | memoryview]

_PREFIX = struct.Struct("<BQ")  # number of parts still to come in this record, bytes in this part


class _Segment:
    """One spool file and how many of its records still wait."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.size, self.waiting = path, 0, 0
        self._file = path.open("w+b")

    def write(self, parts: Parts) -> int:
        """Append a record; its offset. A record that does not fit is taken back."""
        offset = self.size
        try:
            self._file.seek(offset)
            _write(self._file, parts)
            self._file.flush()
        except OSError:
            self._file.truncate(offset)
            raise
        self.size = self._file.tell()
        self.waiting += 1
        return offset

    def read(self, offset: int) -> Parts:
        self._file.seek(offset)
        return _read(self._file)

    def remove(self) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)


@dataclass(slots=True)
class _Entry:
    """A message in memory (`parts`), or at `offset` of a segment."""

    seq: int
    size: int
    parts: Parts | None
    segment: _Segment | None = None
    offset: int = 0


class Backlog:
    """A first-in first-out store of messages with a cursor: taken, but kept until acknowledged.

    Args:
        spool: path of the spool files, to which a number is added; made when first needed.
        ram_bytes: memory budget.
        disk_bytes: budget of the spool files together.

    Not thread-safe: one thread owns it.
    """

    def __init__(self, spool: Path, *, ram_bytes: int, disk_bytes: int) -> None:
        self._path, self._ram_bytes, self._disk_bytes = spool, ram_bytes, disk_bytes
        self._entries: deque[_Entry] = deque()
        self._taken = 0
        self._in_ram = 0
        self._segments: deque[_Segment] = deque()
        self._segments_made = 0
        #: Messages refused because memory and disk were both full.
        self.lost = 0

    def __len__(self) -> int:
        """Messages not yet acknowledged."""
        return len(self._entries)

    @property
    def waiting(self) -> int:
        """Messages not yet taken."""
        return len(self._entries) - self._taken

    @property
    def first_seq(self) -> int | None:
        """Number of the oldest message not yet acknowledged."""
        return self._entries[0].seq if self._entries else None

    def append(self, seq: int, parts: Parts) -> bool:
        """Keep a message; False, and counted, where neither memory nor disk has room for it."""
        size = sum(len(part) for part in parts)
        if self._in_ram + size <= self._ram_bytes:
            self._in_ram += size
            self._entries.append(_Entry(seq, size, parts))
            return True
        try:
            segment = self._segment_for(size)
            self._entries.append(_Entry(seq, size, None, segment, segment.write(parts)))
        except OSError:
            self.lost += 1
            return False
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
            if entry.segment is None:
                self._in_ram -= entry.size
            else:
                entry.segment.waiting -= 1
        while self._segments and not self._segments[0].waiting:
            self._segments.popleft().remove()

    def rewind(self, next_seq: int) -> None:
        """After a reconnect: offer again what the other side has not received.

        What it has received and not yet acknowledged stays here: it may still fail to record it.
        """
        self._taken = sum(entry.seq < next_seq for entry in self._entries)

    def keep(self) -> Path | None:
        """Write all that is left into one file; its path, or None where nothing is left.

        Raises:
            OSError: the file cannot be written.
        """
        kept = None
        if self._entries:
            kept = self._path.with_suffix(SPOOL_SUFFIX)
            kept.parent.mkdir(parents=True, exist_ok=True)
            with kept.open("wb") as file:
                for entry in self._entries:
                    _write(file, self._parts(entry))
        self.close()
        return kept

    def close(self) -> None:
        """Forget everything and remove the spool files."""
        self._entries.clear()
        self._taken = self._in_ram = 0
        while self._segments:
            self._segments.popleft().remove()

    def _segment_for(self, size: int) -> _Segment:
        """The file for the next record of `size` bytes."""
        if sum(segment.size for segment in self._segments) + size > self._disk_bytes:
            raise OSError(f"{self._path}: the spool budget of {self._disk_bytes} bytes is used up")
        if not self._segments or self._segments[-1].size >= min(SEGMENT_BYTES, self._disk_bytes // 4):
            self._segments_made += 1
            self._segments.append(_Segment(self._path.with_suffix(f".{self._segments_made:06}.spool")))
        return self._segments[-1]

    def _parts(self, entry: _Entry) -> Parts:
        if entry.segment is not None:
            return entry.segment.read(entry.offset)
        assert entry.parts is not None
        return entry.parts


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
