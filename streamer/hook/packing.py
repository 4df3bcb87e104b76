"""Copies of frames as messages, in slots of shared memory where one is free."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from streamer.core import Frame
from streamer.core.frame import PIXEL_DTYPES
from streamer.wire import PREAMBLE, Hello, Parcel, Parts, Ring, frame_header
from streamer.wire.ring import MAX_SLOTS, room_bytes, slot_size

_log = logging.getLogger(__name__)

#: A ring of fewer slots is not worth its memory.
MIN_SLOTS = 2


class Packer:
    """Packs frames on the engine's thread; its ring is made and its slots come back on others.

    Args:
        ring_bytes: how large the ring may be; 0 for none.
        on_ring: called on a thread of its own with the bytes of the ring, once it is there; 0 without room.
    """

    def __init__(self, *, ring_bytes: int, on_ring: Callable[[int], None]) -> None:
        self._ring_bytes, self._on_ring = ring_bytes, on_ring
        self._made: Ring | None = None
        self._ring: Ring | None = None  # from which slots are taken
        self._maker: threading.Thread | None = None

    def pack(self, frame: Frame) -> Parcel:
        """A copy of the frame as one message that a processor of our version takes.

        Raises:
            TypeError: the pixels are none that can be streamed.
            WireError: another part of the frame is none.
        """
        pixels = frame.pixels
        if pixels.ndim != 2 or pixels.dtype.name not in PIXEL_DTYPES:
            raise TypeError(f"image is {pixels.dtype} {pixels.shape}; the hook takes [y, x] uint8 or uint16")
        ring = self._ring
        slot = ring.take(pixels.nbytes) if ring else None
        try:
            # What a processor would refuse must not block the frames behind it: this raises for it.
            header = frame_header(frame, slot)
            room = ring.view(slot, pixels.nbytes) if ring and slot is not None else _heap(pixels.nbytes)
            # The engine stores the very array it hands over, or frees it: ours must be a copy. A memoryview
            # keeps the interpreter lock while it copies; numpy lets go of it, and the engine's thread then
            # waits for up to a switch interval, 5 ms, to get it back.
            room.data[:] = np.ascontiguousarray(pixels, pixels.dtype.name).data.cast("B")
        except BaseException:
            if slot is not None:
                self.give_back(slot)
            raise
        parts: Parts = [PREAMBLE, header, room.data]
        return Parcel(seq=frame.seq, parts=parts, slot=slot, handed_ns=frame.hook_ns or time.monotonic_ns())

    def make_ring(self, frame_bytes: int) -> None:
        """Begin to make the ring for frames of that size, the first time this is asked.

        A large one takes a good part of a second: meanwhile, or without room for one, frames go through
        ordinary memory.
        """
        if self._maker is None and self._ring_bytes:
            self._maker = threading.Thread(target=self._make, args=(frame_bytes,), daemon=True)
            self._maker.start()

    def retire_ring(self) -> None:
        """Nobody shares the ring: further frames go through ordinary memory."""
        self._ring = None

    def described(self, hello: Hello) -> Hello:
        """`hello` with what a processor must know of the ring."""
        ring = self._made
        if ring is None:
            return hello
        return replace(
            hello,
            ring=ring.name,
            ring_nonce=ring.nonce,
            ring_slots=ring.slots,
            slot_bytes=ring.slot_bytes,
        )

    def give_back(self, slot: int) -> None:
        """The slot is free again."""
        if self._made:
            self._made.give_back(slot)

    def close(self) -> None:
        """Remove the ring."""
        if self._maker:
            self._maker.join()
        self._ring = None
        if self._made:
            self._made.close()

    def _make(self, frame_bytes: int) -> None:
        try:
            slots = min(self._ring_bytes, room_bytes()) // slot_size(frame_bytes)
            if slots < MIN_SLOTS:
                raise OSError(f"there is room for {slots} frames")
            self._made = self._ring = Ring(frame_bytes=frame_bytes, slots=min(slots, MAX_SLOTS))
        except (OSError, ValueError) as error:
            _log.warning("no shared memory for frames: %s; they go through the socket", error)
        self._on_ring(self._made.size if self._made else 0)


def _heap(size: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.empty(size, np.uint8)
