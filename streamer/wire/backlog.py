"""Frames that wait at the hook, in order: in shared slots, in memory up to a budget, then in spool files.

The hook keeps every frame here until the processor acknowledges it. A record in a file is a sequence of
length-prefixed parts, so that what a dead link left behind can be replayed.
"""

from __future__ import annotations

import contextlib
import struct
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A frame on its way.

    Attributes:
        seq: its number.
        parts: its message, pixels last.
        slot: the slot of the ring in which the pixels lie; None where they are in ordinary memory.
        handed_ns: monotonic clock of its hand-over.
    """

    seq: int
    parts: Parts
    slot: int | None = None
    handed_ns: int = 0

    @property
    def size(self) -> int:
        """Bytes of ordinary memory it takes."""
        return sum(len(part) for part in (self.parts if self.slot is None else self.parts[:-1]))


class _Segment:
    """One spool file and how many of its records still wait."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.size, self.waiting = path, 0, 0
        # Unbuffered: what a full disk did not take must not come back with the next record.
        self._file = path.open("w+b", buffering=0)

    def write(self, parts: Parts) -> int:
        """Append a record; its offset. A record that does not fit is taken back."""
        offset = self.size
        self._file.seek(offset)
        _write_record(self._file, parts)
        self.size = self._file.tell()
        self.waiting += 1
        return offset

    def read(self, offset: int) -> Parts:
        self._file.seek(offset)
        return _read(self._file)

    def remove(self) -> None:
        self._file.close()
        with contextlib.suppress(OSError):  # a virus scanner may hold it: a file too many hurts nobody
            self.path.unlink()

    def leave(self) -> None:
        """Let the file stay, under a name that can be replayed."""
        self._file.close()
        self.path.rename(self.path.with_suffix(SPOOL_SUFFIX))


@dataclass(slots=True)
class _Entry:
    """A parcel in memory, or its record at `offset` of a segment."""

    seq: int
    size: int
    handed_ns: int
    parcel: Parcel | None
    segment: _Segment | None = None
    offset: int = 0


