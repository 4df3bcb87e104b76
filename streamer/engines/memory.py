"""Memory: how the C library hands it out to this process, and what to say where it does not do."""

from __future__ import annotations

import ctypes
import platform
from functools import cache

from streamer.errors import EngineError, MemoryShortError, StreamerError

#: mallopt(3): keep every buffer in one heap that is never given back. Plain PyTorch asks for the same large
#: buffers at every frame, and by default each comes fresh from the system and goes back.
MALLOC_SETTINGS = {"M_MMAP_MAX": (-4, 0), "M_TRIM_THRESHOLD": (-1, 2**31 - 1), "M_ARENA_MAX": (-8, 1)}

#: How runtimes say it.
_SAID = (
    "out of memory",
    "outofmemory",
    "bad_alloc",
    "bad allocation",
    "cannot allocate memory",
    "failed to allocate",  # OpenVINO
    "not enough memory",  # PyTorch on a processor
)


def is_of_memory(error: Exception) -> bool:
    """Whether something failed for want of memory; most runtimes say so in words only."""
    if isinstance(error, (MemoryError, MemoryShortError)):
        return True
    return says_memory(str(error))


def says_memory(words: str) -> bool:
    """Whether what a runtime tells is of a lack of memory."""
    return any(said in words.lower() for said in _SAID)


def as_engine_error(error: Exception, words: str) -> EngineError:
    """A runtime's error as ours: `MemoryShortError` where it is of memory."""
    return MemoryShortError(words) if is_of_memory(error) else EngineError(words)


def let_go(error: StreamerError) -> StreamerError:
    """The error alone: what led to it holds engines, and with them memory, in the variables of its frames."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


@cache
def keep_buffers() -> bool:
    """Tell glibc to keep what is freed, for the rest of this process; whether it will. Others are left alone.

    For a process of our own that runs PyTorch, never for one that belongs to somebody else.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(mallopt(number, value) for number, value in MALLOC_SETTINGS.values())
