"""Pixels in memory that hook and processor share: the hook's slots, read in place by the processor.

One page of head, then slots of equal size. The head holds a nonce that the hook also tells over the wire:
whoever reads the same nonce has opened the same memory and is on the same machine. On POSIX the memory is a
file in /dev/shm (or the folder for temporary files) under a lock that its owner holds: the ring of a hook
that was killed is the one whose lock is free. On Windows it is named memory that goes with its last user.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import secrets
import shutil
import sys
import tempfile
from collections import deque
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.wire.errors import WireError

PREFIX = "scope-streamer-"
PAGE_BYTES = 4096
#: More slots than this help nobody; what waits beyond them waits in ordinary memory.
MAX_SLOTS = 256
MAX_RING_BYTES = 1 << 36

_NAME = re.compile(rf"{PREFIX}[0-9a-f]{{32}}")
_MAGIC = b"scope-streamer ring/1\n"
_NONCE_BYTES = 16


def room_bytes() -> int:
    """How large a ring may be: half of the free shared memory, because it is not ours alone."""
    return shutil.disk_usage(_folder()).free // 2


def slot_size(frame_bytes: int) -> int:
    """Bytes of a slot for frames of that size: whole pages."""
    return -(-frame_bytes // PAGE_BYTES) * PAGE_BYTES


class Ring:
    """The hook's side: hands out slots, takes them back.

    `take` may be called on another thread than `give_back`.

    Args:
        frame_bytes: bytes of the largest frame.
        slots: how many frames.

    Raises:
        OSError: there is no room for it.
    """

    def __init__(self, *, frame_bytes: int, slots: int) -> None:
        self.slot_bytes = slot_size(frame_bytes)
        self.slots = slots
        self.name = PREFIX + secrets.token_hex(16)
        self.nonce = secrets.token_hex(_NONCE_BYTES)
        size = PAGE_BYTES + self.slot_bytes * slots
        self._lock_fd, memory = _create(self.name, size)
        self._bytes: NDArray[np.uint8] = np.frombuffer(memory, np.uint8)
        # Touch every page here, so that the engine's thread never waits for the system to map one.
        self._bytes[::PAGE_BYTES] = 0
        self._bytes[: len(_MAGIC)] = np.frombuffer(_MAGIC, np.uint8)
        nonce = np.frombuffer(self.nonce.encode(), np.uint8)
        self._bytes[len(_MAGIC) : len(_MAGIC) + len(nonce)] = nonce
        self._free = deque(range(slots))

    @property
    def size(self) -> int:
        """Bytes of the whole ring."""
        return self._bytes.size

    def take(self, size: int) -> int | None:
        """A free slot for `size` bytes; None where there is none."""
        if size > self.slot_bytes:
            return None
        try:
            return self._free.popleft()
        except IndexError:
            return None

    def view(self, slot: int, size: int) -> NDArray[np.uint8]:
        """[size] the first bytes of a slot, to be written or read."""
        start = PAGE_BYTES + slot * self.slot_bytes
        return self._bytes[start : start + size]

    def give_back(self, slot: int) -> None:
        """The slot's frame is acknowledged, or was never sent."""
        self._free.append(slot)

    def close(self) -> None:
        """Remove the name; a processor that has opened the memory keeps it until it is done."""
        if self._lock_fd is not None:
            with contextlib.suppress(OSError):
                (_folder() / self.name).unlink()
            os.close(self._lock_fd)
            self._lock_fd = None


class SharedSlots:
    """The processor's side of a hook's ring: read-only.

    Args:
        name, nonce, slots, slot_bytes: as the hook's `Hello` tells them.

    Raises:
        WireError: it is not there, not ours, or not what the hook says; its pixels must come over the wire.
    """

    def __init__(self, *, name: str, nonce: str, slots: int, slot_bytes: int) -> None:
        if not _NAME.fullmatch(name) or len(nonce) != 2 * _NONCE_BYTES:
            raise WireError(f"ring {name[:60]!r}: not a name of ours")
        size = PAGE_BYTES + slots * slot_bytes
        if not (0 < slots <= MAX_SLOTS and slot_bytes > 0 and size <= MAX_RING_BYTES):
            raise WireError(f"ring of {slots} slots of {slot_bytes} bytes: use 1 to {MAX_SLOTS} slots")
        try:
            memory = _open(name, size)
        except (OSError, ValueError) as error:
            raise WireError(f"ring {name}: {error}") from None
        self._view = memoryview(memory)
        self._slots, self._slot_bytes = slots, slot_bytes
        if self._view[: len(_MAGIC) + len(nonce)] != _MAGIC + nonce.encode():
            raise WireError(f"ring {name}: another memory of that name")

    def view(self, slot: int, size: int) -> memoryview:
        """The first `size` bytes of a slot, read-only.

        Raises:
            WireError: there is no such slot, or the frame does not fit in it.
        """
        if not 0 <= slot < self._slots or size > self._slot_bytes:
            raise WireError(f"slot {slot} of {size} bytes; the ring has {self._slots} of {self._slot_bytes}")
        start = PAGE_BYTES + slot * self._slot_bytes
        return self._view[start : start + size]


def remove_abandoned() -> None:
    """Remove the rings of this user's hooks that were killed: those whose lock is free."""
    if sys.platform != "win32":
        for path in _folder().glob(f"{PREFIX}*"):
            if _NAME.fullmatch(path.name):
                with contextlib.suppress(OSError):  # somebody else's, in use, or just gone
                    _remove_if_abandoned(path)


if sys.platform == "win32":

    def _create(name: str, size: int) -> tuple[int | None, mmap.mmap]:
        return None, mmap.mmap(-1, size, tagname=name)

    def _open(name: str, size: int) -> mmap.mmap:
        # A name that nobody made gives new, empty memory; the nonce then tells.
        return mmap.mmap(-1, size, tagname=name, access=mmap.ACCESS_READ)

    def _folder() -> Path:
        return Path(tempfile.gettempdir())

    def _remove_if_abandoned(path: Path) -> None:
        """Named memory goes with its last user."""

else:
    import fcntl

    def _create(name: str, size: int) -> tuple[int | None, mmap.mmap]:
        remove_abandoned()
        path = _folder() / name
        unlocked = path.with_name(f".{name}")  # a name under which nobody takes it for an abandoned ring
        fd = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            unlocked.rename(path)
            _allocate(fd, size)
            return fd, mmap.mmap(fd, size)
        except BaseException:
            unlocked.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            os.close(fd)
            raise

    def _allocate(fd: int, size: int) -> None:
        """Memory that is not really there would end the microscope's process when it is written to."""
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(fd, 0, size)
        else:  # macOS
            for start in range(0, size, PAGE_BYTES):
                os.pwrite(fd, bytes(min(PAGE_BYTES, size - start)), start)

    def _open(name: str, size: int) -> mmap.mmap:
        fd = os.open(_folder() / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            stat = os.fstat(fd)
            if stat.st_uid != os.geteuid() or stat.st_size != size:
                raise OSError(
                    f"of user {stat.st_uid}, {stat.st_size} bytes; expected our own of {size} bytes"
                )
            return mmap.mmap(fd, size, access=mmap.ACCESS_READ)
        finally:
            os.close(fd)

    def _folder() -> Path:
        shm = Path("/dev/shm")
        return shm if shm.is_dir() and os.access(shm, os.W_OK) else Path(tempfile.gettempdir())

    def _remove_if_abandoned(path: Path) -> None:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        finally:
            os.close(fd)