class Backlog:
    """A first-in first-out store of frames with a cursor: taken, but kept until acknowledged.

    Args:
        spool: path of the spool files, to which a number is added; made when first needed.
        ram_bytes: memory budget; pixels in slots do not count, they have their own.
        disk_bytes: budget of the spool files together.
        release: called with every slot whose frame no longer needs it.

    Not thread-safe: one thread owns it.
    """

    def __init__(
        self,
        spool: Path,
        *,
        ram_bytes: int,
        disk_bytes: int,
        release: Callable[[int], None] = lambda slot: None,
    ) -> None:
        self._path, self._disk_bytes = spool, disk_bytes
        #: The memory budget; may change.
        self.ram_bytes = ram_bytes
        self._release = release
        self._entries: deque[_Entry] = deque()
        self._taken = 0
        self._coming_seq = 0
        self._in_ram = 0
        self._segments: deque[_Segment] = deque()
        self._segments_made = 0
        #: Frames that went to the spool files.
        self.spooled = 0
        #: Frames given up because memory and disk were both full.
        self.lost = 0

    def __len__(self) -> int:
        """Frames not yet acknowledged."""
        return len(self._entries)

    @property
    def waiting(self) -> int:
        """Frames not yet taken."""
        return len(self._entries) - self._taken

    @property
    def first_seq(self) -> int:
        """Number of the oldest frame not yet acknowledged; where there is none, of the next that comes."""
        return self._entries[0].seq if self._entries else self._coming_seq

    @property
    def first_handed_ns(self) -> int | None:
        """When the oldest frame not yet acknowledged was handed over."""
        return self._entries[0].handed_ns if self._entries else None

    @property
    def next_seq(self) -> int | None:
        """Number of the oldest frame not yet taken."""
        return self._entries[self._taken].seq if self.waiting else None

    def append(self, parcel: Parcel) -> bool:
        """Keep a frame; False, and counted, where neither memory nor disk has room for it."""
        self._coming_seq = parcel.seq + 1
        if self._in_ram + parcel.size <= self.ram_bytes:
            self._in_ram += parcel.size
            self._entries.append(_Entry(parcel.seq, parcel.size, parcel.handed_ns, parcel))
            return True
        try:
            segment = self._segment_for(sum(map(len, parcel.parts)))
            entry = _Entry(parcel.seq, 0, parcel.handed_ns, None, segment, segment.write(parcel.parts))
            self._entries.append(entry)
            self.spooled += 1
        except OSError:
            self.lost += 1
            return False
        finally:
            self._give_back(parcel)
        return True

    def take(self) -> Parcel | None:
        """The oldest frame not yet taken; None where there is none. One that cannot be read back is lost."""
        while self.waiting:
            parcel = self._parcel(self._entries[self._taken])
            if parcel is not None:
                self._taken += 1
                return parcel
            self._forget(self._taken)
        return None

    def acknowledge(self, seq: int) -> list[tuple[int, int]]:
        """Forget every taken frame up to number `seq`; number and hand-over of each."""
        forgotten = []
        while self._taken and self._entries[0].seq <= seq:
            self._taken -= 1
            entry = self._forget(0)
            forgotten.append((entry.seq, entry.handed_ns))
        return forgotten

    def rewind(self, next_seq: int) -> None:
        """After a reconnect: offer again what the other side has not received.

        What it has received and not yet acknowledged stays here: it may still fail to record it.
        """
        self._taken = sum(entry.seq < next_seq for entry in self._entries)

    def keep(self) -> Path | None:
        """Write all that is left into one file; its path, or None where nothing is left.

        Raises:
            OSError: the disk did not take all of it. Spool files then stay, each a file of its own that can
                be replayed; `lost` counts what was in memory only.
        """
        kept = self._path.with_suffix(SPOOL_SUFFIX) if self._entries else None
        try:
            if kept:
                kept.parent.mkdir(parents=True, exist_ok=True)
                with kept.open("wb", buffering=0) as file:
                    while self._entries:  # each spool file goes when its frames are in the new one
                        parcel = self._parcel(self._entries[0])
                        if parcel is not None:
                            _write_record(file, parcel.parts)
                        self._forget(0)
        except OSError as error:
            self.lost += sum(entry.segment is None for entry in self._entries)
            while self._segments:
                self._segments.popleft().leave()
            raise OSError(f"{kept}: {error}") from error
        finally:
            self.close()
        return kept

    def close(self) -> None:
        """Forget everything and remove the spool files."""
        while self._entries:
            self._forget(0)
        while self._segments:
            self._segments.popleft().remove()
        self._taken = 0

    def _forget(self, place: int) -> _Entry:
        entry = self._entries[place]
        del self._entries[place]
        self._in_ram -= entry.size
        if entry.parcel is not None:
            self._give_back(entry.parcel)
        if entry.segment is not None:
            entry.segment.waiting -= 1
            while self._segments and not self._segments[0].waiting:
                self._segments.popleft().remove()
        return entry

    def _give_back(self, parcel: Parcel) -> None:
        if parcel.slot is not None:
            self._release(parcel.slot)

    def _segment_for(self, size: int) -> _Segment:
        """The file for the next record of `size` bytes."""
        if sum(segment.size for segment in self._segments) + size > self._disk_bytes:
            raise OSError(f"{self._path}: the spool budget of {self._disk_bytes} bytes is used up")
        if not self._segments or self._segments[-1].size >= min(SEGMENT_BYTES, self._disk_bytes // 4):
            self._segments_made += 1
            self._segments.append(_Segment(self._path.with_suffix(f".{self._segments_made:06}.spool")))
        return self._segments[-1]

    def _parcel(self, entry: _Entry) -> Parcel | None:
        """The frame; None, and counted as lost, where its spool file can no longer be read."""
        if entry.segment is None:
            return entry.parcel
        try:
            parts = entry.segment.read(entry.offset)
        except (OSError, WireError):
            self.lost += 1
            return None
        return Parcel(seq=entry.seq, parts=parts, handed_ns=entry.handed_ns)


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


def _write_record(file: BinaryIO | FileIO, parts: Parts) -> None:
    """Append a record, or nothing of it."""
    start = file.tell()
    try:
        for left, part in zip(range(len(parts) - 1, -1, -1), parts, strict=True):
            _write_all(file, _PREFIX.pack(left, len(part)))
            _write_all(file, part)
    except OSError:
        with contextlib.suppress(OSError):
            file.truncate(start)
            file.seek(start)
        raise


def _write_all(file: BinaryIO | FileIO, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _read(file: BinaryIO | FileIO) -> list[bytes | memoryview]:
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
