"""Memory: how the C library hands it out to this process, and what to say where it does not do."""

from __future__ import annotations

import ctypes
import platform
from functools import cache

from streamer.errors import EngineError, MemoryShortError

#: mallopt(3): keep every buffer in one heap that is never given back. Plain PyTorch asks for the same large
#: buffers at every frame, and by default each comes fresh from the system and goes back.
MALLOC_SETTINGS = {"M_MMAP_MAX": (-4, 0), "M_TRIM_THRESHOLD": (-1, 2**31 - 1), "M_ARENA_MAX": (-8, 1)}

#: How runtimes say it.
_SAID = ("out of memory", "bad_alloc", "bad allocation", "cannot allocate memory")


def is_of_memory(error: Exception) -> bool:
    """Whether something failed for want of memory; most runtimes say so in words only."""
    if isinstance(error, (MemoryError, MemoryShortError)):
        return True
    return any(said in str(error).lower() for said in _SAID)


def as_engine_error(error: Exception, words: str) -> EngineError:
    """A runtime's error as ours: `MemoryShortError` where it is of memory."""
    return MemoryShortError(words) if is_of_memory(error) else EngineError(words)


@cache
def keep_buffers() -> bool:
    """Tell glibc to keep what is freed, for the rest of this process; whether it will. Others are left alone.

    For a process of our own that runs PyTorch, never for one that belongs to somebody else.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(mallopt(number, value) for number, value in MALLOC_SETTINGS.values())
